"""Video frames: those of one shot share the averages of attention, so that they do not flicker.

numbered files -> sequences -> shots, cut where two frames differ -> averages measured on a few frames each
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, pairwise, repeat
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import HfpieError
from ..jobs import Job
from ..outcome import Shared
from ..photos.contents import Content
from ..photos.photo import Photo, to_8bit
from ..photos.reader import read_photo
from ..photos.sizes import read_size
from ..photos.thumbnails import SIDE, alike
from ..restore import Restorer
from ..settings import default_threads
from .content import Sharing, pictures_of

LEAST = 3  # consecutively numbered files that count as frames without --frames
LARGEST = 9_000_000  # pixels of such frames: 4K; numbered photographs are larger
SAMPLED = 4  # frames of a shot that its averages are measured on
MAX_THREADS = 4  # threads that look for shots
KEPT = 8  # shots whose averages are kept: frames are restored nearly in order

Sequences = list[list[Job]]
Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Look:
    """A thumbnail to compare frames by."""

    size: tuple[int, int]
    """(height, width) of the frame."""
    pixels: NDArray[np.float32]
    """(SIDE, SIDE, 3), 0 to 255."""

    def is_like(self, other: Look) -> bool:
        """Whether both may be frames of one shot."""
        return self.size == other.size and alike(self.pixels, other.pixels)


def numbered_sequences(jobs: Sequence[Job]) -> Sequences:
    """At least LEAST files in a folder, of one name but for consecutive last numbers; none too large for a film."""
    named: dict[tuple[Path, str, str], dict[int, Job]] = defaultdict(dict)
    for job in jobs:
        found = re.fullmatch(r"(.*?)(\d+)", job.source.stem) if job.source else None
        if job.source and found:
            named[job.source.parent, found[1], job.source.suffix][int(found[2])] = job
    sequences: Sequences = []
    for numbers in named.values():
        start: list[Job] = []
        for number in sorted(numbers):
            start = start if number - 1 in numbers else []
            if not start:
                sequences.append(start)
            start.append(numbers[number])
    return [each for each in sequences if len(each) >= LEAST and _is_film_sized(each[0])]


def folder_sequences(jobs: Sequence[Job]) -> Sequences:
    """All files of each folder, ordered by name, with numbers compared by value."""
    folders: dict[Path, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.source:
            folders[job.source.parent].append(job)
    return [sorted(each, key=lambda job: _in_order(str(job.source))) for each in folders.values()]


def find_shots(sequences: Sequences) -> Sequences:
    """The sequences, cut where a frame does not look like the one before or cannot be read, without single frames."""
    shots: Sequences = []
    pool = ThreadPoolExecutor(min(default_threads(), MAX_THREADS))
    try:
        for sequence in sequences:
            shots += _cut(sequence, list(pool.map(_look_at, sequence)))
    finally:
        pool.shutdown(cancel_futures=True)  # so that Ctrl-C does not wait for the rest
    return [shot for shot in shots if len(shot) > 1]


def _cut(sequence: Sequence[Frame], looks: Sequence[Look | None]) -> Iterator[list[Frame]]:
    shot = list(sequence[:1])
    for (before, look), job in zip(pairwise(looks), sequence[1:], strict=True):
        if before is None or look is None or not before.is_like(look):
            yield shot
            shot = []
        shot.append(job)
    yield shot


def _lengths(looks: Iterable[Look]) -> list[int]:
    """Lengths of the shots that pictures with these thumbnails form, in order."""
    lengths: list[int] = []
    before: Look | None = None
    for look in looks:
        if before is None or not before.is_like(look):
            lengths.append(0)
        lengths[-1] += 1
        before = look
    return lengths


def _look_at(job: Job) -> Look | None:
    photo = _read(job)
    return None if photo is None else _look(photo)


def _look(photo: Photo) -> Look:
    from ..photos.opencv import cv2

    small = cv2.resize(to_8bit(photo.pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return Look((photo.height, photo.width), np.atleast_3d(small) * np.ones(3, np.float32))


def _read(job: Job) -> Photo | None:
    try:
        return read_photo(job.source) if job.source else None
    except HfpieError:  # reported when the file is restored
        return None


def _is_film_sized(job: Job) -> bool:
    size = read_size(job.source) if job.source else None
    return size is not None and size.height * size.width <= LARGEST


def _in_order(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers by their value: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


@dataclass
class Averages:
    """What the frames of each shot share, measured when its first frame is restored."""

    restorer: Restorer
    """Measures the averages."""
    shots: Sequence[Sequence[Job]]
    """Jobs of each shot."""
    in_animations: bool = True
    """Whether the frames of one file share averages."""
    _number: dict[str, int] = field(default_factory=dict)  # of the shot, by the frame's name
    _known: dict[int, Shared | None] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._number.update({job.name: number for number, shot in enumerate(self.shots) for job in shot})

    def of(self, job: Job) -> Shared | None:
        """What a job's frame shares; None if it is not part of a shot."""
        number = self._number.get(job.name)
        if number is None:
            return None
        with self._lock:
            if number not in self._known:
                while len(self._known) >= KEPT:
                    del self._known[next(iter(self._known))]
                self._known[number] = self._measure(self.shots[number])
            return self._known[number]

    def sharing(self, job: Job, content: Content) -> Sharing:
        """What the pictures of a job's file share: with each other, or with other files of a shot."""
        if isinstance(content, Photo):
            return lambda start: iter([self.of(job)])
        return partial(self.within, partial(pictures_of, content))

    def within(self, read: Callable[[int], Iterator[Photo]], start: int = 0) -> Iterator[Shared | None]:
        """For each picture of a file after the first `start`; None for a picture that is a shot of its own.

        read: its pictures but the first few. They are read once to find the shots and again to measure each, so that
        only measured ones are in memory. A shot that is continued is measured as a whole.
        """
        if not self.in_animations:
            yield from repeat(None)
        lengths, before = _lengths(map(_look, read(0))), 0
        while lengths and before + lengths[0] <= start:
            before += lengths.pop(0)
        ahead = read(before)
        for length in lengths:
            sampled = _sampled(range(length))
            photos = [photo for index, photo in enumerate(islice(ahead, length)) if length > 1 and index in sampled]
            yield from repeat(self.restorer.share(photos) if photos else None, length - max(start - before, 0))
            before += length

    def _measure(self, shot: Sequence[Job]) -> Shared | None:
        """Measure a shot; the result does not depend on which of its frames are done."""
        photos = [photo for job in _sampled(shot) if (photo := _read(job))]
        return self.restorer.share(photos) if photos else None


def _sampled(shot: Sequence[Frame]) -> list[Frame]:
    """A few of its frames, from the first to the last."""
    return [shot[index] for index in np.unique(np.linspace(0, len(shot) - 1, SAMPLED).round().astype(int))]
