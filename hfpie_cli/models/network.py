"""The network of the paper (sections 3.1, 3.2, 3.5): one core for denoising, deblurring and super-resolution.

    picture -> 3 scales -> heads -> bodies (RCABs) -> feature attention with heads and edges -> tails -> picture

Low-level features go down by strided convolutions, high-level features come up by pixel shuffle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import FeatureAttention, MultiScaleEdgeFilter, PlainSum, ResidualChannelAttentionBlock, Upsample, conv3x3
from .pooling import Pool, pool_each

LEVELS = 3  # scales of the input: 1, 1/2, 1/4
TAIL_SLOPE = 0.1  # of the leaky ReLU behind every stage of a tail
INPUT_SHIFT = 0.5  # the mean of a picture in [0, 1], about


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network; the defaults are the paper's. Kept in every checkpoint.

    width: maps of every layer. blocks: RCABs per scale, largest scale first. scale: enlargement, 1 or 2 or 4.
    unshuffle: 2 works at half the resolution (pixel-unshuffle before, pixel-shuffle after), 1 at the full one.
    tail: maps of the first stage of a tail that doubles the size stage by stage, half as many at each stage; 0 for one
    pixel-shuffle that draws the pixels by one linear map.
    edges, feature_attention: False gives the paper's ablations "w/o Edge" and "w/o FeaAtt".
    Raises ValueError for a shape that makes no sense.
    """

    width: int = 64
    blocks: tuple[int, int, int] = (4, 16, 64)
    scale: int = 1
    unshuffle: int = 1
    tail: int = 0
    edges: bool = True
    feature_attention: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        limits = {"width": (1, 512), "scale": (1, 4), "unshuffle": (1, 2), "tail": (0, 512)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        if len(self.blocks) != LEVELS or any(type(b) is not int or not 1 <= b <= 256 for b in self.blocks):
            raise ValueError(f"blocks must be {LEVELS} whole numbers from 1 to 256, not {self.blocks!r}")
        if self.scale == 3:
            raise ValueError("scale must be 1, 2 or 4")
        shuffle = self.scale * self.unshuffle
        if self.tail % shuffle or (self.tail and shuffle == 1):
            raise ValueError(f"tail must be 0, or a multiple of {shuffle} where it enlarges, not {self.tail}")
        if type(self.edges) is not bool or type(self.feature_attention) is not bool:
            raise ValueError("edges and feature_attention must be true or false")

    @property
    def stride(self) -> int:
        """The pixels that the network halves to one: tiles start at multiples of it."""
        return 2 ** (LEVELS - 1) * self.unshuffle


class Network(nn.Module):
    """Restores a picture: (n, 3, h, w) RGB around [0, 1] -> (n, 3, scale h, scale w), not clamped, for any h and w.

    `pool` gives the channel averages that the attentions see: each picture's own, unless a caller has better ones.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, unshuffle = config.width, config.unshuffle
        self.heads = nn.ModuleList(conv3x3(3 * unshuffle**2, width) for _ in range(LEVELS))
        self.downs = nn.ModuleList(conv3x3(width, width, stride=2) for _ in range(LEVELS - 1))
        self.enters = nn.ModuleList(self._joiner(2) for _ in range(LEVELS - 1))
        self.bodies = nn.ModuleList(
            nn.ModuleList(ResidualChannelAttentionBlock(width) for _ in range(count)) for count in config.blocks
        )
        if config.edges:
            self.edges = nn.ModuleList(MultiScaleEdgeFilter(width, stride=unshuffle) for _ in range(LEVELS))
        incoming = [2 + config.edges + (level < LEVELS - 1) for level in range(LEVELS)]
        self.leaves = nn.ModuleList(self._joiner(count) for count in incoming)
        self.tails = nn.ModuleList(conv3x3(width, width) for _ in range(LEVELS))
        self.ups = nn.ModuleList(Upsample(width) for _ in range(LEVELS - 1))
        self.output = reconstruction(width, unshuffle * config.scale, config.tail)

    def _joiner(self, features: int) -> nn.Module:
        return FeatureAttention(features) if self.config.feature_attention else PlainSum()

    def forward(self, picture: Tensor, pool: Pool = pool_each) -> Tensor:
        height, width = picture.shape[-2:]
        padded = pad_to_multiple(picture, self.config.stride)
        restored = self.output(self._features(padded - INPUT_SHIFT, pool)) + enlarge(padded, self.config.scale)
        return restored[..., : height * self.config.scale, : width * self.config.scale]

    def _features(self, picture: Tensor, pool: Pool) -> Tensor:
        pictures = [picture]  # (n, 3, h, w) and its halves
        for _ in range(LEVELS - 1):
            pictures.append(F.avg_pool2d(pictures[-1], 2))
        low = [self.heads[i](F.pixel_unshuffle(p, self.config.unshuffle)) for i, p in enumerate(pictures)]
        for i in range(1, LEVELS):
            low[i] = self.enters[i - 1]([low[i], self.downs[i - 1](low[i - 1])], pool)
        high: Tensor | None = None
        for i in reversed(range(LEVELS)):
            deep = low[i]
            for block in self.bodies[i].children():
                deep = block(deep, pool)
            maps = [deep, low[i]]
            if self.config.edges:
                maps.append(self.edges[i](pictures[i]))
            if high is not None:
                maps.append(self.ups[i](high))
            high = self.tails[i](self.leaves[i](maps, pool))
        assert high is not None
        return high


def enlarge(picture: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement, (n, 3, h, w) -> (n, 3, scale h, scale w); `antialias` selects Matlab's kernel (a = -0.5)."""
    return F.interpolate(picture, scale_factor=scale, mode="bicubic", antialias=True) if scale > 1 else picture


def reconstruction(width: int, shuffle: int, tail: int) -> nn.Sequential:
    """Maps (n, width, h, w) to pixels (n, 3, shuffle h, shuffle w), linearly or by a `tail` (see NetworkConfig).

    A stage of a tail repeats each pixel, then convolves. A pixel-shuffle costs the same, but has a kernel for each
    place of its grid; where detail is invented, the grid shows (after Odena et al., "Deconvolution and checkerboard
    artifacts", 2016).
    """
    if tail == 0:
        return nn.Sequential(conv3x3(width, 3 * shuffle**2), nn.PixelShuffle(shuffle))
    layers: list[nn.Module] = []
    while shuffle > 1:
        layers += [nn.Upsample(scale_factor=2, mode="nearest"), conv3x3(width, tail), nn.LeakyReLU(TAIL_SLOPE)]
        width, tail, shuffle = tail, tail // 2, shuffle // 2
    return nn.Sequential(*layers, conv3x3(width, 3))


def pad_to_multiple(picture: Tensor, multiple: int) -> Tensor:
    """Repeat the right and lower edge until both sides are multiples of `multiple`."""
    height, width = picture.shape[-2:]
    down, right = -height % multiple, -width % multiple
    return F.pad(picture, (0, right, 0, down), mode="replicate") if down or right else picture
