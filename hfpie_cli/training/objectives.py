"""What a training run pursues: the loss of a step, and the score of a validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..device import Device
from ..evaluation.metrics import psnr, to_8bit_range
from ..models.classifier import CHANNELS, Classifier
from ..models.discriminator import Discriminator, MapsDiscriminator
from ..models.highpass import HighpassConfig, HighpassNetwork, fft_highpass
from ..ranks import Ranks
from ..weights.checkpoint import load_checkpoint
from ..weights.classifier import load_classifier
from ..weights.table import resolve
from . import losses
from .losses import LossConfig

HIGHPASS_WEIGHTS = "compact.highpass"
HIGHPASS_BORDER = 8  # pixels not scored: the FFT wraps around there
SCORE_LIMIT = 45.0  # dB: nearer than that no one sees, and must not outweigh what one sees in the mean
CPU, ALONE = Device(torch.device("cpu"), "fp32"), Ranks()
DISCRIMINATOR_BETAS = (0.5, 0.99)


class Objective(Protocol):
    """A loss to train by, of a step counted from 0, and a score in dB to choose by."""

    def loss(self, restored: Tensor, clean: Tensor, step: int) -> Tensor: ...

    def score(self, restored: Tensor, clean: Tensor) -> float: ...


class Restoration:
    """L1, high-pass, perceptual and adversarial terms, with or without soft GMS masking; scored by RGB PSNR."""

    def __init__(self, config: LossConfig, device: Device = CPU, ranks: Ranks = ALONE) -> None:
        self.config = config
        self.device = device
        self.highpass: HighpassNetwork | None = None
        self.classifier: Classifier | None = None
        self.adversaries: dict[str, Adversary] = {}
        if config.highpass > 0:
            network = load_checkpoint(resolve(HIGHPASS_WEIGHTS).path).network()
            assert isinstance(network, HighpassNetwork)
            self.highpass = network.requires_grad_(False).to(  # type: ignore[call-overload]
                device.torch_device, memory_format=torch.channels_last
            )
        if max(config.perceptual, config.adversarial_maps) > 0:
            self.classifier = load_classifier().requires_grad_(False)
            self.classifier.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.adversarial > 0:
            discriminator: nn.Module = Discriminator(config.discriminator_width)
            self.adversaries["picture"] = Adversary(discriminator, config.discriminator_rate, device, ranks)
        if config.adversarial_maps > 0:
            discriminator = MapsDiscriminator(CHANNELS, config.discriminator_width)
            self.adversaries["maps"] = Adversary(discriminator, config.discriminator_rate, device, ranks)

    def loss(self, restored: Tensor, clean: Tensor, step: int) -> Tensor:
        """The weighted sum of the terms; trains the discriminators by the way."""
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
        views = {"picture": ([restored], [clean])}
        if self.classifier is not None:
            with self.device.autocast():
                maps, maps_clean = self.classifier(restored), self.classifier(clean)
            views["maps"] = (maps, maps_clean)
            if config.perceptual > 0:
                total = total + config.perceptual * losses.perceptual_loss(maps, maps_clean)
        weights = {"picture": config.adversarial, "maps": config.adversarial_maps}
        for view, adversary in self.adversaries.items():
            seen, real = views[view]
            adversary.learn(seen, real)
            total = total + weights[view] * adversary.judge(seen)
        return total

    def score(self, restored: Tensor, clean: Tensor) -> float:
        """RGB PSNR of 8-bit pictures in dB, no border shaved, at most SCORE_LIMIT; (3, h, w) each."""
        restored_pixels, clean_pixels = (side.permute(1, 2, 0).numpy() for side in (restored, clean))
        return min(psnr(to_8bit_range(restored_pixels), to_8bit_range(clean_pixels)), SCORE_LIMIT)


def shifted(picture: Tensor, step: int) -> Tensor:
    """Cut to one of the 64 places of a grid of 8 pixels, another at every step.

    On a fixed grid the strided layers of a discriminator or a classifier teach a network patterns of the grid's period.
    """
    top, left = divmod(29 * step % 64, 8)
    height, width = ((n - 8) // 8 * 8 for n in picture.shape[2:])
    return picture[..., top : top + height, left : left + width]


class Adversary:
    """A discriminator and its optimiser: what adversarial training adds to a step.

    network: a list of (n, ...) tensors, what it is shown of n pictures -> a list of (n, ...) logits.
    """

    def __init__(self, network: nn.Module, rate: float, device: Device, ranks: Ranks) -> None:
        self.device = device
        self.network = network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._trained = ranks.together(self.network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate, betas=DISCRIMINATOR_BETAS)

    def state(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def learn(self, restored: Sequence[Tensor], clean: Sequence[Tensor]) -> None:
        """One step of telling the two apart."""
        shown = [torch.cat([a.detach(), b]) for a, b in zip(restored, clean, strict=True)]
        with self.device.autocast():
            judged = self._trained(shown)
        loss = torch.stack([losses.discriminator_loss(*logits.float().chunk(2)) for logits in judged]).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def judge(self, restored: Sequence[Tensor]) -> Tensor:
        """The generator's adversarial loss; leaves no gradient in the discriminator."""
        self.network.requires_grad_(False)
        with self.device.autocast():
            judged = self.network(restored)
        self.network.requires_grad_(True)
        return torch.stack([losses.generator_loss(logits.float()) for logits in judged]).mean()


class HighpassExtraction:
    """Mean squared distance to the FFT high-pass of the clean picture; scored in dB above an output of zero."""

    def __init__(self, config: HighpassConfig) -> None:
        self.cutoff = config.cutoff

    def loss(self, restored: Tensor, clean: Tensor, step: int) -> Tensor:
        """Mean squared difference."""
        return nn.functional.mse_loss(restored, fft_highpass(clean, self.cutoff))

    def score(self, restored: Tensor, clean: Tensor) -> float:
        """Energy of the target over that of the error, in dB; (3, h, w) each, the border left out."""
        inner = (..., slice(HIGHPASS_BORDER, -HIGHPASS_BORDER), slice(HIGHPASS_BORDER, -HIGHPASS_BORDER))
        target = fft_highpass(clean[None], self.cutoff)[0][inner]
        error = (restored[inner] - target).square().mean()
        return float(10 * np.log10(float(target.square().mean() / error)))
