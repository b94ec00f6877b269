"""`hfpie eval`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console
from ..data.datasets import DEFAULT_ROOT, find
from ..errors import ExitCode, HfpieError, UnavailableError, UsageError
from ..files import cache_folder
from ..photos.formats import is_hidden
from ..ranks import PATIENCE, Ranks, joined_ranks
from ..tasks import TASKS
from .options import HubOptions, add_command

if TYPE_CHECKING:
    from ..data.benchmarks import Benchmark
    from ..evaluation.methods import NetworkSettings
    from ..evaluation.report import Subject
    from ..evaluation.score import Distance
    from ..evaluation.scoreboard import Board


@dataclass(frozen=True, kw_only=True)
class EvalOptions(HubOptions):
    """Options of `hfpie eval`."""

    dataset: Annotated[
        str | None, typer.Option(help="SIDD, DIV2K, REDS, Set5, CBSD68, ... or a folder of clean photographs.")
    ] = None
    table: Annotated[int | None, typer.Option(min=1, max=6, help="One of the paper's tables.")] = None
    degraded: Annotated[Path | None, typer.Option(help="A folder of degraded pictures; with --clean.")] = None
    clean: Annotated[Path | None, typer.Option(help="A folder of clean pictures of the same names.")] = None
    task: Annotated[str | None, typer.Option(help="denoise, deblur or sr, where the data set does not say.")] = None
    degradation: Annotated[
        str | None, typer.Option(help="Published pairs such as val_blur_jpeg, or made here such as awgn-25.")
    ] = None
    weights: Annotated[
        list[str], typer.Option(help="Names or files, as often as needed; default: the task's.", show_default=False)
    ] = field(default_factory=list)
    data_root: Annotated[Path, typer.Option(envvar="HFPIE_DATA", help="Where data sets lie.")] = DEFAULT_ROOT
    limit: Annotated[int | None, typer.Option(min=1, help="The first pictures only.")] = None
    resume: Annotated[bool, typer.Option("--resume", help="Keep the scores of a run that was interrupted.")] = False
    lpips: Annotated[bool, typer.Option("--lpips", help="LPIPS too; needs pip install 'hfpie\\[lpips]'.")] = False
    csv: Annotated[Path | None, typer.Option(help="Write every score to this file.")] = None
    report: Annotated[Path | None, typer.Option(help="Write a page to look at to this .html file.")] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files of --csv, --report and --save-images.")
    ] = False
    save_images: Annotated[
        Path | None, typer.Option(help="Keep the restored pictures in this folder; a table's, by column.")
    ] = None
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
        examples="Examples: [bold]hfpie eval --dataset SIDD[/] | [bold]hfpie eval --table 1 --report table1.html[/] | "
        "[bold]hfpie eval --dataset CBSD68 --task denoise --degradation awgn-50[/] | "
        "[bold]hfpie eval --degraded soft/ --clean sharp/ --task deblur --weights mine.safetensors[/]",
    )


def evaluate(options: EvalOptions) -> int:
    """Open the benchmarks, score every method on them, print and write the tables."""
    _check(options)
    with joined_ranks(patience=PATIENCE) as ranks:
        console = options.console() if ranks.leads else Console(quiet=True)
        benchmarks = _open(options, console)
        lpips = _lpips(options, console)
        boards, subjects = [], []
        for benchmark in benchmarks:
            board, subject = _score(options, benchmark.first(options.limit), lpips, ranks, console)
            boards.append(board)
            subjects.append(subject)
            if ranks.leads:
                _show(board, console)
        if ranks.leads:
            _write(options, boards, subjects)
    return ExitCode.OK


def _check(options: EvalOptions) -> None:
    """Find what does not go together before anything is computed."""
    if options.task is not None and options.task not in TASKS:
        raise UsageError(f"no task {options.task!r}", f"there are {', '.join(TASKS)}")
    if (options.degraded is None) != (options.clean is None):
        raise UsageError("--degraded and --clean go together", "name both folders")
    chosen = [options.dataset is not None, options.table is not None, options.clean is not None]
    if sum(chosen) != 1:
        raise UsageError("it takes one of --dataset, --table, or --degraded with --clean", "hfpie eval --dataset SIDD")
    if options.dataset is None and options.degradation:
        raise UsageError("--degradation goes with --dataset", "leave it out")
    if options.table is not None and options.task:
        raise UsageError("a table says its task itself", "leave --task out")
    if options.csv and options.csv == options.report:
        raise UsageError(f"{options.csv}: for --csv and --report", "name two files")
    for path in filter(None, (options.csv, options.report)):
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}", "make it first, or name another file")
        if path.is_dir():
            raise UsageError(f"{path}: is a folder", "name a file")
        if path.exists() and not options.overwrite:
            raise UsageError(f"{path}: exists already", "say --overwrite, or name another file")


def _open(options: EvalOptions, console: Console) -> list[Benchmark]:
    """What is to be scored. Of a table's columns, those whose data are there; raises UnavailableError for none."""
    from ..data.benchmarks import open_benchmark, open_folders
    from ..evaluation.paper import columns

    if options.degraded and options.clean:
        return [open_folders(options.degraded, options.clean, options.task)]
    if options.dataset:
        _tell_folders(options.dataset, console)
        return [open_benchmark(options.dataset, options.data_root, options.task, options.degradation)]
    benchmarks: list[Benchmark] = []
    missing: list[HfpieError] = []
    for column in (column for column in columns() if column.table == options.table):
        try:
            benchmarks.append(open_benchmark(column.dataset, options.data_root, column.task, column.degradation))
        except UnavailableError as error:
            missing.append(UnavailableError(f"table {column.table}, {column.title}: {error.message}", error.hint))
    if not benchmarks:
        raise missing[0]
    for problem in missing:
        console.say(f"left out: {problem.message}")
    return benchmarks


def _tell_folders(dataset: str, console: Console) -> None:
    """Say how many folders in a user's own one are passed over."""
    folder = Path(dataset)
    if find(dataset) is None and folder.is_dir():
        below = sum(path.is_dir() and not is_hidden(path) for path in folder.iterdir())
        if below:
            console.say(f"folders inside that are not scored: {below}")


def _lpips(options: EvalOptions, console: Console) -> Distance | None:
    """LPIPS if it is asked for and can be had; a line that says why not otherwise."""
    if not options.lpips:
        return None
    from ..evaluation.perceptual import load_lpips

    try:
        return load_lpips()
    except UnavailableError as error:
        console.say(error.message)
        console.say(f"       {error.hint}")
        return None


def _score(
    options: EvalOptions, benchmark: Benchmark, lpips: Distance | None, ranks: Ranks, console: Console
) -> tuple[Board, Subject]:
    from ..evaluation.methods import classical_methods, load_networks
    from ..evaluation.report import Subject
    from ..evaluation.score import Scoring, as_file_name, check_images, count_of, score
    from ..evaluation.score_log import open_log
    from ..evaluation.scoreboard import make_board

    networks = load_networks(benchmark.task, options.weights, _settings(options, ranks), options.hub())
    methods = [*classical_methods(benchmark.task), *(network.method for network in networks)]
    images = options.save_images
    if images and options.table:
        images = images / as_file_name(f"{benchmark.name}-{benchmark.degradation}")
    if images:
        with ranks.one_first():  # before any process writes
            check_images(benchmark, methods, images, replace=options.overwrite or options.resume or not ranks.leads)
    log = open_log(cache_folder() / "scores" / f"{benchmark.name}.jsonl", resume=options.resume)
    scoring = Scoring(lpips, log, images, ranks)
    try:
        with console.progress(count_of(benchmark, methods, ranks)) as bar:
            scores = score(benchmark, methods, scoring, bar)
    except KeyboardInterrupt:
        console.say("the scores so far are kept: the same command with --resume goes on")
        raise
    return make_board(benchmark, scores), Subject(benchmark, tuple(networks))


def _settings(options: EvalOptions, ranks: Ranks) -> NetworkSettings:
    from ..device import choose_device
    from ..evaluation.methods import NetworkSettings

    device = ranks.device(options.device, choose_device(options.device).torch_device.type)
    return NetworkSettings(device, options.precision, options.tile, options.overlap, options.tta)


def _show(board: Board, console: Console) -> None:
    from rich.console import Console as RichConsole

    from ..evaluation.scoreboard import as_tables, records

    if console.json:
        for record in records(board):
            console.result(record)
        return
    for table in as_tables(board):
        RichConsole().print(table)


def _write(options: EvalOptions, boards: list[Board], subjects: list[Subject]) -> None:
    from ..evaluation.report import write_report
    from ..evaluation.scoreboard import write_csv

    if options.csv:
        write_csv(boards, options.csv)
    if options.report:
        write_report(boards, subjects, options.report)
