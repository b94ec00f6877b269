"""The discriminators of adversarial training (paper 4.2.3): they tell restored from clean patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

DETAIL_GAIN = 8  # detail is 3 to 20 times weaker than the picture (median of 40 pictures: 7)
SLOPE = 0.2  # of the leaky ReLU


class Discriminator(nn.Module):
    """[(n, 3, h, w) RGB in [0, 1], h and w multiples of 8] -> [(n, 1, h / 8, w / 8) logits, higher for clean].

    Its input is the picture and, amplified by DETAIL_GAIN, the difference from its 3x3 mean: the detail that restored
    pictures lack, which it would otherwise be slow to notice. A lossless pixel-unshuffle by 2 comes first and makes the
    large maps cheap. The inner layers have spectral norm: without it, the network's gradient grows without bound and is
    noise. The first and the last layer do not, so that logits can be large.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(24, width, 3, padding=1)
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(4 * width, 4 * width, 3, padding=1)),
            ]
        )
        self.output = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        (picture,) = pictures
        detail = picture - F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        shown = torch.cat([picture - 0.5, DETAIL_GAIN * detail], 1)
        maps = F.leaky_relu(self.head(F.pixel_unshuffle(shown, 2)), SLOPE)
        for layer in self.layers:
            maps = F.leaky_relu(layer(maps), SLOPE)
        with torch.autocast(maps.device.type, enabled=False):  # bfloat16 would round away the differences of logits
            return [self.output(maps.float())]


class MapsDiscriminator(nn.Module):
    """A classifier's maps, (n, c, h, w) each -> (n, 1, h, w) logits of each, higher for clean.

    After Sauer et al., "Projected GANs converge faster" (2021): a trained classifier's features of texture need not be
    learnt again from pictures that change meanwhile. A small head judges each map.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(count, width, 1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(width, 1, 1),
            )
            for count in channels
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return [
            head(F.layer_norm(of_layer.float(), of_layer.shape[1:]))
            for head, of_layer in zip(self.heads, maps, strict=True)
        ]
