"""OpenCV, imported only when needed: it takes as long to load as this whole package."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["cv2", "decode"]

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(data: bytes) -> NDArray[Any]:
    """The uint16 or float32 pixels of a file that OpenCV reads. Raises ValueError if decoding fails."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint16, np.float32):
        raise ValueError("its pixels cannot be decoded")
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return pixels
