"""What a Restorer gives: the restored photo and how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .invariants.span import Span
from .photos.photo import Photo
from .running import Forward

Progress = Callable[[int, int], None]  # (tiles done, tiles in all)


@dataclass(frozen=True)
class Outcome:
    """A restored photo and how it was made.

    halved: whether the device's memory forced smaller tiles. doubled: whether the network gave no picture of smaller
    ones. changed: False where the network found so little to do that the photo was left as it was. noise: what the
    network was told, as `Restorer` takes it; None for networks that take none. input_megapixels: of the photo that
    went in.
    """

    photo: Photo
    tile: int
    overlap: int
    tiles: int
    halved: bool
    doubled: bool
    changed: bool
    noise: float | None
    input_megapixels: float


@dataclass(frozen=True)
class Shared:
    """What the tiles of a photo share, or the frames of a shot, so that they do not flicker.

    span: of their values. noise: as Outcome has it. forward: the network with their averages.
    """

    span: Span
    noise: float | None
    forward: Forward
