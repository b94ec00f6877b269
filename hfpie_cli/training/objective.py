"""The objective of a training run: the loss of a step, and the score of a validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..device import Device
from ..evaluation.metrics import to_8bit_range
from ..models.classifier import Classifier
from ..models.highpass import HighpassConfig, HighpassNetwork, fft_highpass
from ..photos.photo import Pixels
from ..photos.quality import psnr
from ..tensors import to_tensor
from ..weights.checkpoint import load_checkpoint
from ..weights.perceptual import load_classifier
from ..weights.registry import resolve
from . import losses
from .losses import LossConfig

HIGHPASS_WEIGHTS = "compact.highpass"
HIGHPASS_BORDER = 8  # pixels not scored: the FFT wraps around there
SCORE_LIMIT = 45.0  # dB; invisible differences must not dominate the mean
CPU = Device(torch.device("cpu"), "fp32")


class Objective(Protocol):
    """A training loss, of a step counted from 0 (int64, no dimensions), and a validation score in dB."""

    def loss(self, restored: Tensor, clean: Tensor, step: Tensor) -> Tensor: ...

    def score(self, restored: Pixels, clean: Pixels) -> float: ...


@dataclass(frozen=True)
class View:
    """A batch as a discriminator sees it."""

    restored: Sequence[Tensor]
    """Tensors (n, ...) of the restored side."""
    clean: Sequence[Tensor]
    """Tensors (n, ...) of the clean side."""


class Restoration:
    """L1, high-pass and perceptual terms, with or without soft GMS masking; scored by RGB PSNR."""

    def __init__(self, config: LossConfig, device: Device = CPU) -> None:
        self.config = config
        self.device = device
        self.highpass: HighpassNetwork | None = None
        self.classifier: Classifier | None = None
        if config.highpass > 0:
            network = load_checkpoint(resolve(HIGHPASS_WEIGHTS).path).network()
            assert isinstance(network, HighpassNetwork)
            self.highpass = network.requires_grad_(False).to(  # type: ignore[call-overload]
                device.torch_device, memory_format=torch.channels_last
            )
        if max(config.perceptual, config.adversarial_maps) > 0:
            self.classifier = load_classifier().requires_grad_(False)
            self.classifier.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, restored: Tensor, clean: Tensor, step: Tensor) -> Tensor:
        """The weighted sum of the terms."""
        return self.compared(restored, clean, step)[0]

    def compared(self, restored: Tensor, clean: Tensor, step: Tensor) -> tuple[Tensor, dict[str, View]]:
        """(the loss, the views for discriminators: the `picture`, and a classifier's `maps` if one runs)."""
        config, compared, wanted = self.config, restored, clean
        if config.gms:
            mask = losses.soft_mask(restored, clean, config.gms_mask)
            compared, wanted = restored * mask, clean * mask
        total = config.pixel * losses.pixel_loss(compared, wanted)
        if config.psnr > 0:
            total = total + config.psnr * losses.psnr_loss(compared, wanted)
        if self.highpass is not None:
            with self.device.autocast():
                total = total + config.highpass * losses.highpass_loss(compared, wanted, self.highpass)
        restored, clean = shifted(restored, step), shifted(clean, step)
        views = {"picture": View([restored], [clean])}
        if self.classifier is not None:
            with self.device.autocast():
                views["maps"] = View(self.classifier(restored), self.classifier(clean))
            if config.perceptual > 0:
                maps = views["maps"]
                total = total + config.perceptual * losses.perceptual_loss(maps.restored, maps.clean)
        return total, views

    def score(self, restored: Pixels, clean: Pixels) -> float:
        """RGB PSNR of 8-bit pictures in dB, no border shaved, at most SCORE_LIMIT; (h, w, 3) each."""
        return min(psnr(to_8bit_range(restored), to_8bit_range(clean)), SCORE_LIMIT)


def shifted(picture: Tensor, step: Tensor) -> Tensor:
    """Cut at one of the 64 offsets in a grid of 8 pixels, another at every step.

    On a fixed grid the strided layers of a discriminator or a classifier teach a network patterns of the grid's period.
    """
    offset = 29 * step % 64
    for axis, start in ((2, offset // 8), (3, offset % 8)):
        length = (picture.shape[axis] - 8) // 8 * 8
        picture = picture.index_select(axis, start + torch.arange(length, device=picture.device))
    return picture


class HighpassExtraction:
    """Mean squared distance to the FFT high-pass of the clean picture; scored in dB above an output of zero."""

    def __init__(self, config: HighpassConfig) -> None:
        self.cutoff = config.cutoff

    def loss(self, restored: Tensor, clean: Tensor, step: Tensor) -> Tensor:
        """Mean squared difference."""
        return nn.functional.mse_loss(restored, fft_highpass(clean, self.cutoff))

    def score(self, restored: Pixels, clean: Pixels) -> float:
        """Energy of the target over that of the error, in dB; (h, w, 3) each, the border left out."""
        inner = (..., slice(HIGHPASS_BORDER, -HIGHPASS_BORDER), slice(HIGHPASS_BORDER, -HIGHPASS_BORDER))
        target = fft_highpass(to_tensor(clean)[None], self.cutoff)[0][inner]
        error = (to_tensor(restored)[inner] - target).square().mean()
        return float(10 * np.log10(float(target.square().mean() / error)))
