"""Converts a photo's arrays (h, w, c in the file's type) to network tensors (3, h, w, float32 in [0, 1]) and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .photos.photo import FULL_SCALE, Pixels


def to_tensor(pixels: Pixels) -> Tensor:
    """(h, w, 1 or 3) to (3, h, w): divided by the type's full scale, grey given to all three colours."""
    # a scalar division by the full scale, so that rounding back is exact at 16 bits too
    tensor = torch.from_numpy(pixels.astype(np.float32) / np.float32(FULL_SCALE[pixels.dtype.name])).permute(2, 0, 1)
    return tensor.expand(3, -1, -1)


def fill_rows(target: Pixels, top: int, rows: Tensor) -> None:
    """Write (3, h, w) tensor rows into (H, w, 1 or 3) pixels from row `top` on, rounded to the pixels' type.

    Grey is the mean of the three colours. Integers are clipped to their range; floats are not.
    """
    if target.shape[2] == 1:
        rows = rows.mean(0, keepdim=True)
    scaled = rows.permute(1, 2, 0).numpy()
    if target.dtype != np.float32:
        full = FULL_SCALE[target.dtype.name]
        scaled = np.rint((scaled * np.float32(full)).clip(0, full))
    target[top : top + rows.shape[1]] = scaled.astype(target.dtype)


def as_hwc(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """(h, w) or (h, w, c) to (h, w, c)."""
    return pixels[..., None] if pixels.ndim == 2 else pixels


@dataclass(frozen=True)
class Turn:
    """One of the 8 ways to turn and mirror a picture (n, c, h, w)."""

    quarters: int
    """Quarter turns."""
    flip: bool
    """Whether to mirror it afterwards."""

    def apply(self, picture: Tensor) -> Tensor:
        """Turn, then mirror."""
        turned = picture.rot90(self.quarters, (2, 3))
        return turned.flip(3) if self.flip else turned

    def undo(self, picture: Tensor) -> Tensor:
        """Back to how it was."""
        return (picture.flip(3) if self.flip else picture).rot90(-self.quarters, (2, 3))


AS_IT_IS = (Turn(0, False),)
ALL_TURNS = tuple(Turn(quarters, flip) for quarters in range(4) for flip in (False, True))
