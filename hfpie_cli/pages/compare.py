"""The page that compares versions of pictures: with a slider, side by side, and by their differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..photos.contents import read_first
from .matching import Match
from .page import write_page
from .scene import PAGE_BYTES, Room, Version


@dataclass(frozen=True)
class Compared:
    """A page that was written."""

    path: Path
    """The page."""
    pictures: int
    """Pictures on it."""
    left_out: int
    """Pictures that did not fit."""
    size: int
    """Bytes."""


def write_comparison(
    matches: Sequence[Match],
    names: Sequence[str],
    path: Path,
    *,
    room: int = PAGE_BYTES,
    watch: Callable[[Iterable[Match]], Iterable[Match]] = iter,
) -> Compared:
    """Write a page of pictures, whose files are versions with these names, with at most `room` characters of pictures.

    watch: passes the pictures on as they are processed. Raises HfpieError naming a file that cannot be read, UsageError
    for versions that do not fit together.
    """
    free, scenes = Room(room, len(matches)), []
    for match in watch(matches):
        photos = [Version(name, read_first(file)) for name, file in zip(names, match.files, strict=True)]
        scene = free.take(match.name, photos)
        if scene is None:
            break
        scenes.append(scene)
    if not scenes:
        raise UsageError(f"{path}: {room / 1e6:g} MB is too little for one picture", "raise --max-mb")
    left_out = len(matches) - len(scenes)
    size = write_page("compare.html", path, scenes=scenes, names=names, left_out=left_out)
    return Compared(path, len(scenes), left_out, size)
