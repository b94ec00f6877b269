"""The high-pass filtering network (paper section 3.3): three 5x5 convolutions that imitate an FFT high-pass filter.

Its first two layers are what the high-pass filtering loss compares (equation 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

KERNEL = 5


@dataclass(frozen=True)
class HighpassConfig:
    """The shape of the loss network. Raises ValueError for an impossible shape."""

    width: int = 32
    """Maps of the two hidden layers."""
    cutoff: float = 0.125
    """Radius of the frequencies removed, cycles per pixel, below 0.5."""

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 1 <= self.width <= 256:
            raise ValueError(f"width must be a whole number from 1 to 256, not {self.width!r}")
        if not isinstance(self.cutoff, float) or not 0 < self.cutoff < 0.5:
            raise ValueError(f"cutoff must be between 0 and 0.5 cycles per pixel, not {self.cutoff!r}")


class HighpassNetwork(nn.Module):
    """(n, 3, h, w) RGB in [0, 1] -> (n, 3, h, w), the picture without its low frequencies, around 0."""

    def __init__(self, config: HighpassConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (3, config.width, config.width, 3)
        self.layers = nn.ModuleList(
            nn.Conv2d(sizes[i], sizes[i + 1], KERNEL, padding=KERNEL // 2, padding_mode="replicate") for i in range(3)
        )

    def features(self, picture: Tensor) -> list[Tensor]:
        """The maps of layers 0 and 1 (n, width, h, w), after their activation."""
        first = self.layers[0](picture - 0.5).relu()
        return [first, self.layers[1](first).relu()]

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers[2](self.features(picture)[1])


def fft_highpass(picture: Tensor, cutoff: float) -> Tensor:
    """(n, c, h, w) without the frequencies inside an ideal disc of radius `cutoff`, cycles per pixel (figure 5)."""
    down = torch.fft.fftfreq(picture.shape[-2], device=picture.device)[:, None]
    across = torch.fft.rfftfreq(picture.shape[-1], device=picture.device)[None]
    kept = down**2 + across**2 >= cutoff**2
    return torch.fft.irfft2(torch.fft.rfft2(picture) * kept, s=picture.shape[-2:])
