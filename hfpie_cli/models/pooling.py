"""Global average pooling, and how all tiles of one photograph come to share it.

The attentions of the network weigh channels by their averages over the picture. Averages over single tiles would differ
from tile to tile, and with them the pixels: a piece of sky would be restored otherwise than the same sky with a tree
in the tile. So the averages are measured once, on a sample of the photograph, and used for every tile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Pool = Callable[[Tensor], Tensor]  # (n, c, h, w) -> channel averages (n or 1, c, 1, 1)


def pool_each(maps: Tensor) -> Tensor:
    """Every picture of the batch by itself."""
    averages: Tensor = _Mean.apply(maps)  # type: ignore[no-untyped-call]
    return averages


class _Mean(torch.autograd.Function):
    """The mean, whose gradient lies in memory as the maps do: torch's own is added to theirs eight times slower."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        ctx.shape = maps.shape
        return maps.mean((2, 3), keepdim=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        height, width = ctx.shape[2:]
        spread = (gradient / (height * width)).expand(ctx.shape)
        return spread.contiguous(memory_format=torch.channels_last)


class MeasuringPool:
    """Averages over the whole batch, taken for one picture, and remembers them in the order of the network's layers.

    (n, c, h, w) of any float type -> (1, c, 1, 1) float32.
    """

    def __init__(self) -> None:
        self.averages: list[Tensor] = []

    def __call__(self, maps: Tensor) -> Tensor:
        average = maps.mean((0, 2, 3), keepdim=True, dtype=torch.float32)
        self.averages.append(average)
        return average


class RecalledPool:
    """Gives the averages that a MeasuringPool remembers, layer by layer, whatever the maps; good for one forward."""

    def __init__(self, averages: list[Tensor]) -> None:
        self._averages = iter(averages)

    def __call__(self, maps: Tensor) -> Tensor:
        return next(self._averages).to(maps.dtype)
