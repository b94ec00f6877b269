"""Checks what `hfpie eval` has to score and write, before torch is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.catalogue import find
from ..data.matching import check_sides
from ..errors import HfpieError, UnavailableError, UsageError
from ..files import check_folder_name, check_new, check_page
from ..photos.formats import is_hidden
from ..shown import counted
from ..suggest import did_you_mean
from ..tasks import TASKS
from .quoted import columns

if TYPE_CHECKING:
    from ..data.benchmarks import Benchmark


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to score: a data set, a table of the paper, or two folders; as `evaluate` explains."""

    dataset: str | None
    """Name of a data set, or a folder of clean pictures."""
    table: int | None
    """One of the paper's tables, 1 to 6."""
    degraded: Path | None
    """Folder of degraded pictures."""
    clean: Path | None
    """Folder of their clean originals."""
    task: str | None
    """A key of TASKS; None for the data set's own."""
    degradation: str | None
    """A track's name or a key of DEGRADATIONS; None for the default."""
    data_root: Path
    """Folder of the data sets."""

    @property
    def searched(self) -> tuple[Path, ...]:
        """Folders whose pictures are scored wherever below them they are."""
        entry = find(self.dataset or "")
        named = self.data_root / entry.name if entry else None
        return tuple(folder for folder in (self.degraded, self.clean, named) if folder)

    def __post_init__(self) -> None:
        """Raises UsageError for conflicting arguments, before anything is computed."""
        if self.task is not None and self.task not in TASKS:
            raise UsageError(f"no task {self.task!r}", did_you_mean(self.task, TASKS))
        check_sides(self.degraded, self.clean)
        chosen = [self.dataset is not None, self.table is not None, self.clean is not None]
        if sum(chosen) != 1:
            message = "use one of --dataset, --table, or --degraded with --clean"
            raise UsageError(message, "for example: hfpie eval --dataset SIDD")
        if self.dataset is None and self.degradation:
            raise UsageError("--degradation works only with --dataset", "remove it")
        if self.table is not None and self.task:
            raise UsageError("the table defines the task", "remove --task")


def open_benchmarks(question: Question, say: Callable[[str], None]) -> list[Benchmark]:
    """What to score, without loading torch.

    Columns of a table whose data are missing, and subfolders, are skipped and reported through `say`. Raises
    UnavailableError for missing data, UsageError for a task or a degradation that they lack.
    """
    from ..data.benchmarks import open_benchmark, open_folders

    if question.degraded and question.clean:
        return [open_folders(question.degraded, question.clean, question.task)]
    if question.dataset:
        _report_subfolders(question.dataset, say)
        return [open_benchmark(question.dataset, question.data_root, question.task, question.degradation)]
    benchmarks: list[Benchmark] = []
    missing: list[HfpieError] = []
    for column in (column for column in columns() if column.table == question.table):
        try:
            benchmarks.append(open_benchmark(column.dataset, question.data_root, column.task, column.degradation))
        except UnavailableError as error:
            missing.append(UnavailableError(f"table {column.table}, {column.title}: {error.message}", error.hint))
    if not benchmarks:
        raise missing[0]
    for problem in missing:
        say(f"skipped: {problem.message}")
    return benchmarks


def _report_subfolders(dataset: str, say: Callable[[str], None]) -> None:
    """Report how many subfolders of a user's folder are skipped."""
    folder = Path(dataset)
    if find(dataset) is None and folder.is_dir():
        below = sum(path.is_dir() and not is_hidden(path) for path in folder.iterdir())
        if below:
            say(f"skipped {counted(below, 'subfolder')}: only the pictures in {folder} itself are scored")


def check_scale(name: str, scale: int, task: str) -> None:
    """Raises UsageError for weights that enlarge more or less than a task does."""
    if scale != TASKS[task].scale:
        message = f"{name}: a network of scale {scale}, not usable for {TASKS[task].name}"
        raise UsageError(message, "choose weights for this task")


def check_outputs(
    question: Question, csv: Path | None, report: Path | None, pictures: Path | None, *, overwrite: bool
) -> None:
    """Raises HfpieError for what cannot be written, for a file that exists, and for a folder that will be scored."""
    if csv and csv == report:
        raise UsageError(f"{csv}: used for both --csv and --report", "use two files")
    if csv:
        check_new(csv, overwrite=overwrite)
    if report:
        check_page(report, overwrite=overwrite)
    if pictures:
        check_folder_name(pictures, "--save-images")
        for folder in question.searched:
            if pictures.resolve().is_relative_to(folder.resolve()):
                message = f"{pictures}: in {folder}, where the next run would score what this one saves"
                raise UsageError(message, "name another folder with --save-images")
