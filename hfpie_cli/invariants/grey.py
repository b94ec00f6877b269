"""Grey photographs, also those stored as RGB: they are restored as one channel and stay grey."""

from __future__ import annotations

import numpy as np

from ..photos.photo import Pixels

SPARSE = 16  # step of the rows checked first, to recognise colour photographs quickly


def is_grey(pixels: Pixels) -> bool:
    """Whether R = G = B in every one of (h, w, 1 or 3) pixels."""
    return all(_equal_channels(part) for part in (pixels[::SPARSE], pixels))


def _equal_channels(pixels: Pixels) -> bool:
    first = pixels[..., 0]
    return all(np.array_equal(first, pixels[..., i]) for i in range(1, pixels.shape[2]))
