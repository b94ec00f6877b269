"""Local means of an enlarged photograph: areas keep their brightness and colour. A rule for `correct`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .bands import Grid

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
