"""The result of a Restorer: the restored photo and how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .invariants.span import Span
from .photos.photo import Photo
from .running import Forward

Progress = Callable[[int, int], None]  # (tiles done, tiles in all)


@dataclass(frozen=True)
class Outcome:
    """A restored photo and how it was made."""

    photo: Photo
    """The restored photo."""
    tile: int
    """Tile side used, input pixels."""
    overlap: int
    """Tile overlap used, input pixels."""
    tiles: int
    """Number of tiles."""
    halved: bool
    """Whether the device's memory forced smaller tiles."""
    doubled: bool
    """Whether smaller tiles failed in the network."""
    changed: bool
    """False if there was so little to restore that the photo was left unchanged."""
    noise: float | None
    """Noise level given to the network, as `Restorer` takes it; None for networks that take none."""
    input_megapixels: float
    """Size of the input."""


@dataclass(frozen=True)
class Shared:
    """What the tiles of a photo, or the frames of a shot, share to avoid flicker."""

    span: Span
    """Range of their values."""
    noise: float | None
    """As in Outcome."""
    forward: Forward
    """The network with their averages."""
