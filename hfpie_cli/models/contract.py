"""What a network states about itself, so that the code that runs it need not know its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

ALL_PRECISIONS = frozenset({"fp32", "bf16", "fp16"})


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What the rest of the package must know of a network (n, 3, h, w) -> (n, 3, scale h, scale w), RGB in [0, 1].

    Lengths are input pixels.
    """

    scale: int
    """Enlargement."""
    stride: int = 1
    """Tiles start at multiples of it, and their sides are multiples of it."""
    smallest: int = 1
    """Smallest side that it takes."""
    cuts: bool = True
    """Whether it may see a photograph in tiles; otherwise it sees all of it."""
    tile: int = 256
    """Tile side by default."""
    overlap: int = 32
    """Tile overlap by default."""
    shares_averages: bool = False
    """Whether it takes a `pool` (models/pooling.py), so that all tiles share one photograph's averages, and folds
    (models/fold.py) once they are known."""
    sample_side: int = 64
    """Side of the 16 squares of a photograph that these averages are measured on."""
    keeps_grey: bool = True
    """Whether black and white must get no tint, as its task does not change colours."""
    residual: bool = False
    """Whether it adds to its input, which stays at fp32."""
    precisions: frozenset[str] = ALL_PRECISIONS
    """Precisions that it runs at."""
    takes_noise: bool = False
    """Whether it takes the noise's standard deviation, `noise`, in [0, 1]."""


class Restoring(nn.Module):
    """A network that restores pictures as its contract states."""

    @property
    def contract(self) -> Contract:
        raise NotImplementedError

    def each(self) -> Sequence[Restoring]:
        """The networks of one set of weights that it consists of: itself, unless it has experts."""
        return [self]

    def mixed_for(self, sample: Tensor) -> Restoring:
        """The network for the photograph of which (n, 3, h, w) is a sample.

        A network with one set of weights returns itself.
        """
        return self


class UnsteadyError(Exception):
    """A network's output is so far outside [0, 1] that it is not a picture. low, high: its extreme values."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low, high)
        self.low, self.high = low, high
