"""The discriminator of adversarial training (paper 4.2.3): tells restored from clean pictures, patch by patch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of the leaky ReLU


class Discriminator(nn.Module):
    """(n, 3, h, w) RGB in [0, 1], h and w multiples of 8 -> (n, 1, h / 8, w / 8) logits, positive for clean.

    A pixel-unshuffle by 2 first, which loses nothing and makes the large maps cheap; spectral norm on every layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = (12, width, 2 * width, 4 * width)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(sizes[i], sizes[i + 1], 4 if i else 3, stride=2 if i else 1, padding=1))
            for i in range(3)
        )
        self.output = spectral_norm(nn.Conv2d(sizes[-1], 1, 3, padding=1))

    def forward(self, picture: Tensor) -> Tensor:
        x = F.pixel_unshuffle(picture - 0.5, 2)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return self.output(x)
