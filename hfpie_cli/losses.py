"""Training losses: scalars from a restored and a clean batch (n, 3, h, w), RGB in [0, 1]."""

from __future__ import annotations

from torch import Tensor


def pixel_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """L1: the mean absolute difference (paper 4.1)."""
    return (restored.float() - clean).abs().mean()
