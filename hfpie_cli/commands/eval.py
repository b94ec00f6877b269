"""`hfpie eval`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console
from ..data.catalogue import DEFAULT_ROOT
from ..distributed import is_first
from ..errors import ExitCode
from ..evaluation.question import Question, check_outputs, check_scale, open_benchmarks
from ..shown import either
from ..tasks import TASKS
from ..weights.registry import default_weights, find_entry, find_here
from .announce import Request, check_network
from .options import PictureOptions, add_command

if TYPE_CHECKING:
    from ..evaluation.table import Board


@dataclass(frozen=True, kw_only=True)
class EvalOptions(PictureOptions):
    """Options of `hfpie eval`."""

    dataset: Annotated[
        str | None, typer.Option(help="SIDD, DIV2K, REDS, Set5, CBSD68, ... or a folder of clean photographs.")
    ] = None
    table: Annotated[int | None, typer.Option(min=1, max=6, help="One of the paper's tables.")] = None
    degraded: Annotated[Path | None, typer.Option(help="Folder of degraded pictures; requires --clean.")] = None
    clean: Annotated[Path | None, typer.Option(help="Folder of clean pictures with the same names.")] = None
    task: Annotated[
        str | None, typer.Option(help=f"{either(list(TASKS))}; needed if the data set does not define it.")
    ] = None
    degradation: Annotated[
        str | None,
        typer.Option(help="Published pairs such as val_blur_jpeg, or a synthetic degradation such as awgn-25."),
    ] = None
    weights: Annotated[
        list[str], typer.Option(help="Names or files; repeatable; default: the task's.", show_default=False)
    ] = field(default_factory=list)
    data_root: Annotated[Path, typer.Option(envvar="HFPIE_DATA", help="Folder of the data sets.")] = DEFAULT_ROOT
    limit: Annotated[int | None, typer.Option(min=1, help="Score only the first N pictures.")] = None
    resume: Annotated[bool, typer.Option("--resume", help="Reuse the scores of an interrupted run.")] = False
    lpips: Annotated[bool, typer.Option("--lpips", help="Also score LPIPS; needs pip install 'hfpie\\[lpips]'.")] = (
        False
    )
    csv: Annotated[Path | None, typer.Option(help="Write every score to this file.")] = None
    report: Annotated[Path | None, typer.Option(help="Write a report page to this .html file.")] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files of --csv, --report and --save-images.")
    ] = False
    save_images: Annotated[
        Path | None,
        typer.Option(help="Save the restored pictures in this folder; for --table, one subfolder per column."),
    ] = None
    peak: Annotated[
        int | None, typer.Option(min=256, max=65535, help="White of 16-bit pictures: 1023 for 10 bits, 4095 for 12.")
    ] = None
    tta: Annotated[bool, typer.Option("--tta", help="Average over 8 rotations and flips: 8 times slower.")] = False
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto"
    tile: Annotated[int | None, typer.Option(min=1, help="Tile side in pixels; default: the checkpoint's.")] = None
    overlap: Annotated[int | None, typer.Option(min=0, help="Tile overlap in pixels; default: the checkpoint's.")] = (
        None
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "eval",
        EvalOptions,
        evaluate,
        summary="Score weights on a benchmark, the paper's tables, a folder or pairs of your own.",
        examples=(
            "hfpie eval --dataset SIDD",
            "hfpie eval --table 1 --report table1.html",
            "hfpie eval --dataset CBSD68 --task denoise --degradation awgn-50",
            "hfpie eval --degraded soft/ --clean sharp/ --task deblur",
        ),
    )


def evaluate(options: EvalOptions) -> int:
    """Score, print and write the tables."""
    question = _question(options)
    console = options.console()
    if is_first():
        _say_what_runs(options, question, console)
    from ..evaluation import call
    from ..evaluation.methods import NetworkSettings

    call.evaluate(
        options.dataset,
        table=options.table,
        degraded=options.degraded,
        clean=options.clean,
        task=options.task,
        degradation=options.degradation,
        weights=options.weights,
        data_root=options.data_root,
        limit=options.limit,
        resume=options.resume,
        lpips=options.lpips,
        csv=options.csv,
        report=options.report,
        overwrite=options.overwrite,
        save_images=options.save_images,
        peak=options.peak,
        settings=NetworkSettings(options.device, options.precision, options.tile, options.overlap, options.tta),
        hub=options.hub(),
        console=console,
        show=lambda board: _show(board, console),
    )
    return ExitCode.OK


def _question(options: EvalOptions) -> Question:
    """What to score. Raises UsageError for conflicting options before anything is read."""
    return Question(
        dataset=options.dataset,
        table=options.table,
        degraded=options.degraded,
        clean=options.clean,
        task=options.task,
        degradation=options.degradation,
        data_root=options.data_root,
    )


def _say_what_runs(options: EvalOptions, question: Question, console: Console) -> None:
    """The weights that will be scored and where, before torch is loaded.

    Raises HfpieError for what cannot run, for outputs that cannot be written, and for missing weights or data.
    """
    request = Request(options.device, options.precision, options.tile, options.overlap)
    networks = [check_network(name, request) for name in options.weights]
    for name in options.weights:
        find_here(name, options.hub(), task=options.task or "", force=True)
    check_outputs(question, options.csv, options.report, options.save_images, overwrite=options.overwrite)
    benchmarks = open_benchmarks(question, lambda line: None)  # reported when they are scored
    tasks = dict.fromkeys(benchmark.task for benchmark in benchmarks)
    for entry in filter(None, map(find_entry, options.weights)):
        for task in tasks:
            check_scale(entry.name, entry.scale, task)
    networks = networks or [check_network(default_weights(task), request) for task in tasks]
    console.say(f"{', '.join(name for name, _ in networks)} on {networks[0][1]}")


def _show(board: Board, console: Console) -> None:
    from rich.console import Console as RichConsole

    from ..evaluation.table import as_tables, records

    if console.json:
        for record in records(board):
            console.result(record)
        return
    for table in as_tables(board):
        RichConsole().print(table)
