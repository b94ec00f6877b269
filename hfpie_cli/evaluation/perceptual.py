"""LPIPS (Zhang et al. 2018), by its authors' package, an optional extra."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..errors import UnavailableError
from ..photos.quality import PEAK
from ..tensors import to_tensor
from ..vision import import_beside_torchvision
from .metrics import Samples

BACKBONE = "alex"  # the usual backbone; the paper does not name its own
ONCE = "go online once so that torchvision can download them"


def load_lpips(*, offline: bool = False) -> Callable[[Samples, Samples], float]:
    """The distance of two RGB pictures (h, w, 3) in 0 to 255; downloads its backbone's weights unless `offline`.

    Raises UnavailableError if it is not available.
    """
    try:
        lpips = import_beside_torchvision("lpips")
    except (ImportError, RuntimeError) as error:
        raise UnavailableError(f"LPIPS skipped: {error}", "pip install 'hfpie[lpips]'") from None
    if offline and not _backbone().exists():
        raise UnavailableError("LPIPS skipped: its backbone's weights are not in the cache, and hfpie is offline", ONCE)
    try:
        with warnings.catch_warnings(action="ignore"):  # of torchvision, about how lpips calls it
            network = lpips.LPIPS(net=BACKBONE, verbose=False).eval()
    except (OSError, RuntimeError) as error:
        message = f"LPIPS skipped: cannot download its backbone's weights ({error})".splitlines()[0]
        raise UnavailableError(message, ONCE) from None

    @torch.inference_mode()
    def distance(restored: Samples, clean: Samples) -> float:
        return float(network(_tensor(restored), _tensor(clean)))

    return distance


def _backbone() -> Path:
    """Where torchvision keeps the weights of the backbone."""
    models = import_beside_torchvision("torchvision.models")
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(models.AlexNet_Weights.DEFAULT.url).name


def _tensor(picture: Samples) -> torch.Tensor:
    """(h, w, 3) in 0 to 255 -> (1, 3, h, w) in -1 to 1."""
    return to_tensor((picture / PEAK).astype(np.float32))[None] * 2 - 1
