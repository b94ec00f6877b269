"""LPIPS (Zhang et al. 2018), by its authors' package, an optional extra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..errors import UnavailableError
from ..photos.quality import PEAK
from ..tensors import to_tensor
from ..vision import import_beside_torchvision
from .metrics import Samples

BACKBONE = "alex"  # the usual backbone; the paper does not name its own


def load_lpips() -> Callable[[Samples, Samples], float]:
    """The distance of two RGB pictures (h, w, 3) in 0 to 255. Raises UnavailableError if it is not available."""
    try:
        lpips = import_beside_torchvision("lpips")
    except (ImportError, RuntimeError) as error:
        raise UnavailableError(f"LPIPS skipped: {error}", "pip install 'hfpie[lpips]'") from None
    try:
        network = lpips.LPIPS(net=BACKBONE, verbose=False).eval()
    except (OSError, RuntimeError) as error:
        message = f"LPIPS skipped: cannot download its backbone's weights ({error})".splitlines()[0]
        raise UnavailableError(message, "go online once so that torchvision can download them") from None

    @torch.inference_mode()
    def distance(restored: Samples, clean: Samples) -> float:
        return float(network(_tensor(restored), _tensor(clean)))

    return distance


def _tensor(picture: Samples) -> torch.Tensor:
    """(h, w, 3) in 0 to 255 -> (1, 3, h, w) in -1 to 1."""
    return to_tensor((picture / PEAK).astype(np.float32))[None] * 2 - 1
