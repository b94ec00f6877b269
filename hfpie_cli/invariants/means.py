"""Areas keep the photograph's brightness and colour: rules for `correct` that restore its local means."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .bands import Grid

MIDTONES = (
    50 / 255,
    210 / 255,
)  # values whose means are kept; beyond them, removing clipped noise shifts the mean rightly
FADE = 20 / 255  # from all to nothing beyond the mid-tones
POOLED = 4  # pixels a side that are averaged before a cell's noise is judged
SURE = (1.5, 3.0)  # standard errors of a cell's mean: noise up to the first, a change of brightness from the second on
CLIPPED = (0.025, 0.075)  # share of a cell's pixels: up to the first its mean is kept, from the second on it is not
SPREAD = (6 / 255, 12 / 255)  # of a pixel's colours after the network: grey up to the first, coloured from the second
TINT = (1.5 / 255, 3 / 255)  # of a cell before the network: none up to the first, its own colour from the second on
LEAST_DRIFT = 0.05 / 255  # changes of brightness that are smaller are not worth correcting
INTENDED = (12 / 255, 16 / 255)  # changes of brightness: corrected up to the first, meant from the second on
EXTREME, LEAST_HEADROOM = 0.1, 0.05  # lines may get thicker while white paper stays white

Limits = tuple[float, float]  # what pixels are clipped to when they are written


@dataclass(frozen=True)
class EnlargedMeans:
    """For enlarged photographs: every cell keeps the mean of the bicubic enlargement, in each colour."""

    limits: Limits
    """Range that pixels are clipped to."""
    cell: int = 32
    """Side of a cell, pixels."""

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """(6, cells): how much too dark each cell is in each colour, and the mean of its `headroom`."""
        degraded, restored = degraded.clamp(*self.limits), restored.clamp(*self.limits)
        sums = torch.cat([columns.sums(degraded) - columns.sums(restored), columns.sums(headroom(restored))])
        return sums / columns.sums(torch.ones(1, *restored.shape[1:]))

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """Sharper than the cells' means by as much as linear interpolation makes them softer; counted by headroom."""
        missing = here[:3]
        down = 0.75 * missing + 0.125 * (above[:3] + below[:3])
        padded = torch.cat([down[:, :1], down, down[:, -1:]], 1)
        softer = 0.75 * down + 0.125 * (padded[:, 2:] + padded[:, :-2])
        return torch.stack([2 * missing - softer, here[3:]])

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """As much brighter as they were too dark, and those most that are far from black and white."""
        restored = restored.clamp(*self.limits)
        return torch.addcmul(restored, headroom(restored), field)


def headroom(picture: Tensor) -> Tensor:
    """How much pixels may change: 1, falling to LEAST_HEADROOM from EXTREME to black or white."""
    return torch.minimum(picture, 1 - picture).div_(EXTREME).clamp_(LEAST_HEADROOM, 1)


@dataclass(frozen=True)
class KeptMeans:
    """For photographs that keep their size: mid-tone cells keep their mean in each colour, and grey gets no tint.

    Grey that is nearly black or white, whose brightness the network may change, is corrected in its colour alone. Only
    differences too large to be the mean of the removed noise are corrected.
    """

    limits: Limits
    """Range that pixels are clipped to."""
    cell: int = 64
    """Side of a cell, pixels."""

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """(24, cells): for the mid-tones of each colour, then for the tint of extreme greys in each, their count, how
        much is missing, its square, and how much speaks against a correction: clipped pixels, a tint of the degraded.
        """
        low, high = self.limits
        clipped = ((degraded <= low) | (degraded >= high)).float()
        before, after, clipped = (F.avg_pool2d(maps, POOLED, ceil_mode=True) for maps in (degraded, restored, clipped))
        tint = before - before.mean(0)
        missing = torch.cat([before - after, tint - (after - after.mean(0))])
        count = torch.cat([midtones(after), extreme_greys(after).expand(3, -1, -1)])
        against = torch.cat([clipped, tint])
        maps = [count, count * missing, count * missing**2, count * against]
        return columns.sums(torch.cat(maps), POOLED)

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """What is missing in each colour of the mid-tones and of extreme greys, as far as it is sure."""
        count, missing, squares, against = here.view(4, 6, -1)
        some = count.clamp(min=1e-9)
        mean, against = missing / some, against / some
        error = ((squares / some - mean**2).clamp(min=0) / count.clamp(min=1)).sqrt()
        sure = ((mean.abs() / error.clamp(min=1e-9) - SURE[0]) / (SURE[1] - SURE[0])).clamp(0, 1)
        whole = fading(against[:3], CLIPPED)
        grey = fading(against[3:].abs().amax(0, keepdim=True), TINT).expand(3, -1)
        corrected = count * mean * sure * torch.cat([whole, grey]) * fading(mean.abs(), INTENDED)
        return torch.stack([torch.where(mean.abs() > LEAST_DRIFT, corrected, 0), count])

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """Mid-tones as much brighter as they were too dark, extreme greys without their tint, the rest as it is."""
        corrected = torch.addcmul(restored, midtones(restored), field[:3])
        return corrected.addcmul_(extreme_greys(restored), field[3:]) if field[3:].any() else corrected


def midtones(picture: Tensor) -> Tensor:
    """(3, h, w): 1 where values are between the ends of MIDTONES, 0 beyond them by more than FADE, linear between."""
    low, high = MIDTONES
    return (torch.minimum(picture - low, high - picture) / FADE + 1).clamp_(0, 1)


def extreme_greys(picture: Tensor) -> Tensor:
    """(1, h, w): 1 where pixels are grey, nearly at least, and no mid-tones."""
    spread = picture.amax(0, keepdim=True) - picture.amin(0, keepdim=True)
    return fading(spread, SPREAD) * (1 - midtones(picture).mean(0, keepdim=True))


def fading(values: Tensor, ends: tuple[float, float]) -> Tensor:
    """1 up to the first end, 0 from the second on, linear between."""
    return ((ends[1] - values) / (ends[1] - ends[0])).clamp(0, 1)
