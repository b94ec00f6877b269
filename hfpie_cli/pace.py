"""How long a restoration takes on this machine, measured on one tile."""

from __future__ import annotations

import time

import numpy as np

from .photos.photo import Photo
from .restore import Restorer
from .tiling import plan_tiles

SIDE = 256  # pixels of the measured tile, at most: larger ones take as long per pixel


def measure_pace(restorer: Restorer, rng: np.random.Generator, *, at_least: float = 0.0) -> float:
    """Seconds per pixel that a tile covers, including all turns of the ensemble.

    at_least: seconds to measure for; the tile is restored once before to warm up, then once or more often.
    """
    side = max(min(restorer.tile, SIDE), restorer.contract.smallest)
    photo = Photo(rng.integers(0, 256, (side, side, 3), np.uint8))
    shared = restorer.share([photo])  # measured once a photograph, not once a tile
    restorer.restore(photo, shared=shared)
    started, rounds = time.monotonic(), 0
    while rounds == 0 or time.monotonic() - started < at_least:
        restorer.restore(photo, shared=shared)
        rounds += 1
    return (time.monotonic() - started) / rounds / side**2


def covered_pixels(restorer: Restorer, height: int, width: int) -> int:
    """The pixels of all tiles over a picture; those in overlaps count as often as they are restored."""
    plan = plan_tiles(height, width, tile=restorer.tile, overlap=restorer.overlap, stride=restorer.stride)
    return len(plan) * plan.rows.tile * plan.columns.tile
