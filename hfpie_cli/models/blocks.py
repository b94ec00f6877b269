"""The building blocks of the network: residual channel attention, feature attention, edge filtering.

Every module takes and gives maps of shape (n, c, h, w) in any float type.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .pooling import Pool

ATTENTION_REDUCTION = 16  # factor by which channel attention reduces the width, as in RCAN
TINY = 1e-6  # mean square below which channel averages count as zero
SCORE_BOUND = 1.0  # of feature attention: one map's weight is at most e^2 = 7.4 times another's
SLOPE = 0.1  # of every leaky ReLU: with plain ReLUs whole blocks and gates died
FEATURE_ATTENTION_HIDDEN = 8  # hidden maps of the convolution along the feature axis
RESIDUAL_INIT = 0.1  # scale of each residual branch's last convolution at the start
EDGE_KERNEL = 7  # side of the edge filters, pixels
EDGE_SIGMAS = (0.8, 1.2)  # scales of the Gaussian derivatives, pixels


def conv3x3(inputs: int, outputs: int, *, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size (or divides it by `stride`)."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


class ResidualChannelAttentionBlock(nn.Module):
    """RCAB of RCAN: two convolutions, with channels weighted by their averages, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = max(width // ATTENTION_REDUCTION, 1)
        self.conv1 = conv3x3(width, width)
        self.conv2 = conv3x3(width, width)
        self.squeeze = nn.Conv2d(width, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, width, 1)
        with torch.no_grad():
            self.conv2.weight.mul_(RESIDUAL_INIT)

    def forward(self, x: Tensor, pool: Pool) -> Tensor:
        residual = self.conv2(F.leaky_relu_(self.conv1(x), SLOPE))
        return torch.addcmul(x, residual, self.weigh(residual, pool))

    def weigh(self, residual: Tensor, pool: Pool) -> Tensor:
        """The gates of maps (n, c, h, w): (n, c, 1, 1) in [0, 1]."""
        squeezed = F.leaky_relu_(self.squeeze(pool(residual)), SLOPE)
        gates: Tensor = self.excite(squeezed).sigmoid()
        return gates


class Blocks(nn.ModuleList):
    """`count` RCABs in sequence; with 0 the identity."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__(ResidualChannelAttentionBlock(width) for _ in range(count))

    def forward(self, x: Tensor, pool: Pool) -> Tensor:
        for block in self:
            x = block(x, pool)
        return x


class FeatureAttention(nn.Module):
    """Weighted sum of k maps, with a weight for each channel of each map (paper 3.2, fig. 4).

    The maps' channel averages are stacked along a feature axis, padded and convolved along that axis, with one kernel
    for all channels. The kernel spans 2k - 1, so that each feature's weight depends on all features. The averages are
    first divided by their root mean square over maps and channels, and the scores are bounded: a map with a weight of
    zero would get no gradient and never recover, whether another has grown or it was of little use at first, as those
    of smaller scales are. The last convolution starts at zero, so that the module starts as a plain sum.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        kernel, padding = 2 * features - 1, features - 1
        self.conv1 = nn.Conv1d(1, FEATURE_ATTENTION_HIDDEN, kernel, padding=padding)
        self.conv2 = nn.Conv1d(FEATURE_ATTENTION_HIDDEN, 1, kernel, padding=padding)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, maps: list[Tensor], pool: Pool) -> Tensor:
        weights = self.weigh(maps, pool)
        total = maps[0] * weights[..., 0]
        for i in range(1, len(maps)):
            total = torch.addcmul(total, maps[i], weights[..., i])
        return total

    def weigh(self, maps: list[Tensor], pool: Pool) -> Tensor:
        """The weights of k maps (n, c, h, w): (n, c, 1, 1, k), k in sum, in the maps' type."""
        pooled = torch.stack([pool(m)[..., 0, 0] for m in maps], -1)  # (n, c, k)
        n, c, k = pooled.shape
        hidden = self.conv1(normalised(pooled, (1, 2)).reshape(n * c, 1, k))
        scores = self.conv2(F.leaky_relu_(hidden, SLOPE))
        bounded = SCORE_BOUND * (scores / SCORE_BOUND).tanh()
        return (k * bounded.softmax(-1)).reshape(n, c, 1, 1, k).to(maps[0].dtype)


def normalised(averages: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Channel averages divided by their root mean square over some axes."""
    exact = averages.float()
    return (exact / (exact.square().mean(axes, keepdim=True) + TINY).sqrt()).to(averages.dtype)


class PlainSum(nn.Module):
    """Replaces Feature Attention in the paper's ablation "w/o FeaAtt"."""

    def forward(self, maps: list[Tensor], pool: Pool) -> Tensor:
        total = maps[0]
        for m in maps[1:]:
            total = total + m
        return total


def edge_kernels() -> Tensor:
    """The predefined edge filters, (9, 7, 7): Sobel x and y, Laplacian, and Gaussian xx, xy, yy at two scales.

    Each has zero sum and unit L1 norm.
    """
    sobel_x = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    laplacian = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    kernels = [sobel_x, sobel_x.T, laplacian]
    radius = EDGE_KERNEL // 2
    at = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(at, at, indexing="ij")
    for sigma in EDGE_SIGMAS:
        gauss = torch.exp(-(x**2 + y**2) / (2 * sigma**2))
        kernels += [(x**2 / sigma**2 - 1) * gauss, x * y * gauss, (y**2 / sigma**2 - 1) * gauss]
    padded = [nn.functional.pad(k, [(EDGE_KERNEL - k.shape[-1]) // 2] * 4) for k in kernels]
    centred = [k - k.mean() if k.shape == kernels[-1].shape else k for k in padded]
    return torch.stack([k / k.abs().sum() for k in centred])


class MultiScaleEdgeFilter(nn.Module):
    """Edges of an RGB picture as `width` maps (paper 3.1): trainable filters, initialised with `edge_kernels`.

    At the start, every kernel filters each colour separately; a 1x1 convolution mixes the results to the width.
    `stride` gives maps of 1/stride the size.
    """

    def __init__(self, width: int, *, stride: int = 1) -> None:
        super().__init__()
        kernels = edge_kernels()
        self.filters = nn.Conv2d(3, 3 * len(kernels), EDGE_KERNEL, stride=stride, padding=EDGE_KERNEL // 2, bias=False)
        self.mix = nn.Conv2d(3 * len(kernels), width, 1)
        with torch.no_grad():
            self.filters.weight.zero_()
            for colour in range(3):
                start = colour * len(kernels)
                self.filters.weight[start : start + len(kernels), colour] = kernels

    def forward(self, picture: Tensor) -> Tensor:
        return self.mix(self.filters(picture))


class Upsample(nn.Sequential):
    """Pixel-shuffle to twice the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(conv3x3(inputs, 4 * outputs), nn.PixelShuffle(2))
