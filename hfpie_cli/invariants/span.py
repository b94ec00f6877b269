"""Photographs that use a small part of their range: stretched to the full range for the network, and back.

A dark sky in floats, or 10 bits of a camera in 16, differs by less than 1/255 from pixel to pixel. The networks were
trained on 8-bit pictures and cannot see such differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models.enlarging import enlarge
from ..photos.photo import FULL_SCALE, Pixels
from ..tiling import Process

RARE = 0.1  # percent of the pixels at either end that a span may exclude: stars, hot and dead pixels
MARGIN = 0.05  # share of the span, added at either end
WIDE = 0.5  # of full scale: a span of at least this is not stretched
NARROWEST = 1 / 1024  # of full scale: least span; otherwise a plain picture's noise would be stretched
SAMPLES = 1 << 18  # approximate number of pixels that a span is measured on


@dataclass(frozen=True)
class Span:
    """The range of values that is stretched to [0, 1] for the network, as parts of full scale."""

    low: float = 0.0
    """Seen as 0."""
    high: float = 1.0
    """Seen as 1."""

    @property
    def width(self) -> float:
        """Width of the span, as a part of full scale."""
        return self.high - self.low

    def stretch(self, picture: Tensor) -> Tensor:
        """Map this span to [0, 1]; values outside it fall outside [0, 1]."""
        return picture if self == FULL_SPAN else (picture - self.low) / self.width

    def bring_back(self, picture: Tensor) -> Tensor:
        """The inverse of `stretch`."""
        return picture if self == FULL_SPAN else picture * self.width + self.low

    def limits(self, pixels: Pixels) -> tuple[float, float]:
        """The stretched smallest and largest value of the type of `pixels`; infinite for floats."""
        if pixels.dtype == np.float32:
            return -np.inf, np.inf
        return -self.low / self.width, (1 - self.low) / self.width


FULL_SPAN = Span()


def find_span(pixels: Pixels) -> Span:
    """The span of (h, w, c) pixels of 16 bits or floats if it is narrow; full scale for any others.

    It holds all but the rarest pixels. An integer's span ends at 0 and at full scale, where noise is clipped.
    """
    if pixels.dtype == np.uint8:
        return FULL_SPAN
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / SAMPLES) ** 0.5))
    sample = pixels[::step, ::step].astype(np.float64) / FULL_SCALE[pixels.dtype.name]
    low, high = np.percentile(sample, [RARE, 100 - RARE])
    spare = max((NARROWEST - (high - low)) / 2, MARGIN * (high - low))
    low, high = low - spare, high + spare
    if pixels.dtype == np.uint16:
        low, high = max(low, 0.0), min(high, 1.0)
    if not 0 < high - low < WIDE:
        return FULL_SPAN
    return Span(float(low), float(high))


def joint_span(spans: Sequence[Span]) -> Span:
    """The span of pictures that share one: it covers all of theirs."""
    joint = Span(min(span.low for span in spans), max(span.high for span in spans))
    return joint if joint.width < WIDE else FULL_SPAN


def bounded(process: Process, scale: int) -> Process:
    """Apply the process within [0, 1]; values outside, such as a star's core, are enlarged and added unchanged."""

    def run(tiles: Tensor) -> Tensor:
        inside = tiles.clamp(0, 1)
        restored = process(inside)
        beyond = tiles - inside
        return torch.add(restored, enlarge(beyond, scale)) if beyond.any() else restored

    return run
