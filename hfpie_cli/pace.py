"""How long a restoration takes on this machine, measured on two tiles."""

from __future__ import annotations

import time

import numpy as np

from .photos.photo import Photo
from .restore import Restorer
from .tiling import plan_tiles


def measure_pace(restorer: Restorer, rng: np.random.Generator, *, at_least: float = 0.0) -> float:
    """Seconds for a pixel that a tile covers, all turns of the ensemble included.

    at_least: seconds to measure for; two tiles are restored once before to warm up, then once or more often.
    """
    side = restorer.tile
    photo = Photo(rng.integers(0, 256, (side, 2 * side - restorer.overlap, 3), np.uint8))
    restorer.restore(photo)
    covered = covered_pixels(restorer, photo.height, photo.width)
    started, rounds = time.monotonic(), 0
    while rounds == 0 or time.monotonic() - started < at_least:
        restorer.restore(photo)
        rounds += 1
    return (time.monotonic() - started) / rounds / covered


def covered_pixels(restorer: Restorer, height: int, width: int) -> int:
    """The pixels of all tiles over a picture; those in overlaps count as often as they are restored."""
    plan = plan_tiles(height, width, tile=restorer.tile, overlap=restorer.overlap, stride=restorer.stride)
    return len(plan) * plan.rows.tile * plan.columns.tile
