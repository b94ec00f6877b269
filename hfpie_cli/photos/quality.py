"""PSNR, as training data, training and evaluation measure it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PEAK = 255.0


def psnr(picture: NDArray[Any], clean: NDArray[Any], *, peak: float = PEAK) -> float:
    """Peak signal-to-noise ratio in dB; infinity for equal pictures. peak: full scale of both.

    Raises ValueError for unequal shapes.
    """
    if picture.shape != clean.shape:
        raise ValueError(f"pictures of unequal shapes: {picture.shape} and {clean.shape}")
    error = float(np.square(picture - clean).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(peak**2 / error))
