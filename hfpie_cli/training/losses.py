"""Training losses: scalars from a restored and a clean batch (n, 3, h, w), RGB in [0, 1], float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.highpass import HighpassNetwork

PSNR_FLOOR = (0.5 / 255) ** 2  # about the squared error of rounding to 8 bits, below which nothing is gained
GMS_C = 170 / 255**2  # the paper's c = 170 for pixels in [0, 255]
PREWITT = torch.tensor([[1.0, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3


@dataclass(frozen=True)
class GmsMask:
    """Soft masking by gradient magnitude similarity (paper 3.4)."""

    threshold: float = 0.2
    """Above it a pixel counts as badly restored."""
    opening: int = 5
    """Side of the structuring element, pixels, odd."""
    sigma: float = 1.5
    """Sigma of the Gaussian that softens the mask, pixels."""
    rounds: int = 2
    """Rounds of blur and opening."""

    def __post_init__(self) -> None:
        if (
            not 0 < self.threshold < 1
            or self.sigma <= 0
            or self.rounds < 0
            or self.opening < 1
            or self.opening % 2 == 0
        ):
            raise ValueError("the GMS mask needs 0 < threshold < 1, sigma > 0, rounds >= 0, and an odd opening")


@dataclass(frozen=True)
class LossConfig:
    """The weights of the loss terms; a term of weight 0 is not computed."""

    pixel: float = 1.0
    """L1."""
    psnr: float = 0.0
    """PSNR of each picture."""
    highpass: float = 0.0
    """High-pass loss (3.2)."""
    perceptual: float = 0.0
    """Perceptual loss of a classifier's maps."""
    adversarial: float = 0.0
    """Loss of the discriminator of pictures."""
    adversarial_maps: float = 0.0
    """Loss of the discriminator of a classifier's maps."""
    gms: bool = False
    """Whether to mask the pixel, PSNR and high-pass terms (3.4)."""
    gms_mask: GmsMask = field(default_factory=GmsMask)
    """How to mask them."""
    discriminator_width: int = 48
    """Maps of a discriminator's first layer."""
    discriminator_rate: float = 2e-4
    """Learning rate of the discriminators."""

    def __post_init__(self) -> None:
        adversarial = (self.adversarial, self.adversarial_maps)
        weights = (self.pixel, self.psnr, self.highpass, self.perceptual, *adversarial)
        if min(weights) < 0 or max(weights) == 0:
            raise ValueError("loss weights must not be negative, and at least one must be positive")
        if self.discriminator_width < 1 or self.discriminator_rate <= 0:
            raise ValueError("the discriminator's width and rate must be positive")

    @property
    def is_adversarial(self) -> bool:
        """Whether a discriminator is trained."""
        return max(self.adversarial, self.adversarial_maps) > 0


def pixel_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """L1: the mean absolute difference (paper 4.1)."""
    return (restored - clean).abs().mean()


def psnr_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """Half the logarithm of each picture's mean squared error, averaged: its PSNR in nepers, lower for better.

    Errors count relative to the picture's own error, so that light degradations count as much as heavy ones.
    """
    errors = (restored - clean).square().mean((1, 2, 3))
    return (errors + PSNR_FLOOR).log().mean() / 2


def highpass_loss(restored: Tensor, clean: Tensor, network: HighpassNetwork) -> Tensor:
    """Mean absolute difference of the loss network's maps of layer 0 plus that of layer 1 (equation 1)."""
    with torch.no_grad():
        wanted = network.features(clean)
    seen = network.features(restored)
    return torch.stack([pixel_loss(a.float(), b.float()) for a, b in zip(seen, wanted, strict=True)]).sum()


def perceptual_loss(restored: Sequence[Tensor], clean: Sequence[Tensor]) -> Tensor:
    """Squared difference of a classifier's maps, each pixel's channels brought to length 1, summed over the layers.

    After Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018), unweighted.
    """
    layers = [
        (F.normalize(a.float()) - F.normalize(b.float())).square().sum(1).mean()
        for a, b in zip(restored, clean, strict=True)
    ]
    return torch.stack(layers).sum()


def gradient_magnitude(picture: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, 1, h, w): Prewitt gradients of the colours' mean (equation 2), border repeated."""
    grey = F.pad(picture.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(grey, _prewitt(grey.device, grey.dtype)).square().sum(1, keepdim=True).sqrt()


@lru_cache
def _prewitt(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Both filters, copied once: a CUDA graph cannot record a copy from the CPU."""
    return torch.stack([PREWITT, PREWITT.T])[:, None].to(device, dtype)


def gms_map(restored: Tensor, clean: Tensor) -> Tensor:
    """(n, 1, h, w) in [0, 1): 0 where the gradients agree, towards 1 where they differ (equation 3)."""
    a, b = gradient_magnitude(restored), gradient_magnitude(clean)
    return 1 - (2 * a * b + GMS_C) / (a.square() + b.square() + GMS_C)


def opening(mask: Tensor, side: int) -> Tensor:
    """Morphological opening, erosion then dilation by a square (equations 4 to 6), of masks in [0, 1]."""
    eroded = -F.max_pool2d(-mask, side, stride=1, padding=side // 2)
    return F.max_pool2d(eroded, side, stride=1, padding=side // 2)


def soft_mask(restored: Tensor, clean: Tensor, settings: GmsMask) -> Tensor:
    """(n, 1, h, w) in [0, 1], without gradient: 1 well inside badly restored regions, 0 far from them.

    First the well restored pixels are opened: a pixel that is right by chance inside a bad region counts as bad. Then
    alternate blur and opening soften the mask and remove bad specks in good regions.
    """
    with torch.no_grad():
        good = (gms_map(restored, clean) <= settings.threshold).to(restored.dtype)
        mask = 1 - opening(good, settings.opening)
        for _ in range(settings.rounds):
            mask = opening(gaussian_blur(mask, settings.sigma), settings.opening)
    return mask


def gaussian_blur(mask: Tensor, sigma: float) -> Tensor:
    """Isotropic Gaussian blur of (n, 1, h, w), border repeated."""
    radius = int(3 * sigma + 0.5)
    at = torch.arange(-radius, radius + 1, dtype=mask.dtype, device=mask.device)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(mask, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])


def generator_loss(judged_restored: Tensor) -> Tensor:
    """Non-saturating generator loss: mean softplus(-logit) of the restored pictures."""
    return F.softplus(-judged_restored).mean()


def discriminator_loss(judged_restored: Tensor, judged_clean: Tensor) -> Tensor:
    """Logistic discriminator loss of the logits of restored and clean pictures."""
    return (F.softplus(judged_restored).mean() + F.softplus(-judged_clean).mean()) / 2
