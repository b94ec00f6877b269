"""Rules for `correct`: areas of an enlarged photograph keep its colour, and black and white get no tint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .bands import Grid, Rule

MIDTONES = (50 / 255, 210 / 255)  # values between black and white
FADE = 20 / 255  # from all to nothing beyond the mid-tones
POOLED = 4  # pixels a side that are averaged before a cell's noise is judged
SURE = (1.5, 3.0)  # standard errors of a cell's mean: noise up to the first, a tint from the second on
SPREAD = (6 / 255, 12 / 255)  # of a pixel's colours after the network: grey up to the first, coloured from the second
TINT = (1.5 / 255, 3 / 255)  # of a cell before the network: none up to the first, its own colour from the second on
EXTREME, LEAST_HEADROOM = 0.1, 0.05  # lines may get thicker while white paper stays white

Limits = tuple[float, float]  # what pixels are clipped to when they are written


def choose_rule(limits: Limits, *, enlarges: bool, keeps_grey: bool) -> Rule | None:
    """The rule for a restoration; None if the network decides alone. limits: range that pixels are clipped to."""
    if enlarges:
        return EnlargedMeans(limits)
    return UntintedGreys() if keeps_grey else None


@dataclass(frozen=True)
class EnlargedMeans:
    """For enlarged photographs: every cell keeps the mean of the bicubic enlargement, in each colour."""

    limits: Limits
    """Range that pixels are clipped to."""
    cell: int = 32
    """Side of a cell, pixels."""

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """(6, cells): by how much each cell is too dark in each colour, and the mean of its `headroom`."""
        degraded, restored = degraded.clamp(*self.limits), restored.clamp(*self.limits)
        sums = torch.cat([columns.sums(degraded) - columns.sums(restored), columns.sums(headroom(restored))])
        return sums / columns.sums(torch.ones(1, *restored.shape[1:]))

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """Corrections sharpened to compensate for the smoothing of linear interpolation, weighted by headroom."""
        missing = here[:3]
        down = 0.75 * missing + 0.125 * (above[:3] + below[:3])
        padded = torch.cat([down[:, :1], down, down[:, -1:]], 1)
        softer = 0.75 * down + 0.125 * (padded[:, 2:] + padded[:, :-2])
        return torch.stack([2 * missing - softer, here[3:]])

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """Brighten pixels by what they were too dark, most of all those far from black and white."""
        restored = restored.clamp(*self.limits)
        return torch.addcmul(restored, headroom(restored), field)


def headroom(picture: Tensor) -> Tensor:
    """How much pixels may change: 1, falling from EXTREME to LEAST_HEADROOM at black or white."""
    return torch.minimum(picture, 1 - picture).div_(EXTREME).clamp_(LEAST_HEADROOM, 1)


@dataclass(frozen=True)
class UntintedGreys:
    """For photographs that keep their size: grey that is nearly black or white gets no tint.

    Brightness stays the network's: noise that is clipped, or comes before a tone curve, shifts it, and rightly so. Only
    tints too strong to be the mean of the removed noise are corrected.
    """

    cell: int = 64
    """Side of a cell, pixels."""

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """(12, cells): for extreme greys in each colour, their count, how much tint is to be added, its square, and the
        tint of the degraded, which speaks against a correction.
        """
        before, after = (F.avg_pool2d(maps, POOLED, ceil_mode=True) for maps in (degraded, restored))
        tint = before - before.mean(0)
        missing = tint - (after - after.mean(0))
        count = extreme_greys(after).expand(3, -1, -1)
        return columns.sums(torch.cat([count, count * missing, count * missing**2, count * tint]), POOLED)

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """What is missing in each colour, as far as it is sure."""
        count, missing, squares, against = here.view(4, 3, -1)
        some = count.clamp(min=1e-9)
        mean, against = missing / some, against / some
        error = ((squares / some - mean**2).clamp(min=0) / count.clamp(min=1)).sqrt()
        sure = ((mean.abs() / error.clamp(min=1e-9) - SURE[0]) / (SURE[1] - SURE[0])).clamp(0, 1)
        grey = fading(against.abs().amax(0, keepdim=True), TINT)
        return torch.stack([count * mean * sure * grey, count])

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """Extreme greys without their tint, the rest as it is."""
        return torch.addcmul(restored, extreme_greys(restored), field)


def extreme_greys(picture: Tensor) -> Tensor:
    """(1, h, w): 1 where pixels are grey, nearly at least, and nearly black or white."""
    low, high = MIDTONES
    midtones = (torch.minimum(picture - low, high - picture) / FADE + 1).clamp_(0, 1)
    spread = picture.amax(0, keepdim=True) - picture.amin(0, keepdim=True)
    return fading(spread, SPREAD) * (1 - midtones.mean(0, keepdim=True))


def fading(values: Tensor, ends: tuple[float, float]) -> Tensor:
    """1 up to the first end, 0 from the second on, linear between."""
    return ((ends[1] - values) / (ends[1] - ends[0])).clamp(0, 1)
