"""Global average pooling, shared by all tiles of a photograph.

The attentions of the network weigh channels by their averages over the picture. Averages over single tiles would
differ, and with them the pixels: plain sky would be restored differently from the same sky with a tree in the tile. So
the averages are measured once, on a sample of the photograph, and used for every tile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SAMPLE_GRID = 4  # squares a side of the grid that a photograph's averages are measured on

Pool = Callable[[Tensor], Tensor]  # (n, c, h, w) -> channel averages (n or 1, c, 1, 1)


def pool_each(maps: Tensor) -> Tensor:
    """Average every picture of the batch separately."""
    averages: Tensor = _Mean.apply(maps)  # type: ignore[no-untyped-call]
    return averages


class _Mean(torch.autograd.Function):
    """The mean, with a gradient in the memory layout of the maps: adding torch's own is eight times slower."""

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
    """Averages over the whole batch, as if it were one picture, and stores them in the order of the network's layers.

    (n, c, h, w) of any float type -> (1, c, 1, 1) float32.
    """

    def __init__(self) -> None:
        self.averages: list[Tensor] = []

    def __call__(self, maps: Tensor) -> Tensor:
        average = maps.mean((0, 2, 3), keepdim=True, dtype=torch.float32)
        self.averages.append(average)
        return average


class RecalledPool:
    """Returns the averages of a MeasuringPool, layer by layer, whatever the maps; for a single forward pass."""

    def __init__(self, averages: list[Tensor]) -> None:
        self._averages = iter(averages)

    def __call__(self, maps: Tensor) -> Tensor:
        return next(self._averages).to(maps.dtype)
