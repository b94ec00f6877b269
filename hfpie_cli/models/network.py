"""The network of the paper (sections 3.1, 3.2, 3.5): one core for denoising, deblurring and super-resolution.

    picture -> 3 scales -> heads -> bodies (RCABs), down
                                      bodies, heads, edges -> feature attention -> tails (RCABs), up -> picture

Features go down by strided convolutions and come up by pixel shuffle. A tail works on what the smaller scales have
found, so that the full scale is restored with what is known of its surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Blocks, FeatureAttention, MultiScaleEdgeFilter, PlainSum, Upsample, conv3x3
from .contract import Contract, Restoring
from .enlarging import enlarge, phases
from .pooling import Pool, pool_each

LEVELS = 3  # scales of the input: 1, 1/2, 1/4
RECONSTRUCTION_SLOPE = 0.1  # of the leaky ReLU behind every stage of a staged reconstruction
INPUT_SHIFT = 0.5  # the mean of a picture in [0, 1], about


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network, kept in every checkpoint; the defaults are the paper's.

    Raises ValueError for an impossible shape.
    """

    widths: tuple[int, int, int] = (64, 64, 64)
    """Maps of each scale's layers, largest scale first."""
    bodies: tuple[int, int, int] = (4, 16, 64)
    """RCABs of each scale before the join with the smaller scale."""
    tails: tuple[int, int, int] = (1, 1, 0)
    """RCABs of each scale behind that join."""
    scale: int = 1
    """Enlargement: 1, 2 or 4."""
    unshuffle: int = 1
    """2 works at half the resolution (pixel-unshuffle before, pixel-shuffle after), 1 at the full one."""
    reconstruction: int = 0
    """Maps of the first stage of a reconstruction that doubles the size stage by stage, halving its maps; 0 for a
    single linear pixel-shuffle."""
    edges: bool = True
    """False is the paper's ablation "w/o Edge"."""
    feature_attention: bool = True
    """False is the paper's ablation "w/o FeaAtt"."""
    sample_side: int = 64
    """Side in pixels of the 16 squares of a photograph that the attentions' averages are measured on. Blur needs larger
    ones than noise."""

    def __post_init__(self) -> None:
        for name, (low, high) in {"widths": (1, 512), "bodies": (0, 256), "tails": (0, 256)}.items():
            values = getattr(self, name)
            whole = isinstance(values, tuple | list) and all(type(value) is int for value in values)
            if not whole or len(values) != LEVELS or not low <= min(values) <= max(values) <= high:
                raise ValueError(f"{name} must be {LEVELS} whole numbers from {low} to {high}, not {values!r}")
            object.__setattr__(self, name, tuple(values))
        limits = {"scale": (1, 4), "unshuffle": (1, 2), "reconstruction": (0, 512), "sample_side": (16, 1024)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        if self.scale == 3:
            raise ValueError("scale must be 1, 2 or 4")
        shuffle = self.scale * self.unshuffle
        if self.reconstruction % shuffle or (self.reconstruction and shuffle == 1):
            message = f"reconstruction must be 0, or a multiple of {shuffle} where it enlarges"
            raise ValueError(f"{message}, not {self.reconstruction}")
        if type(self.edges) is not bool or type(self.feature_attention) is not bool:
            raise ValueError("edges and feature_attention must be true or false")

    @property
    def shuffle(self) -> int:
        """The pixel-shuffle behind the last convolution; 1 is none."""
        return 1 if self.reconstruction else self.scale * self.unshuffle

    @property
    def stride(self) -> int:
        """The pixels that the network halves to one: tiles start at multiples of it."""
        return 2 ** (LEVELS - 1) * self.unshuffle


class Network(Restoring):
    """Restores a picture: (n, 3, h, w) RGB around [0, 1] -> (n, 3, scale h, scale w), not clamped, for any h and w.

    `pool` gives the channel averages that the attentions see: each picture's own, unless a caller has better ones.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths, unshuffle = config.widths, config.unshuffle
        self.heads = nn.ModuleList(conv3x3(3 * unshuffle**2, width) for width in widths)
        self.downs = nn.ModuleList(conv3x3(widths[i], widths[i + 1], stride=2) for i in range(LEVELS - 1))
        self.enters = nn.ModuleList(self._join(2) for _ in range(LEVELS - 1))
        self.bodies = nn.ModuleList(Blocks(*shape) for shape in zip(widths, config.bodies, strict=True))
        if config.edges:
            self.edges = nn.ModuleList(MultiScaleEdgeFilter(width, stride=unshuffle) for width in widths)
        self.leaves = nn.ModuleList(self._join(2 + config.edges + (i < LEVELS - 1)) for i in range(LEVELS))
        self.tails = nn.ModuleList(Blocks(*shape) for shape in zip(widths, config.tails, strict=True))
        self.ups = nn.ModuleList(Upsample(widths[i + 1], widths[i]) for i in range(LEVELS - 1))
        self.output = reconstruction(widths[0], unshuffle * config.scale, config.reconstruction)

    @property
    def contract(self) -> Contract:
        config = self.config
        return Contract(
            scale=config.scale,
            stride=config.stride,
            shares_averages=True,
            sample_side=config.sample_side,
            residual=True,
        )

    def _join(self, features: int) -> nn.Module:
        return FeatureAttention(features) if self.config.feature_attention else PlainSum()

    def forward(self, picture: Tensor, pool: Pool = pool_each) -> Tensor:
        height, width = picture.shape[-2:]
        padded = pad_to_multiple(picture, self.config.stride)
        shifted = (padded - INPUT_SHIFT).to(next(self.parameters()).dtype)
        drawn = self.output(self._features(shifted, pool))
        if self.config.shuffle == 1:
            restored = drawn + enlarge(padded, self.config.scale)
        else:
            restored = F.pixel_shuffle(self._base(padded).add_(drawn), self.config.shuffle)
        return restored[..., : height * self.config.scale, : width * self.config.scale]

    def _base(self, picture: Tensor) -> Tensor:
        """The picture itself, enlarged, before the last pixel-shuffle: a tensor of its own, to add to in place."""
        if self.config.scale == self.config.shuffle:
            return phases(picture, self.config.scale)
        return F.pixel_unshuffle(enlarge(picture, self.config.scale), self.config.shuffle)

    def _features(self, picture: Tensor, pool: Pool) -> Tensor:
        pictures = [picture]  # (n, 3, h, w) and its halves
        for _ in range(LEVELS - 1):
            pictures.append(F.avg_pool2d(pictures[-1], 2))
        low: list[Tensor] = []
        deep: list[Tensor] = []
        for i in range(LEVELS):
            features = self.heads[i](F.pixel_unshuffle(pictures[i], self.config.unshuffle))
            if i > 0:
                features = self.enters[i - 1]([features, self.downs[i - 1](deep[-1])], pool)
            low.append(features)
            deep.append(self.bodies[i](features, pool))
        high: Tensor | None = None
        for i in reversed(range(LEVELS)):
            maps = [deep[i], low[i]]
            if self.config.edges:
                maps.append(self.edges[i](pictures[i]))
            if high is not None:
                maps.append(self.ups[i](high))
            high = self.tails[i](self.leaves[i](maps, pool), pool)
        assert high is not None
        return high


def reconstruction(width: int, shuffle: int, staged: int) -> nn.Sequential:
    """Maps (n, width, h, w) to pixels by stages, (n, 3, shuffle h, shuffle w), or linearly to what a pixel-shuffle
    makes pixels of, (n, 3 shuffle^2, h, w); see NetworkConfig.

    A stage repeats each pixel, then convolves. A pixel-shuffle costs the same, but has a kernel for each
    place of its grid; where detail is invented, the grid shows (after Odena et al., "Deconvolution and checkerboard
    artifacts", 2016).
    """
    if staged == 0:
        return nn.Sequential(conv3x3(width, 3 * shuffle**2))
    layers: list[nn.Module] = []
    while shuffle > 1:
        repeated = nn.Upsample(scale_factor=2, mode="nearest")
        layers += [repeated, conv3x3(width, staged), nn.LeakyReLU(RECONSTRUCTION_SLOPE)]
        width, staged, shuffle = staged, staged // 2, shuffle // 2
    return nn.Sequential(*layers, conv3x3(width, 3))


def pad_to_multiple(picture: Tensor, multiple: int) -> Tensor:
    """Repeat the right and lower edge until both sides are multiples of `multiple`."""
    height, width = picture.shape[-2:]
    down, right = -height % multiple, -width % multiple
    return F.pad(picture, (0, right, 0, down), mode="replicate") if down or right else picture
