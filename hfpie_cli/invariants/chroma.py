"""Frames of films, in which FFmpeg repeats chroma: it is smoothed, before a network that enlarges draws its squares."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..photos.photo import FULL_SCALE, Pixels

SEEN = 1024  # pixels a side, about the middle, that are looked at
CHANGE = 2.0 / 255  # from pixel to pixel: beyond what rounding to 8 bits makes
FEW, MANY = 0.02, 0.03  # shares of neighbours that differ: within squares, and between them
SMALLEST = 16  # pixels a side from which squares can be told


def smooth_chroma(pixels: Pixels) -> Pixels:
    """Pixels (h, w, c) in which repeated chroma is linearly enlarged; luma stays. Others, themselves.

    FFmpeg writes frames so: 4:2:0 repeats 2 x 2 pixels from the upper left corner on, 4:2:2 two side by side. A picture
    that was enlarged as a whole by repeating pixels stays as it is.
    """
    height, width = pixels.shape[:2]
    if pixels.shape[2] != 3 or min(height, width) < SMALLEST:
        return pixels
    top, left = (max(side - SEEN, 0) // 4 * 2 for side in (height, width))
    repeated = _repeated(pixels[top : top + SEEN, left : left + SEEN])
    if not any(repeated):
        return pixels
    planes = _planes(cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE))
    size = planes.shape[1::-1]
    halved = size[0] // (1 + repeated[1]), size[1] // (1 + repeated[0])
    small = cv2.resize(planes[..., 1:], halved, interpolation=cv2.INTER_AREA)
    planes[..., 1:] = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    smooth = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB)[:height, :width]
    if pixels.dtype == np.float32:
        return np.asarray(smooth)
    return np.rint(smooth.clip(0, 1) * FULL_SCALE[pixels.dtype.name]).astype(pixels.dtype)


def _planes(pixels: Pixels) -> NDArray[np.float32]:
    """Luma and both chroma planes, (h, w, 3) float32; white is 1."""
    full = np.float32(FULL_SCALE[pixels.dtype.name])
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / full, cv2.COLOR_RGB2YCrCb), np.float32)


def _repeated(pixels: Pixels) -> tuple[bool, bool]:
    """Whether chroma, but not luma, is repeated in pairs (down, across). Clipped pixels, which differ, do not count."""
    planes = _planes(pixels)
    whole = (pixels.min(2) > 0) & (pixels.max(2) < FULL_SCALE[pixels.dtype.name])
    pairs = (_in_pairs(planes.swapaxes(0, axis), whole.swapaxes(0, axis)) for axis in (0, 1))
    return tuple(chroma and not luma for luma, chroma in pairs)  # type: ignore[return-value]


def _in_pairs(planes: NDArray[np.float32], whole: NDArray[np.bool_]) -> tuple[bool, bool]:
    """Whether (luma, chroma) changes between pairs of rows of (h, w, 3) planes, and hardly ever within them."""
    changes = np.abs(np.diff(planes, axis=0)) > CHANGE
    counted = whole[1:] & whole[:-1]
    within, between = (_shares(changes[start::2], counted[start::2]) for start in (0, 1))
    alike = (within < FEW) & (between > MANY) & (between > 10 * within)
    return bool(alike[0]), bool(alike[1])


def _shares(changes: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of changes in (luma, chroma) where they are counted."""
    return np.array([changes[counted, 0].mean(), changes[counted, 1:].any(1).mean()] if counted.any() else [1.0, 1.0])
