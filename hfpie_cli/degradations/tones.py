"""A camera's tone curve, between linear light and a picture's values."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .operations import Picture

GAMMA = 2.2
TONES = 4096  # samples of a tone curve


def to_linear(values: Picture, contrast: float = 0.0) -> Picture:
    """Linear light of values, both 0 to 1, before a tone curve: a gamma mixed with an S curve by `contrast`."""
    return _tone_curves(contrast)[1][np.rint(values.clip(0, 1) * np.float32(TONES - 1)).astype(np.uint16)]


def to_values(linear: Picture, contrast: float = 0.0) -> Picture:
    """The picture's values of linear light after that tone curve, clipped to 0 to 1."""
    return _tone_curves(contrast)[0][np.rint(np.sqrt(linear.clip(0, 1)) * np.float32(TONES - 1)).astype(np.uint16)]


@lru_cache(maxsize=64)
def _tone_curves(contrast: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(picture's values by the root of linear light, linear light by the picture's values), both 0 to 1 in TONES steps.

    A gamma of 2.2, mixed with an S (3 x^2 - 2 x^3 of it) by `contrast`. The root makes steps finer in the shadows.
    """
    at = np.linspace(0, 1, TONES)
    plain = at ** (2 / GAMMA)
    curve = (1 - contrast) * plain + contrast * (3 - 2 * plain) * plain**2
    return curve.astype(np.float32), np.square(np.interp(at, curve, at)).astype(np.float32)
