"""The spectra of a picture by frequency: lenses leave their zeros in luma, noise its level, JPEG its cut.

JPEG, WebP and films mostly have chroma of half the size: beyond a quarter of a cycle a pixel none is left. What
remains of noise that a camera smoothed lies in low frequencies of chroma.
"""

from __future__ import annotations

import torch
from torch import Tensor

BANDS = 32  # of luma, of the radial frequencies from 0 to 1/2 cycle a pixel
CHROMA_BANDS = 8
GRID = 128  # side of the Fourier transform, pixels: smaller pictures are padded, larger ones cut into squares of it
LEAST = 1e-6  # of the power: below that of 8-bit steps, where the spectrum of a drawing jumps, nothing is told apart
LUMA = (0.299, 0.587, 0.114)
CB, CR = 0.564, 0.713  # of blue and of red less luma, as in JPEG


def log_spectrum(pictures: Tensor) -> Tensor:
    """The logarithm of the mean power of luma of pictures (n, 3, h, w) around [0, 1], in BANDS radial bands: (BANDS,).

    Each square of at most GRID pixels a side less its mean, behind a Hann window. Computed on the CPU, where sums have
    one order: on a GPU it could differ from run to run.
    """
    return _log_power(luma(pictures), BANDS).to(pictures.device)


def log_chroma_spectrum(pictures: Tensor) -> Tensor:
    """As `log_spectrum`, of chroma (Cb and Cr of JPEG, together) in CHROMA_BANDS bands: (CHROMA_BANDS,).

    Grey pictures have log LEAST everywhere.
    """
    grey, exact = luma(pictures), pictures.detach().float().cpu()
    blue, red = (exact[:, 2] - grey) * CB, (exact[:, 0] - grey) * CR
    return _log_power(torch.cat([blue, red]), CHROMA_BANDS).to(pictures.device)


def _log_power(planes: Tensor, bands: int) -> Tensor:
    """The logarithm of the mean power of planes (n, h, w) in each radial band: (bands,)."""
    height, width = (min(side, GRID) for side in planes.shape[1:])
    squares = planes.unfold(1, height, height).unfold(2, width, width).flatten(0, 2)
    window = torch.outer(torch.hann_window(height), torch.hann_window(width))
    still = (squares - squares.mean((1, 2), keepdim=True)) * window
    power = torch.fft.rfft2(still, s=(GRID, GRID)).abs().square().mean(0) / (height * width)
    radius = torch.hypot(torch.fft.fftfreq(GRID)[:, None], torch.fft.rfftfreq(GRID)[None])
    band = (radius * 2 * bands).long().clamp(max=bands).flatten()  # the corners beyond 1/2 are left out
    sums = torch.zeros(bands + 1).index_add_(0, band, power.flatten())
    return (sums / band.bincount(minlength=bands + 1) + LEAST).log()[:bands]


def luma(pictures: Tensor) -> Tensor:
    """The luma of pictures (n, 3, h, w), RGB: (n, h, w), float32, on the CPU, without gradient."""
    return (pictures.detach().float().cpu() * torch.tensor(LUMA)[:, None, None]).sum(1)
