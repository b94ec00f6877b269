"""Picture quality: the difference of a restored picture from the clean one.

Arrays are RGB (h, w, 3) or one channel (h, w), in units of 0 to 255; SSIM and GMSD have no unit.
PSNR is in `photos/quality.py`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..photos.photo import FULL_SCALE, Pixels, to_8bit, to_16bit
from ..photos.quality import PEAK

Samples = NDArray[np.float64]

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # Wang et al. 2004
SSIM_C1, SSIM_C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
GMSD_C = 170.0  # Xue et al. 2014, as in the paper's equation 3
PREWITT = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]], np.float64) / 3
GREY = np.array([0.2989, 0.5870, 0.1140])  # Matlab's rgb2gray, which GMSD is defined on
LUMA = np.array([65.481, 128.553, 24.966]) / 255  # Matlab's rgb2ycbcr (BT.601): Y = 16 + LUMA . RGB, 16 to 235


def to_8bit_range(pixels: Pixels) -> Samples:
    """Pixels (uint8, uint16 or float32) as in an 8-bit file: clipped and rounded, float64."""
    return to_8bit(pixels).astype(np.float64)


def to_16bit_range(pixels: Pixels) -> Samples:
    """Pixels as in a 16-bit file, also in units of 0 to 255: 257 steps of 16 bits are one."""
    held = to_16bit(pixels) if pixels.dtype == np.float32 else pixels
    return held.astype(np.float64) * (PEAK / FULL_SCALE[held.dtype.name])


def luma(rgb: Samples) -> Samples:
    """Matlab's Y channel, (h, w, 3) to (h, w), not rounded."""
    return rgb @ LUMA + 16


def shave(picture: Samples, border: int) -> Samples:
    """Without `border` pixels on each side."""
    return picture[border : picture.shape[0] - border, border : picture.shape[1] - border]


def ssim(restored: Samples, clean: Samples) -> float:
    """Structural similarity: Gaussian window of 11 x 11, sigma 1.5, valid region only; mean over the channels.

    A side shorter than the window gives NaN. Raises ValueError for unequal shapes.
    """
    _check(restored, clean)
    if min(clean.shape[:2]) < SSIM_WINDOW:
        return float("nan")
    x, y = restored.reshape(*clean.shape[:2], -1), clean.reshape(*clean.shape[:2], -1)
    return float(np.mean([_ssim(x[..., c], y[..., c]) for c in range(x.shape[2])]))


def _ssim(x: Samples, y: Samples) -> float:
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    means = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    return float((means * (2 * covariance + SSIM_C2) / (variance_x + variance_y + SSIM_C2)).mean())


def _window(channel: Samples) -> Samples:
    kernel = cv2.getGaussianKernel(SSIM_WINDOW, SSIM_SIGMA)
    smooth = np.asarray(cv2.sepFilter2D(np.ascontiguousarray(channel), cv2.CV_64F, kernel, kernel), np.float64)
    return shave(smooth, SSIM_WINDOW // 2)


def gmsd(restored: Samples, clean: Samples) -> float:
    """Gradient magnitude similarity deviation (Xue et al. 2014): 0 for equal pictures, larger is worse.

    The grey pictures are halved by averaging, the gradients are Prewitt's, the map's standard deviation is the score.
    A side shorter than four pixels gives NaN. Raises ValueError for unequal shapes.
    """
    _check(restored, clean)
    if min(clean.shape[:2]) < 4:
        return float("nan")
    x, y = _gradient(_halved_grey(restored)), _gradient(_halved_grey(clean))
    similarity = (2 * x * y + GMSD_C) / (x**2 + y**2 + GMSD_C)
    return float(similarity.std(ddof=1))


def _halved_grey(picture: Samples) -> Samples:
    grey = picture @ GREY if picture.ndim == 3 else picture
    height, width = (n // 2 * 2 for n in grey.shape)
    return grey[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def _gradient(grey: Samples) -> Samples:
    across, down = (cv2.filter2D(grey, -1, kernel, borderType=cv2.BORDER_CONSTANT) for kernel in (PREWITT, PREWITT.T))
    return np.sqrt(np.asarray(across) ** 2 + np.asarray(down) ** 2)


def _check(restored: Samples, clean: Samples) -> None:
    if restored.shape != clean.shape:
        raise ValueError(f"pictures of unequal shapes: {restored.shape} and {clean.shape}")
