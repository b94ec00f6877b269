"""Which parts of a data set are on this machine, and whether they are as published."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import HfpieError, UnavailableError
from ..photos.reader import read_photo
from ..settings import default_threads
from ..shown import counted
from ..tasks import TASKS
from .benchmarks import open_benchmark
from .catalogue import DataSet
from .decoded import Tracker, untracked
from .matching import find_pairs, find_photos, holds, training_photos

MAX_THREADS = 8

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Part:
    """A part of a data set on this machine."""

    what: str
    """What it is, in words."""
    count: int
    """Pictures found."""
    problem: str = ""
    """How it differs from what was published; empty if it does not."""


def parts_of(entry: DataSet, root: Path, track: Tracker = untracked) -> Iterator[Part]:
    """Its clean, paired and training pictures: counted, matched, and each opened.

    track: shows how many have been opened.
    """
    folder = root / entry.name
    scored = [(one.name, one.task, one.name) for one in entry.tracks]
    if entry.clean:
        scored.insert(0, (entry.clean, "denoise", TASKS["denoise"].degradation))
    for what, task, degradation in scored:
        try:
            cases = open_benchmark(entry.name, root, task, degradation).cases
            if what == entry.clean:
                photos = find_photos(folder, entry.clean)
                count, broken = len(photos), _faults(read_photo, photos, track)
            else:
                count, broken = len(cases), _faults(lambda case: case.open(), cases, track)
            short = (
                f"{counted(count, 'picture')}, expected {entry.pictures}" if count != (entry.pictures or count) else ""
            )
            yield Part(what, count, _told(broken) or short)
        except UnavailableError as error:
            yield Part(what, 0, error.message)
    if entry.train:
        try:
            photos = training_photos(entry, folder)
            pairs = [
                small
                for degraded in entry.train_degraded.values()
                if holds(folder, degraded)
                for small, _ in find_pairs(folder, degraded, entry.train)
            ]
            broken = _faults(read_photo, [*photos, *dict.fromkeys(pairs)], track)
            yield Part(f"training, {entry.train}", len(photos), _told(broken))
        except UnavailableError as error:
            yield Part(f"training, {entry.train}", 0, error.message)


def _faults(read: Callable[[Thing], object], things: Sequence[Thing], track: Tracker) -> list[str]:
    """Errors of the files that cannot be read, in order; several threads read."""

    def fault_of(thing: Thing) -> str:
        try:
            read(thing)
        except HfpieError as error:
            return error.message
        return ""

    with warnings.catch_warnings(), ThreadPoolExecutor(min(default_threads(), MAX_THREADS)) as pool:  # as in `store`
        return [fault for fault in track(pool.map(fault_of, things), len(things), "opening") if fault]


def _told(faults: list[str]) -> str:
    """The first fault and the number of others; empty if there are none."""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0]}{more}" if faults else ""
