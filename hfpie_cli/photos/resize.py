"""Photographs at another size: the one resizer of the package, apart from the filters that degradations imitate."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .photo import Pixels


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Antialiased bicubic resizing of (h, w, c) pixels of any type, integers clipped to the type's range.

    Pixels of this size already are returned as they are.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = np.empty((height, width, pixels.shape[2]), pixels.dtype)
    for i in range(pixels.shape[2]):
        resized[..., i] = _resized_plane(pixels[..., i], (width, height))
    return resized


def _resized_plane(plane: Pixels, size: tuple[int, int]) -> Pixels:
    bicubic = Image.Resampling.BICUBIC
    if plane.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, bicubic))
    exact = np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, bicubic))
    return np.rint(exact).clip(0, 65535) if plane.dtype == np.uint16 else exact
