"""`evaluate`: weights and benchmarks to tables of scores, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ..console import Console, LoggedConsole
from ..data.benchmarks import Benchmark
from ..data.catalogue import DEFAULT_ROOT
from ..device import choose_device
from ..distributed import PATIENCE, joined_ranks
from ..errors import UnavailableError
from ..files import cache_folder
from ..hub.client import Hub
from .methods import NetworkSettings, classical_methods, load_networks
from .perceptual import load_lpips
from .question import Question, check_outputs, open_benchmarks
from .report import Subject, write_report
from .score_cache import ScoreLog, open_log
from .scoring import Distance, Method, Scoring, as_file_name, check_pictures, count_of, score
from .table import Board, make_board, write_csv

Name = str | PathLike[str]


def evaluate(
    dataset: str | None = None,
    *,
    table: int | None = None,
    degraded: Name | None = None,
    clean: Name | None = None,
    task: str | None = None,
    degradation: str | None = None,
    weights: Sequence[str] = (),
    data_root: Path = DEFAULT_ROOT,
    limit: int | None = None,
    resume: bool = False,
    lpips: bool = False,
    csv: Path | None = None,
    report: Path | None = None,
    overwrite: bool = False,
    save_images: Path | None = None,
    peak: int | None = None,
    settings: NetworkSettings | None = None,
    hub: Hub | None = None,
    console: Console | None = None,
    show: Callable[[Board], None] = lambda board: None,
) -> list[Board]:
    """Score weights and classical methods on a data set, a table of the paper or two folders; a board for each.

    dataset: a name below `data_root`, or a folder of clean photographs. table: of the paper (1 to 6). degraded and
    clean: two folders of pairs. task: if the data set does not define it. degradation: published pairs, or one made
    here. weights: names or files; by default the task's. limit: the first pictures only. resume: keep the scores of a
    run that was interrupted. csv, report, save_images: files to write and a folder for the restored pictures, replaced
    only if `overwrite`. peak: the white of 16-bit pictures that use 10 or 12 bits, such as 1023. console: gets the
    messages; by default the logger `hfpie_cli`. show: called with each board as it is done.

    Under `torchrun` the processes share the pictures. Raises HfpieError for conflicting arguments and missing data.
    """
    question = Question(
        dataset=dataset,
        table=table,
        degraded=Path(degraded) if degraded else None,
        clean=Path(clean) if clean else None,
        task=task,
        degradation=degradation,
        data_root=data_root,
    )
    check_outputs(question, csv, report, save_images, overwrite=overwrite)
    settings, hub = settings or NetworkSettings(), hub or Hub.from_environment()
    with joined_ranks(patience=PATIENCE) as ranks:
        console = (console or LoggedConsole()) if ranks.leads else Console(quiet=True)
        benchmarks = open_benchmarks(question, console.say)
        distance = _distance(console, hub) if lpips else None
        kind = choose_device(settings.device).torch_device.type
        settings = replace(settings, device=ranks.device(settings.device, kind))
        boards, subjects = [], []
        for benchmark in (_with_peak(benchmark.first(limit), peak) for benchmark in benchmarks):
            networks = load_networks(benchmark.task, weights, settings, hub)
            methods = [*classical_methods(benchmark.task), *(network.method for network in networks)]
            pictures = save_images
            if pictures and table:
                pictures = pictures / as_file_name(f"{benchmark.name}-{benchmark.degradation}")
            if pictures:
                with ranks.one_first():  # before any process writes
                    check_pictures(benchmark, methods, pictures, replace=overwrite or resume or not ranks.leads)
            scoring = Scoring(distance, _log(benchmark, console, resume=resume), pictures, ranks, peak)
            board = _score(benchmark, methods, scoring, console)
            boards.append(replace(board, made_with={network.name: network.made_with for network in networks}))
            subjects.append(Subject(benchmark, tuple(networks), tuple(methods), pictures))
            if ranks.leads:
                show(boards[-1])
        if ranks.leads and csv:
            write_csv(boards, csv)
            console.say(f"scores: {csv}")
        if ranks.leads and report:
            write_report(boards, subjects, report, lambda cases: console.track(cases, len(cases), "report"))
            console.say(f"report: {report}")
        if save_images:
            console.say(f"restored pictures: {save_images}")
    return boards


def _with_peak(benchmark: Benchmark, peak: int | None) -> Benchmark:
    """The benchmark, with the peak in its protocol if that is not full scale."""
    return replace(benchmark, protocol=f"{benchmark.protocol}, peak {peak}") if peak else benchmark


def _distance(console: Console, hub: Hub) -> Distance | None:
    """LPIPS if available; otherwise says why not."""
    try:
        return load_lpips(offline=hub.offline)
    except UnavailableError as error:
        console.say(error.message)
        console.say(f"       {error.hint}")
        return None


def _log(benchmark: Benchmark, console: Console, *, resume: bool) -> ScoreLog | None:
    """Where the scores are kept for `resume`; None, and a message, if they cannot be written there."""
    path = cache_folder() / "scores" / f"{benchmark.name}.jsonl"
    try:
        return open_log(path, resume=resume)
    except OSError as error:
        console.say(f"{path}: cannot keep the scores ({error.strerror}); --resume cannot continue this run")
        return None


def _score(benchmark: Benchmark, methods: Sequence[Method], scoring: Scoring, console: Console) -> Board:
    """All methods on one benchmark."""
    try:
        with console.progress(count_of(benchmark, methods, scoring.ranks)) as bar:
            return make_board(benchmark, score(benchmark, methods, scoring, bar))
    except KeyboardInterrupt:
        if scoring.log:
            console.say("the scores so far are kept: continue with the same command and --resume")
        raise
