"""Whether a network changed anything: the difference between its output and the photograph."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..photos.photo import FULL_SCALE, Pixels
from .bands import Grid

CELL = 64  # side of the cells, pixels
SLIGHT, SLIGHT_IN_CELL = 0.5, 1.0  # of 255; clean photographs have 0.36 and 0.76, noise of sigma 2 at least 0.63


@dataclass(frozen=True)
class Change:
    """Root mean square of the difference, in units of 1/255."""

    whole: float
    """Over the whole picture."""
    cell: float
    """Over the cell that changed most."""

    @property
    def slight(self) -> bool:
        """Whether the change is as small as on a clean photograph; one repaired dead pixel is larger."""
        return self.whole < SLIGHT and self.cell < SLIGHT_IN_CELL


def measure_change(before: Pixels, after: Pixels, span: float = 1.0) -> Change:
    """The change between two arrays (h, w, c) of one shape and type; a `span` of full scale counts as 255."""
    height, width, channels = before.shape
    down, across = Grid(height, CELL).edges, Grid(width, CELL).edges
    sums = np.empty((len(down) - 1, len(across) - 1))
    for row, (top, bottom) in enumerate(pairwise(down)):
        difference = np.subtract(after[top:bottom], before[top:bottom], dtype=np.float32)
        squares = np.square(difference, out=difference).sum((0, 2), dtype=np.float64)
        sums[row] = np.add.reduceat(squares, across[:-1])
    areas = np.outer(np.diff(down), np.diff(across))
    unit = FULL_SCALE[before.dtype.name] * span / 255
    whole, cell = sums.sum() / areas.sum(), (sums / areas).max()
    return Change(float((whole / channels) ** 0.5 / unit), float((cell / channels) ** 0.5 / unit))
