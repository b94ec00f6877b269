"""The discriminator of adversarial training (paper 4.2.3): tells restored from clean pictures, patch by patch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of the leaky ReLU


class Discriminator(nn.Module):
    """(n, 3, h, w) RGB in [0, 1], h and w multiples of 8 -> (n, 1, h / 8, w / 8) logits, higher for clean.

    A pixel-unshuffle by 2 first, which loses nothing and makes the large maps cheap. Spectral norm holds the inner
    layers; the first and the last are free, or the logits could never be sure of anything.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(12, width, 3, padding=1)
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(4 * width, 4 * width, 3, padding=1)),
            ]
        )
        self.output = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        maps = F.leaky_relu(self.head(F.pixel_unshuffle(picture - 0.5, 2)), SLOPE)
        for layer in self.layers:
            maps = F.leaky_relu(layer(maps), SLOPE)
        with torch.autocast(maps.device.type, enabled=False):  # bfloat16 would round away what the logits differ by
            return self.output(maps.float())
