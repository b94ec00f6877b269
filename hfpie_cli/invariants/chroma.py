"""Frames of films, in which FFmpeg repeats chroma: it is smoothed, before a network that enlarges draws its squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..photos.photo import FULL_SCALE, Pixels

BANDS, ROWS = 16, 8  # of a picture that are looked at, evenly spread, and the rows of each
CHANGE = 2.0 / 255  # from pixel to pixel: beyond what rounding to 8 bits makes
FEW, MANY = 0.02, 0.03  # shares of neighbours that differ: within squares, and between them
TO_CHROMA = np.array([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]], np.float32)  # as JPEG
SMALLEST = 16  # pixels a side from which squares can be told


def smooth_chroma(pixels: Pixels) -> Pixels:
    """Pixels (h, w, c) in which repeated chroma is linearly enlarged; luma stays. Others, themselves.

    FFmpeg writes frames so: 4:2:0 repeats 2 x 2 pixels from the upper left corner on, 4:2:2 two side by side. A picture
    that was enlarged as a whole by repeating pixels stays as it is.
    """
    height, width = pixels.shape[:2]
    if pixels.shape[2] != 3 or min(height, width) < SMALLEST:
        return pixels
    tops = np.linspace(0, height - ROWS, min(BANDS, height // ROWS)).astype(int) // 2 * 2
    repeated = _repeated(np.stack([pixels[top : top + ROWS] for top in tops]))
    if not any(repeated):
        return pixels
    import cv2  # few pictures need it

    planes = _planes(cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE))
    size = planes.shape[1::-1]
    halved = size[0] // (1 + repeated[1]), size[1] // (1 + repeated[0])
    small = cv2.resize(planes[..., 1:], halved, interpolation=cv2.INTER_AREA)
    planes[..., 1:] = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    smooth = np.asarray(planes[:height, :width] @ np.linalg.inv(TO_CHROMA).T, np.float32)
    if pixels.dtype == np.float32:
        return smooth
    return np.rint(smooth.clip(0, 1) * FULL_SCALE[pixels.dtype.name]).astype(pixels.dtype)


def _planes(pixels: Pixels) -> NDArray[np.float32]:
    """Luma and both chroma planes of RGB (..., 3), float32; white is 1."""
    full = np.float32(FULL_SCALE[pixels.dtype.name])
    return np.asarray(pixels.astype(np.float32) / full @ TO_CHROMA.T, np.float32)


def _repeated(bands: Pixels) -> tuple[bool, bool]:
    """Whether chroma, but not luma, of (bands, rows, w, 3) pixels is repeated in pairs (down, across).

    Clipped pixels, which differ, do not count.
    """
    planes = _planes(bands)
    whole = (bands.min(-1) > 0) & (bands.max(-1) < FULL_SCALE[bands.dtype.name])
    down, across = (_in_pairs(planes.swapaxes(0, axis), whole.swapaxes(0, axis)) for axis in (1, 2))
    return down, across


def _in_pairs(planes: NDArray[np.float32], whole: NDArray[np.bool_]) -> bool:
    """Whether chroma, but not luma, changes between pairs along the first axis, and hardly ever within them."""
    changes = np.abs(np.diff(planes, axis=0)) > CHANGE
    counted = whole[1:] & whole[:-1]
    within, between = (_shares(changes[start::2], counted[start::2]) for start in (0, 1))
    luma, chroma = (within < FEW) & (between > MANY) & (between > 10 * within)
    return bool(chroma and not luma)


def _shares(changes: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of changes in (luma, chroma) where they are counted."""
    return np.array([changes[counted, 0].mean(), changes[counted, 1:].any(1).mean()] if counted.any() else [1.0, 1.0])
