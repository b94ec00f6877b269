"""What a network says of itself, so that whoever runs it need not know which one it is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

ALL_PRECISIONS = frozenset({"fp32", "bf16", "fp16"})


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What holds for (n, 3, h, w) RGB in [0, 1] -> (n, 3, scale h, scale w). Lengths are input pixels.

    stride: tiles start at multiples of it, and their sides are multiples of it. smallest: the least side it takes.
    cuts: whether it may see a photograph in tiles; if not, it sees all of it. tile, overlap: what suits it where
    nobody says otherwise. shares_averages: it takes a `pool` (models/pooling.py), so that all tiles have one
    photograph's averages. folds: with these it folds (models/fold.py). keeps_means: local brightness is to stay, as
    its task does not change it. residual: it adds to its input, which stays at fp32. precisions: those it bears.
    takes_noise: it takes the noise's standard deviation, `noise`, in [0, 1].
    """

    scale: int
    stride: int = 1
    smallest: int = 1
    cuts: bool = True
    tile: int = 256
    overlap: int = 32
    shares_averages: bool = False
    folds: bool = False
    keeps_means: bool = True
    residual: bool = False
    precisions: frozenset[str] = ALL_PRECISIONS
    takes_noise: bool = False


class Restoring(nn.Module):
    """A network that restores pictures as its contract says."""

    @property
    def contract(self) -> Contract:
        raise NotImplementedError


class UnsteadyError(Exception):
    """What a network gave lies so far outside [0, 1] that it is no picture. low, high: its least and greatest value."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low, high)
        self.low, self.high = low, high
