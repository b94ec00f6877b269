"""The network of the first checkpoints, kept to run them; it is no longer trained.

Its bodies see nothing of the smaller scales, which join behind them, and its attention weighs raw averages: in the
checkpoints that ship, the bodies at 1/2 and 1/4 of the size do not reach the output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import FeatureAttention, ResidualChannelAttentionBlock, conv3x3
from .contract import Contract
from .network import LEVELS, Network, NetworkConfig
from .pooling import Pool


@dataclass(frozen=True)
class LegacyConfig:
    """The shape of such a network. Raises ValueError for an impossible shape."""

    width: int = 64
    """Maps at every scale."""
    blocks: tuple[int, int, int] = (4, 16, 64)
    """RCABs of each scale, largest scale first."""
    scale: int = 1
    """As in NetworkConfig."""
    unshuffle: int = 1
    """As in NetworkConfig."""
    tail: int = 0
    """NetworkConfig's `reconstruction`."""
    edges: bool = True
    """As in NetworkConfig."""
    feature_attention: bool = True
    """As in NetworkConfig."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if type(self.width) is not int or any(type(count) is not int or count < 1 for count in self.blocks):
            raise ValueError("width and blocks must be positive whole numbers")
        self.now()

    def now(self) -> NetworkConfig:
        """The corresponding configuration of today's network."""
        return NetworkConfig(
            widths=(self.width, self.width, self.width),
            bodies=self.blocks,
            tails=(0, 0, 0),
            scale=self.scale,
            unshuffle=self.unshuffle,
            reconstruction=self.tail,
            edges=self.edges,
            feature_attention=self.feature_attention,
        )


class RawFeatureAttention(FeatureAttention):
    """Feature attention on raw averages, without bounds for its scores."""

    def _normalised(self, pooled: Tensor) -> Tensor:
        return pooled

    def _bounded(self, scores: Tensor) -> Tensor:
        return scores


class LegacyNetwork(Network):
    """(n, 3, h, w) RGB around [0, 1] -> (n, 3, scale h, scale w), as Network."""

    def __init__(self, config: LegacyConfig) -> None:
        super().__init__(config.now())
        self.tails = nn.ModuleList(conv3x3(config.width, config.width) for _ in range(LEVELS))
        for module in self.modules():
            if isinstance(module, ResidualChannelAttentionBlock | FeatureAttention):
                module.slope = 0.0  # a plain ReLU

    @property
    def contract(self) -> Contract:
        return replace(super().contract, folds=False)

    def _join(self, features: int) -> nn.Module:
        return RawFeatureAttention(features) if self.config.feature_attention else super()._join(features)

    def _features(self, picture: Tensor, pool: Pool) -> Tensor:
        pictures = [picture]
        for _ in range(LEVELS - 1):
            pictures.append(F.avg_pool2d(pictures[-1], 2))
        low = [self.heads[i](F.pixel_unshuffle(p, self.config.unshuffle)) for i, p in enumerate(pictures)]
        for i in range(1, LEVELS):
            low[i] = self.enters[i - 1]([low[i], self.downs[i - 1](low[i - 1])], pool)
        high: Tensor | None = None
        for i in reversed(range(LEVELS)):
            maps = [self.bodies[i](low[i], pool), low[i]]
            if self.config.edges:
                maps.append(self.edges[i](pictures[i]))
            if high is not None:
                maps.append(self.ups[i](high))
            high = self.tails[i](self.leaves[i](maps, pool))
        assert high is not None
        return high
