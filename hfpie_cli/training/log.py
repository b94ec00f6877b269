"""Output of a training run: a progress line, log.csv, TensorBoard if installed, sample pictures."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..console import Console
from ..data.matching import SAMPLES
from ..evaluation.parts import Part
from ..files import atomic_path
from ..shown import counted
from .run import PICTURES_TO_CHOOSE

CSV_FILES = ("log.csv", "parts.csv")
SAMPLE_HEIGHT = 256  # pixels of a row of samples: degraded, restored, clean
ALIVE_BY = 1000  # steps after which every part of a network should contribute


class RunLog:
    """A context manager around `fit`, for the process that prints. folder: the run's. step: where it starts."""

    def __init__(self, folder: Path, console: Console, step: int) -> None:
        self.folder = folder
        self._console = console
        self._board = _tensorboard(folder, step)
        for name in CSV_FILES:
            _cut(folder / name, step)
        self._faulty: frozenset[str] = frozenset()
        columns = (
            TextColumn("step {task.fields[step]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = console.bar(*columns)
        self._task = self._bar.add_task("", total=None, step=step, status="")
        self._score = ""
        self.is_worse = False  # in the last validation, no degradation was improved

    def __enter__(self) -> RunLog:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._board:
            self._board.close()

    def doing(self, what: str) -> None:
        """Show in the progress line what is done between steps."""
        self._bar.update(self._task, status=what)

    def scored(self, count: int, there: int, *, chooses: bool) -> None:
        """Say how many held-out pictures each validation scores, if not all, or too few to choose the weights.

        chooses: whether they do.
        """
        kept = "" if chooses else "; the last weights are kept"
        pictures = f"{count} of {there} held-out pictures" if count < there else counted(there, "held-out picture")
        if count < there:
            self._console.say(f"validations score {pictures}: the run is too short for more{kept}")
        elif count < PICTURES_TO_CHOOSE:
            self._console.say(f"validations score {pictures}, too few to choose the weights{kept}")

    def moved(self, step: int, progress: float) -> None:
        """Move the progress line; progress: 0 to 1."""
        self._bar.update(self._task, step=step, completed=progress, total=1.0)

    def step(self, loss: float, pixels_per_second: float, waiting: float) -> None:
        """Show loss and speed in the progress line. waiting: share of the time that steps wait for batches."""
        self.doing(f"loss {loss:.5f}  {self._score}  {pixels_per_second / 1e6:.3g} MP/s  waiting {waiting:.0%}")

    def report(
        self,
        step: int,
        hours: float,
        loss: float,
        scores: Mapping[str, float],
        *,
        inputs: Mapping[str, float],
        waiting: float,
        speed: float,
    ) -> None:
        """A validation: scores in dB by degradation; a row of log.csv, a point in TensorBoard, a line for people.

        inputs: scores of the degraded pictures, if they have any. waiting: as in `step`.
        speed: pixels a second.
        """
        mean = sum(scores.values()) / len(scores)
        pace = {"mp_per_second": speed / 1e6, "waiting": waiting}
        row: dict[str, Any] = {"step": step, "hours": hours, "loss": loss, **pace, "mean": mean, **scores}
        self._write(row)
        if self._board:
            for name, value in {"loss": loss, **{f"psnr/{name}": score for name, score in scores.items()}}.items():
                self._board.add_scalar(name, value, step)
        self.is_worse = bool(inputs) and all(score <= inputs.get(name, score) for name, score in scores.items())
        beside = {name: f" (input {score:.2f})" for name, score in inputs.items()}
        shown = "  ".join(f"{name} {score:.2f} dB{beside.get(name, '')}" for name, score in scores.items())
        self._score = f"{mean:.2f} dB"
        self.doing(f"loss {loss:.5f}  {self._score}")
        self._console.result(row | {"input": dict(inputs)})
        self._console.say(f"step {step}  {hours * 60:.1f} min  loss {loss:.5f}  waiting {waiting:.0%}  {shown}")

    def parts(self, step: int, parts: Sequence[Part]) -> None:
        """Report the network's parts: rows of parts.csv, points in TensorBoard, new faults as warnings."""
        for part in parts:
            row: dict[str, Any] = {"step": step, **vars(part)}
            self._write(row, "parts.csv")
            for measure in ("peak", "share", "worth"):
                if self._board and row[measure] is not None:
                    self._board.add_scalar(f"{measure}/{part.name}", row[measure], step)
            faults = part.faults() if step >= ALIVE_BY else []
            if part.name not in self._faulty:
                for fault in faults:
                    self._console.warn(f"step {step}, {fault}")
            self._faulty = self._faulty | {part.name} if faults else self._faulty - {part.name}

    def _write(self, row: dict[str, Any], name: str = "log.csv") -> None:
        """Append a row to a CSV file; an older file with other columns is kept beside it."""
        path = self.folder / name
        if path.exists() and path.read_text(encoding="utf-8", errors="replace").splitlines()[:1] != [",".join(row)]:
            path.rename(path.with_name(f"{path.stem}-before-{row['step']}.csv"))
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if fresh:
                writer.writeheader()
            writer.writerow({key: f"{value:.5g}" if isinstance(value, float) else value for key, value in row.items()})

    def sample(self, step: int, rows: list[list[NDArray[np.uint8]]]) -> None:
        """samples/STEP.png: a row for each picture: its degraded, restored and clean side (h, w, 3)."""
        strips = [np.concatenate([_of_height(picture, SAMPLE_HEIGHT) for picture in row], 1) for row in rows]
        width = max(strip.shape[1] for strip in strips)
        sheet = np.concatenate([np.pad(strip, [(0, 0), (0, width - strip.shape[1]), (0, 0)]) for strip in strips])
        path = self.folder / SAMPLES / f"{step:07}.png"
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as temporary:
            Image.fromarray(sheet).save(temporary)


def _cut(path: Path, step: int) -> None:
    """Remove from a CSV file the rows after a step, which are made again, and broken ones."""
    if not path.exists():
        return
    head, *rows = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    kept = [row for row in rows if row.count(",") == head.count(",") and _step_of(row) <= step]
    if kept != rows:
        with atomic_path(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in (head, *kept)), encoding="utf-8")


def _step_of(row: str) -> float:
    """The number that a row begins with; infinity if it does not."""
    first = row.split(",", maxsplit=1)[0]
    return int(first) if first.isdecimal() else float("inf")


def _of_height(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    width = max(round(picture.shape[1] * height / picture.shape[0]), 1)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the extra is not installed: log.csv has the same
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
