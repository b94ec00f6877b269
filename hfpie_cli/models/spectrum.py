"""The spectrum of a picture by frequency: lenses leave their zeros in it, noise its level, JPEG its cut."""

from __future__ import annotations

import torch
from torch import Tensor

BANDS = 32  # of the radial frequencies from 0 to 1/2 cycle a pixel
GRID = 128  # side of the Fourier transform, pixels: smaller squares are padded, larger ones cut
LEAST = 1e-6  # of the power: below that of 8-bit steps, where the spectrum of a drawing jumps, nothing is told apart
LUMA = (0.299, 0.587, 0.114)


def log_spectrum(squares: Tensor) -> Tensor:
    """The logarithm of the mean power of squares (n, 3, h, w) around [0, 1], luma, in BANDS radial bands: (BANDS,).

    Each square less its mean, behind a Hann window.
    """
    weights = torch.tensor(LUMA, device=squares.device)[:, None, None]
    luma = (squares[..., :GRID, :GRID].float() * weights).sum(1)
    height, width = luma.shape[1:]
    window = torch.outer(*(torch.hann_window(side, device=luma.device) for side in (height, width)))
    still = (luma - luma.mean((1, 2), keepdim=True)) * window
    power = torch.fft.rfft2(still, s=(GRID, GRID)).abs().square().mean(0) / (height * width)
    down = torch.fft.fftfreq(GRID, device=luma.device)[:, None]
    radius = torch.hypot(down, torch.fft.rfftfreq(GRID, device=luma.device)[None])
    band = (radius * 2 * BANDS).long().clamp(max=BANDS).flatten()  # the corners beyond 1/2 are left out
    sums = luma.new_zeros(BANDS + 1).index_add_(0, band, power.flatten())
    return (sums / band.bincount(minlength=BANDS + 1) + LEAST).log()[:BANDS]
