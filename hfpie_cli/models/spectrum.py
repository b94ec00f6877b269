"""The spectrum of a picture by frequency: lenses leave their zeros in it, noise its level, JPEG its cut."""

from __future__ import annotations

import torch
from torch import Tensor

BANDS = 32  # of the radial frequencies from 0 to 1/2 cycle a pixel
GRID = 128  # side of the Fourier transform, pixels: smaller pictures are padded, larger ones cut into squares of it
LEAST = 1e-6  # of the power: below that of 8-bit steps, where the spectrum of a drawing jumps, nothing is told apart
LUMA = (0.299, 0.587, 0.114)


def log_spectrum(pictures: Tensor) -> Tensor:
    """The logarithm of the mean power of pictures (n, 3, h, w) around [0, 1], luma, in BANDS radial bands: (BANDS,).

    Each square of at most GRID pixels a side less its mean, behind a Hann window. Computed on the CPU, where sums have
    one order: on a GPU it could differ from run to run.
    """
    grey = luma(pictures)
    height, width = (min(side, GRID) for side in grey.shape[1:])
    squares = grey.unfold(1, height, height).unfold(2, width, width).flatten(0, 2)
    window = torch.outer(torch.hann_window(height), torch.hann_window(width))
    still = (squares - squares.mean((1, 2), keepdim=True)) * window
    power = torch.fft.rfft2(still, s=(GRID, GRID)).abs().square().mean(0) / (height * width)
    radius = torch.hypot(torch.fft.fftfreq(GRID)[:, None], torch.fft.rfftfreq(GRID)[None])
    band = (radius * 2 * BANDS).long().clamp(max=BANDS).flatten()  # the corners beyond 1/2 are left out
    sums = torch.zeros(BANDS + 1).index_add_(0, band, power.flatten())
    return (sums / band.bincount(minlength=BANDS + 1) + LEAST).log()[:BANDS].to(pictures.device)


def luma(pictures: Tensor) -> Tensor:
    """The luma of pictures (n, 3, h, w), RGB: (n, h, w), float32, on the CPU, without gradient."""
    return (pictures.detach().float().cpu() * torch.tensor(LUMA)[:, None, None]).sum(1)
