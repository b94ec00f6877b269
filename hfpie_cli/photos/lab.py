"""CIE Lab as TIFF stores it, to sRGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

D50 = np.array([0.9642, 1.0, 0.8249])  # the white of Lab in files
FROM_D50 = np.array(  # XYZ under D50 to linear sRGB (Bradford)
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)
BAND = 1 << 20  # pixels at a time


def lab_to_srgb(pixels: NDArray[Any], *, signed: bool) -> NDArray[np.uint16]:
    """(h, w, 3) L, a, b of 8 or 16 bits to 16-bit sRGB; colours outside sRGB are clipped.

    signed: a and b are signed numbers (CIE Lab), else 128 of 255 is their zero (ICC Lab).
    """
    rows = max(1, BAND // pixels.shape[1])
    bands = [_convert(pixels[top : top + rows], signed=signed) for top in range(0, pixels.shape[0], rows)]
    return np.concatenate(bands)


def _convert(pixels: NDArray[Any], *, signed: bool) -> NDArray[np.uint16]:
    wide = pixels.dtype == np.uint16
    unit = 256 if wide else 1  # of a and b
    top = (65535 if signed else 0xFF00) if wide else 255
    lightness = pixels[..., 0] * (100 / top)
    if signed:
        signed_chroma: NDArray[Any] = np.ascontiguousarray(pixels[..., 1:]).view(np.int16 if wide else np.int8)
        chroma = signed_chroma / unit
    else:
        chroma = pixels[..., 1:] / unit - 128
    a, b = chroma[..., 0], chroma[..., 1]
    y = (lightness + 16) / 116
    cubes = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(cubes > 6 / 29, cubes**3, (cubes - 4 / 29) * (108 / 841)) * D50
    linear = (xyz @ FROM_D50.T).clip(0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(shown * 65535).astype(np.uint16)
