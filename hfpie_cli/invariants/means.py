"""Brightness and colour of areas are the photograph's own: what is kept of its local means, by rules for `correct`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .bands import Grid

MIDTONES = (50 / 255, 210 / 255)  # whose means are kept; noise that is clipped shifts those beyond, and rightly so
FADE = 20 / 255  # from all to nothing beyond the mid-tones
POOLED = 4  # pixels a side that are averaged before a cell's noise is judged
SURE = (1.5, 3.0)  # standard errors of a cell's mean: noise up to the first, a change of brightness from the second on
CLIPPED = (0.025, 0.075)  # share of a cell's pixels: up to the first its mean is kept, from the second on it is not
DRIFT = (0.05 / 255, 16 / 255)  # a change of brightness below is not worth it, one above is no drift: it is meant
EXTREME, LEAST_HEADROOM = 0.1, 0.05  # a line that is too thin is made thicker, its white paper stays white

Limits = tuple[float, float]  # what pixels are clipped to when they are written


@dataclass(frozen=True)
class EnlargedMeans:
    """Of enlarged photographs: every cell has the mean of the bicubic enlargement, in each colour."""

    limits: Limits
    cell: int = 32

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """(6, cells): how much too dark each cell is in each colour, and the mean of its `headroom`."""
        degraded, restored = degraded.clamp(*self.limits), restored.clamp(*self.limits)
        sums = torch.cat([columns.sums(degraded) - columns.sums(restored), columns.sums(headroom(restored))])
        return sums / columns.sums(torch.ones(1, *restored.shape[1:]))

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """(6, cells): sharper than the cells' means by as much as linear interpolation makes them softer; headroom."""
        missing = here[:3]
        down = 0.75 * missing + 0.125 * (above[:3] + below[:3])
        padded = torch.cat([down[:, :1], down, down[:, -1:]], 1)
        softer = 0.75 * down + 0.125 * (padded[:, 2:] + padded[:, :-2])
        return torch.cat([2 * missing - softer, here[3:]])

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """As much brighter as they were too dark, and those most that are far from black and white."""
        restored = restored.clamp(*self.limits)
        return torch.addcmul(restored, headroom(restored), field[:3] / field[3:])


def headroom(picture: Tensor) -> Tensor:
    """How freely pixels may be moved: 1, but less nearer than EXTREME to black or white, LEAST_HEADROOM there."""
    return torch.minimum(picture, 1 - picture).div_(EXTREME).clamp_(LEAST_HEADROOM, 1)


@dataclass(frozen=True)
class MidtoneMeans:
    """Of photographs that keep their size: mid-tones have the mean that they had in each cell, in each colour.

    Corrected is only what cannot be the mean of the noise that was removed.
    """

    limits: Limits
    cell: int = 64

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """(12, cells): of each colour the mid-tones' count, how much too dark, its square, and how many are clipped."""
        low, high = self.limits
        clipped = ((degraded <= low) | (degraded >= high)).float()
        before, after, clipped = (F.avg_pool2d(maps, POOLED, ceil_mode=True) for maps in (degraded, restored, clipped))
        weight = midtones(after)
        missing = weight * (before - after)
        return columns.sums(torch.cat([weight, missing, missing * (before - after), weight * clipped]), POOLED)

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """(6, cells): how much too dark the mid-tones of each colour are, times their count, and the count."""
        count, missing, squares, clipped = here.view(4, 3, -1)
        mean = missing / count.clamp(min=1e-9)
        error = ((squares / count.clamp(min=1e-9) - mean**2).clamp(min=0) / count.clamp(min=1)).sqrt()
        sure = ((mean.abs() / error.clamp(min=1e-9) - SURE[0]) / (SURE[1] - SURE[0])).clamp(0, 1)
        whole = ((CLIPPED[1] - clipped / count.clamp(min=1e-9)) / (CLIPPED[1] - CLIPPED[0])).clamp(0, 1)
        drifts = (mean.abs() > DRIFT[0]) & (mean.abs() < DRIFT[1])
        mean = torch.where(drifts, mean * sure * whole, 0)
        return torch.cat([count * mean, count])

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """Mid-tones as much brighter as they were too dark, the others less or not at all."""
        return torch.addcmul(restored, midtones(restored), field[:3] / field[3:].clamp(min=1e-3))


def midtones(picture: Tensor) -> Tensor:
    """1 where pixels are between the ends of MIDTONES, 0 beyond them by more than FADE, linear between."""
    low, high = MIDTONES
    return (torch.minimum(picture - low, high - picture) / FADE + 1).clamp_(0, 1)
