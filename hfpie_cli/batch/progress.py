"""The progress bar of a run over files, by megapixels, so that the time left is right for all sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from ..console import Console
from ..jobs import Job
from ..shown import counted, end_of, in_megapixels, shown
from .amount import Amount

if TYPE_CHECKING:
    from rich.progress import Progress

NAME_SHOWN = 20  # characters of a file's name, so that the bar fits a terminal of 80 columns


@dataclass
class RunProgress:
    """The progress of a run, and its bar, if it has one. Several threads may report at a time."""

    _bar: Progress | None
    _expected: dict[str, float]  # megapixels of the files not yet started, by name
    _total: float
    _planned: int
    _finished: int = 0
    _done: float = 0.0
    _under_way: dict[str, tuple[float, float]] = field(default_factory=dict)  # (megapixels, share that is done)
    _lock: Lock = field(default_factory=Lock)

    def start(self, job: Job, megapixels: float) -> None:
        """Report that a file of this size has been read."""
        with self._lock:
            self._total += megapixels - self._expected.pop(job.name, 0.0)
            self._under_way[job.name] = (megapixels, 0.0)
            self._show(job.name)

    def tiles(self, job: Job, done: int, total: int) -> None:
        """Report that `done` of a file's tiles are finished."""
        with self._lock:
            megapixels, before = self._under_way[job.name]
            self._done += megapixels * (done / total - before)
            self._under_way[job.name] = (megapixels, done / total)
            self._show(job.name)

    def finish(self, job: Job) -> None:
        """Report that a file is done, has failed or was skipped."""
        with self._lock:
            megapixels, share = self._under_way.pop(job.name, (0.0, 1.0))
            self._total -= megapixels * (1 - share) + self._expected.pop(job.name, 0.0)
            self._finished += 1
            self._show("")

    def _show(self, name: str) -> None:
        if self._bar is None:
            return
        files = f"{self._finished} of {counted(self._planned, 'file')}, " if self._planned > 1 else ""
        task = self._bar.tasks[0]
        elapsed = task.elapsed or 0.0
        pace = f", {elapsed / self._done:.1f} s/MP" if self._done and elapsed else ""
        text = f"{files}{in_megapixels(self._done, of=self._total)} of {in_megapixels(self._total)} MP{pace}"
        total = max(self._total, 1e-9)
        if name:
            self._bar.update(
                task.id, description=shown(end_of(name, NAME_SHOWN)), completed=self._done, total=total, text=text
            )
        else:
            self._bar.update(task.id, completed=self._done, total=total, text=text)


@contextmanager
def run_progress(console: Console, jobs: Sequence[Job], amounts: Sequence[Amount]) -> Iterator[RunProgress]:
    """A bar on standard error, on a terminal and unless the console is quiet."""
    expected = {job.name: amount.pixels / 1e6 for job, amount in zip(jobs, amounts, strict=True)}
    total = sum(expected.values())
    if not console.draws:
        yield RunProgress(None, expected, total, len(jobs))
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    plain = [TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[text]}")]
    with console.bar(*plain, TimeElapsedColumn(), TimeRemainingColumn()) as bar:
        bar.add_task("", total=total or None, text="")
        yield RunProgress(bar, expected, total, len(jobs))
