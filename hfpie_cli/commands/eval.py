"""`hfpie eval`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ExitCode, UsageError
from ..tasks import TASKS
from ..weights import default_weights, resolve
from .options import HubOptions, add_command

if TYPE_CHECKING:
    from ..data.benchmarks import Benchmark
    from ..evaluate import Restore, Scores

DATA_ROOT = Path.home() / ".cache" / "hfpie" / "data"


@dataclass(frozen=True, kw_only=True)
class EvalOptions(HubOptions):
    """Options of `hfpie eval`."""

    dataset: Annotated[str, typer.Option(help="SIDD, DIV2K, REDS, Set5, CBSD68, ... or a folder of photographs.")]
    task: Annotated[str | None, typer.Option(help="denoise, deblur or sr, where the data set does not say.")] = None
    degradation: Annotated[str | None, typer.Option(help="Such as awgn-25, made from the clean pictures.")] = None
    weights: Annotated[
        list[str], typer.Option(help="Names or files, as often as needed; default: the task's.", show_default=False)
    ] = field(default_factory=list)
    data_root: Annotated[Path, typer.Option(envvar="HFPIE_DATA", help="Where data sets lie.")] = DATA_ROOT
    limit: Annotated[int | None, typer.Option(min=1, help="The first pictures only.")] = None
    tta: Annotated[bool, typer.Option("--tta", help="Average over 8 turned and mirrored inputs.")] = False
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto"
    tile: Annotated[int | None, typer.Option(min=1, help="Side of the tiles; default: the checkpoint's.")] = None
    overlap: Annotated[int | None, typer.Option(min=0, help="Of the tiles; default: the checkpoint's.")] = None


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "eval",
        EvalOptions,
        evaluate,
        summary="Score weights on a benchmark.",
        examples="Examples: [bold]hfpie eval --dataset SIDD[/] | "
        "[bold]hfpie eval --dataset CBSD68 --task denoise --degradation awgn-50[/] | "
        "[bold]hfpie eval --dataset photos/ --task sr --weights compact.sr-x4[/]",
    )


def evaluate(options: EvalOptions) -> int:
    """Open the benchmark, score the input and each of the weights, print the table."""
    if options.task is not None and options.task not in TASKS:
        raise UsageError(f"no task {options.task!r}", f"there are {', '.join(TASKS)}")
    from itertools import islice

    from ..data.benchmarks import SR_SCALE, open_benchmark
    from ..evaluate import score

    benchmark = open_benchmark(options.dataset, options.data_root, options.task, options.degradation)
    methods = _methods(options, benchmark)
    border = SR_SCALE if benchmark.task == "sr" else 0
    scores = score(methods, islice(benchmark.pairs(), options.limit), border=border)
    _report(options, benchmark, scores, border)
    return ExitCode.OK


def _methods(options: EvalOptions, benchmark: Benchmark) -> dict[str, Restore]:
    from functools import partial

    from ..evaluate import enlarge_bicubic
    from ..restore import Restorer

    methods: dict[str, Restore] = {}
    if benchmark.task == "sr":
        methods = {"bicubic": partial(enlarge_bicubic, scale=TASKS["sr"].scales[0])}
    for name in options.weights or [default_weights(benchmark.task)]:
        restorer = Restorer.from_weights(
            resolve(name, options.hub()),
            device=options.device,
            precision=options.precision,
            tile=options.tile,
            overlap=options.overlap,
            tta=options.tta,
        )
        methods[name] = lambda photo, restorer=restorer: restorer.restore(photo).photo  # type: ignore[misc]
    return methods


def _report(options: EvalOptions, benchmark: Benchmark, scores: list[Scores], border: int) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table

    count = len(scores[0].pictures)
    shaved = f", {border} pixels shaved" if border else ""
    protocol = f"{benchmark.protocol}{shaved}; {count} pictures"
    if options.json:
        console = options.console()
        for one in scores:
            console.result({"dataset": benchmark.name, "protocol": protocol, "method": one.method, **one.means()})
        return
    table = Table(title=f"{benchmark.name}, {benchmark.task}", caption=protocol)
    for heading in ("method", "PSNR", "SSIM", "PSNR Y", "SSIM Y"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for one in scores:
        means = one.means()
        cells = (f"{means['psnr']:.2f}", f"{means['ssim']:.4f}", f"{means['psnr_y']:.2f}", f"{means['ssim_y']:.4f}")
        table.add_row(one.method, *cells)
    RichConsole().print(table)
