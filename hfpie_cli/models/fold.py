"""Folds attention into convolutions: once a photograph's channel averages are known, all weights are constant.

    residual blocks   their gates go into the second convolution
    enters            both weights go into the convolutions that drew the maps
    leaves            edges and what comes up likewise; body and head maps, which others use too, keep a multiplication
    reconstruction    pixels repeated, then a 3x3 convolution: one 3x3 convolution, then a pixel shuffle

All of it is exact but for rounding. At reduced precision folding rounds less: maps are written once instead of twice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import SLOPE, FeatureAttention, PlainSum, ResidualChannelAttentionBlock
from .network import LEVELS, Network
from .pooling import Pool, pool_each


def fold(network: Network, averages: list[Tensor], dtype: torch.dtype = torch.float32) -> FoldedNetwork:
    """The network for the photograph whose averages a MeasuringPool remembers, with weights of type `dtype`.

    (n, 3, h, w) RGB around [0, 1] -> (n, 3, scale h, scale w), both float32 whatever `dtype`: what the network adds to
    the picture is of that type, the picture is not. For inference only. `network` stays as it is.
    """
    with torch.no_grad():
        folded, remembered = copy.deepcopy(network), iter(averages)
        for i in range(LEVELS):
            if i > 0:
                _fold_enter(folded, i, remembered)
            _fold_blocks(folded.bodies[i], remembered)
        for i in reversed(range(LEVELS)):
            _fold_leaf(folded, i, remembered)
            _fold_blocks(folded.tails[i], remembered)
        folded.output = _fold_reconstruction(folded.output)
    return FoldedNetwork(folded.to(dtype=dtype, memory_format=torch.channels_last)).eval()  # type: ignore[call-overload]


class FoldedNetwork(nn.Module):
    """A network whose attentions are constant."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        return self.network(picture)


class FoldedBlock(nn.Module):
    """A residual block whose gates are in its second convolution."""

    def __init__(self, block: ResidualChannelAttentionBlock) -> None:
        super().__init__()
        self.conv1, self.conv2 = block.conv1, block.conv2

    def forward(self, x: Tensor, pool: Pool) -> Tensor:
        return self.conv2(F.leaky_relu_(self.conv1(x), SLOPE)).add_(x)


class WeightedSum(nn.Module):
    """The sum of maps, of which the first two have weights (c,)."""

    body: Tensor
    head: Tensor

    def __init__(self, body: Tensor, head: Tensor) -> None:
        super().__init__()
        self.register_buffer("body", body[:, None, None])
        self.register_buffer("head", head[:, None, None])

    def forward(self, maps: list[Tensor], pool: Pool) -> Tensor:
        total = (maps[0] * self.body).addcmul_(maps[1], self.head)
        for m in maps[2:]:
            total += m
        return total


def _fold_blocks(blocks: nn.Module, averages: Iterator[Tensor]) -> None:
    assert isinstance(blocks, nn.ModuleList)
    for i, block in enumerate(blocks):
        assert isinstance(block, ResidualChannelAttentionBlock)
        # a one-pixel map is its own average
        _scale(block.conv2, block.weigh(next(averages), pool_each)[0, :, 0, 0])
        blocks[i] = FoldedBlock(block)


def _fold_enter(network: Network, level: int, averages: Iterator[Tensor]) -> None:
    enter = network.enters[level - 1]
    if isinstance(enter, FeatureAttention):
        head, down = _weights(enter, 2, averages)
        _scale(network.heads[level], head)
        _scale(network.downs[level - 1], down)
        network.enters[level - 1] = PlainSum()


def _fold_leaf(network: Network, level: int, averages: Iterator[Tensor]) -> None:
    leaf, edges, below = network.leaves[level], network.config.edges, level < LEVELS - 1
    if isinstance(leaf, FeatureAttention):
        weights = _weights(leaf, 2 + edges + below, averages)
        if edges:
            _scale(network.edges[level].get_submodule("mix"), weights[2])
        if below:  # PixelShuffle(2) makes one channel of four neighbours
            _scale(network.ups[level].get_submodule("0"), weights[-1].repeat_interleave(4))
        network.leaves[level] = WeightedSum(*weights[:2])


def _weights(attention: FeatureAttention, features: int, averages: Iterator[Tensor]) -> tuple[Tensor, ...]:
    """The weights (c,) of each of the maps."""
    weights = attention.weigh(list(islice(averages, features)), pool_each)
    return weights[0, :, 0, 0].unbind(-1)


def _scale(conv: nn.Module, gates: Tensor) -> None:
    """Multiply a convolution's output by (channels out,)."""
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    conv.weight.mul_(gates[:, None, None, None])
    conv.bias.mul_(gates)


def _fold_reconstruction(layers: nn.Sequential) -> nn.Sequential:
    """Each stage (repeat, convolve, leaky ReLU) as (convolve, leaky ReLU, pixel shuffle); the rest as it is."""
    folded: list[nn.Module] = []
    rest = iter(layers)
    for layer in rest:
        if isinstance(layer, nn.Upsample):
            conv, activation = next(rest), next(rest)
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(activation, nn.LeakyReLU)
            in_place = nn.LeakyReLU(activation.negative_slope, inplace=True)
            folded += [_before_shuffle(conv), in_place, nn.PixelShuffle(2)]
        else:
            folded.append(layer)
    return nn.Sequential(*folded)


def _before_shuffle(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution before a pixel shuffle that draws what `conv` draws on pixels that were repeated twice.

    Both pixels of a pair depend on at most three pairs: taps on one pair are added.
    """
    assert conv.bias is not None
    first = [[1.0, 0, 0], [0, 1, 1], [0, 0, 0]]  # which taps of the first pixel of a pair fall on the pair before, ...
    second = [[0.0, 0, 0], [1, 1, 0], [0, 0, 1]]
    taps = conv.weight.new_tensor([first, second])  # (pixel of the pair, pair, tap)
    weight = torch.einsum("pay,qbx,oiyx->opqiab", taps, taps, conv.weight)
    folded = nn.Conv2d(conv.in_channels, 4 * conv.out_channels, 3, padding=1, device=conv.weight.device)
    folded.weight.copy_(weight.reshape(folded.weight.shape))
    folded.bias.copy_(conv.bias.repeat_interleave(4))  # type: ignore[union-attr]
    return folded
