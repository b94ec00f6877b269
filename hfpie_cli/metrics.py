"""Picture quality: how far a restored picture is from the clean one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def psnr(restored: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio in dB, of arrays of one shape in [0, 1], the restored one rounded to 8 bits."""
    difference = np.rint(restored.clip(0, 1) * np.float64(255)) - clean * np.float64(255)
    return float(10 * np.log10(255**2 / max((difference**2).mean(), 1e-10)))
