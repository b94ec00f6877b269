"""What `hfpie eval` is asked to score and to write, checked before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..data.matching import check_sides
from ..errors import UsageError
from ..files import check_new
from ..suggest import did_you_mean
from ..tasks import TASKS


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


def check_files(csv: Path | None, report: Path | None, *, overwrite: bool) -> None:
    """Raises UsageError for a file that cannot be written or that already exists."""
    if csv and csv == report:
        raise UsageError(f"{csv}: used for both --csv and --report", "use two files")
    for path in filter(None, (csv, report)):
        check_new(path, overwrite=overwrite)
