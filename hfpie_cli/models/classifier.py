"""The first stages of EfficientNet-Lite0, a classifier of ImageNet, whose maps the perceptual loss compares.

After Tan and Le, "EfficientNet" (2019), in Google's "lite" variant. Each convolution has the batch normalisation
behind it folded in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB in [0, 1]
STEM = 32  # maps of the first convolution
STAGES = (  # blocks, kernel, stride of the first block, expansion, maps
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
)


class BlockShape(NamedTuple):
    """An inverted residual block."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    expansion: int

    @property
    def widened(self) -> int:
        """Its maps between the first and the last convolution."""
        return self.inputs * self.expansion


def _blocks() -> Iterator[BlockShape]:
    inputs = STEM
    for blocks, kernel, stride, expansion, outputs in STAGES:
        for number in range(blocks):
            yield BlockShape(inputs, outputs, kernel, stride if number == 0 else 1, expansion)
            inputs = outputs


BLOCKS = tuple(_blocks())
CHANNELS = tuple(shape.widened for shape in BLOCKS)  # of what the classifier returns; the first block does not widen


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does: at stride 2 one pixel less at the top and the left."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        return super().forward(F.pad(x, (before, after, before, after)))


class InvertedResidual(nn.Module):
    """Widen by 1x1, filter each map, narrow by 1x1; added to the input if the shapes agree.

    (n, inputs, h, w) -> (the activations of the widened maps, the output).
    """

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        inner = shape.widened
        self.expand = nn.Conv2d(shape.inputs, inner, 1) if shape.expansion > 1 else None
        self.depthwise = SameConv(inner, inner, shape.kernel, stride=shape.stride, groups=inner)
        self.project = nn.Conv2d(inner, shape.outputs, 1)
        self.adds = shape.stride == 1 and shape.inputs == shape.outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        narrowed: Tensor = self.project(F.relu6(self.depthwise(inner)))
        return inner, x + narrowed if self.adds else narrowed


class Classifier(nn.Module):
    """(n, 3, h, w) RGB in [0, 1] -> the activations of the stem and of every expansion, from 1/2 down to 1/16.

    They tell restored from clean pictures as other classifiers do; the narrow maps between the blocks do not, for they
    have few channels and no activation.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, values in (("mean", MEAN), ("deviation", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.stem = SameConv(3, STEM, 3, stride=2)
        self.blocks = nn.ModuleList(InvertedResidual(shape) for shape in BLOCKS[:-1])
        self.expand = nn.Conv2d(BLOCKS[-1].inputs, BLOCKS[-1].widened, 1)  # all that is looked at of the last block

    def forward(self, picture: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem((picture - self.mean) / self.deviation))
        maps = []
        for block in self.blocks:
            inner, x = block(x)
            maps.append(inner)
        return [*maps, F.relu6(self.expand(x))]
