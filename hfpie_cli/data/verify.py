"""What is here of a data set, and whether it is as published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import HfpieError, UnavailableError
from ..tasks import TASKS
from .benchmarks import open_benchmark
from .datasets import DataSet, find_pairs, find_photos, holds, training_photos


@dataclass(frozen=True)
class Part:
    """A part of a data set as it lies here. problem: empty if it is as published."""

    what: str
    count: int
    problem: str = ""


def parts_of(entry: DataSet, root: Path) -> Iterator[Part]:
    """Its clean pictures, its published pairs and what it has to train on: counted, matched, the first one opened."""
    folder = root / entry.name
    scored = [(track.name, track.task, track.name) for track in entry.tracks]
    if entry.clean:
        scored.insert(0, (entry.clean, "denoise", TASKS["denoise"].degradation))
    for what, task, degradation in scored:
        try:
            cases = open_benchmark(entry.name, root, task, degradation).cases
            count = len(find_photos(folder, entry.clean)) if what == entry.clean else len(cases)
            short = f"{count} pictures instead of {entry.pictures}" if count != (entry.pictures or count) else ""
            cases[0].open()
            yield Part(what, count, short)
        except UnavailableError as error:
            yield Part(what, 0, error.message)
        except HfpieError as error:
            yield Part(what, 1, error.message)
    if entry.train:
        try:
            photos = training_photos(entry, folder)
            for degraded in entry.train_degraded.values():
                if holds(folder, degraded):
                    find_pairs(folder, degraded, entry.train)
            yield Part(f"training, {entry.train}", len(photos))
        except UnavailableError as error:
            yield Part(f"training, {entry.train}", 0, error.message)
