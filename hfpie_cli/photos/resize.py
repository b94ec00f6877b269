"""Photographs at another size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .photo import Pixels


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Antialiased bicubic resizing of (h, w, c) pixels of any type, integers clipped to the type's range."""
    from .opencv import cv2

    size, bicubic = (width, height), Image.Resampling.BICUBIC
    if pixels.dtype == np.uint8:
        planes = [np.asarray(Image.fromarray(plane).resize(size, bicubic)) for plane in cv2.split(pixels)]
        return np.stack(planes, -1)
    planes = [np.asarray(Image.fromarray(p.astype(np.float32)).resize(size, bicubic)) for p in cv2.split(pixels)]
    top = 65535 if pixels.dtype == np.uint16 else np.inf
    planes = [np.rint(p).clip(0, top) if pixels.dtype == np.uint16 else p for p in planes]
    return np.stack(planes, -1).astype(pixels.dtype)
