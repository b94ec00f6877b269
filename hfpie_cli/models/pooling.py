"""Global average pooling, and how all tiles of one photograph come to share it.

The attentions of the network weigh channels by their averages over the picture. Averages over single tiles would differ
from tile to tile, and with them the pixels: a piece of sky would be restored otherwise than the same sky with a tree
in the tile. So the averages are measured once, on a sample of the photograph, and used for every tile.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Pool = Callable[[Tensor], Tensor]  # (n, c, h, w) -> channel averages (n or 1, c, 1, 1)


def pool_each(maps: Tensor) -> Tensor:
    """Every picture of the batch by itself."""
    return maps.mean((2, 3), keepdim=True)


class MeasuringPool:
    """Averages over the whole batch, taken for one picture, and remembers them in the order of the network's layers."""

    def __init__(self) -> None:
        self.averages: list[Tensor] = []

    def __call__(self, maps: Tensor) -> Tensor:
        average = maps.mean((0, 2, 3), keepdim=True)
        self.averages.append(average)
        return average


class RecalledPool:
    """Gives the averages that a MeasuringPool remembers, layer by layer, whatever the maps; good for one forward."""

    def __init__(self, averages: list[Tensor]) -> None:
        self._averages = iter(averages)

    def __call__(self, maps: Tensor) -> Tensor:
        return next(self._averages).to(maps.dtype)
