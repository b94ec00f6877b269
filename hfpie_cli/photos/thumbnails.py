"""Thumbnails, by which frames and photographs of one scene are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

SIDE = 16  # of a thumbnail, pixels
LIKE = 12  # mean difference of two thumbnails, of 255; consecutive frames have 5, photographs of a burst 15 and more


def alike(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether two thumbnails of one shape, 0 to 255, may show one scene."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean()) < LIKE
