"""Perceptual distance of two pictures by the features of SqueezeNet 1.1: lower is closer, 0 is the same picture.

In the manner of LPIPS (Zhang et al., CVPR 2018), without its learnt weights of channels: features of seven depths,
divided by their norm over the channels, squared difference, mean over space, sum over depths. Its values compare
with its own alone, not with those of `hfpie eval --lpips`. It judges adversarial networks, whose losses never see it.
The classifier's licence (MIT) stands in the metadata of squeezenet.safetensors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

WEIGHTS = Path(__file__).with_name("squeezenet.safetensors")
MEAN_BGR = (103.939, 116.779, 123.68)  # Caffe's, of 255
POOLED = (2, 4, 6)  # fire modules that a pooling goes before
COMPARED = (3, 5, 6, 7, 8, 9)  # fire modules whose maps are compared, beside those of the first convolution


class PerceptualDistance:
    """distance(restored, clean) of two pictures (h, w, 3), RGB, uint8, at least 64 pixels a side."""

    def __init__(self) -> None:
        self.weights = {name: values.float() for name, values in load_file(WEIGHTS).items()}

    def convolve(self, maps: Tensor, layer: str, *, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = (self.weights[f"{layer}.{part}"] for part in ("weight", "bias"))
        return F.relu(F.conv2d(maps, weight, bias, stride=stride, padding=padding))

    def fire(self, maps: Tensor, number: int) -> Tensor:
        squeezed = self.convolve(maps, f"fire{number}.squeeze1x1")
        point = self.convolve(squeezed, f"fire{number}.expand1x1")
        return torch.cat([point, self.convolve(squeezed, f"fire{number}.expand3x3", padding=1)], 1)

    def features(self, picture: NDArray[np.uint8]) -> list[Tensor]:
        """Seven maps (1, c, h, w) of unit norm over c."""
        bgr = torch.from_numpy(picture[..., ::-1].astype(np.float32)) - torch.tensor(MEAN_BGR)
        maps = self.convolve(bgr.permute(2, 0, 1)[None], "conv1", stride=2)
        taken = [maps]
        for module in range(2, 10):
            if module in POOLED:
                maps = F.max_pool2d(maps, 3, 2)
            maps = self.fire(maps, module)
            if module in COMPARED:
                taken.append(maps)
        return [one / (one.norm(dim=1, keepdim=True) + 1e-8) for one in taken]

    @torch.inference_mode()
    def __call__(self, restored: NDArray[np.uint8], clean: NDArray[np.uint8]) -> float:
        both = zip(self.features(restored), self.features(clean), strict=True)
        return sum(float((a - b).square().sum(1).mean()) for a, b in both)
