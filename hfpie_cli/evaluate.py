"""Scores of a Restorer over pairs of pictures, as the field reports them: per picture, then the mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from .data.benchmarks import Pair
from .metrics import PEAK, Samples, luma, psnr, shave, ssim, to_8bit_range
from .photo import FULL_SCALE, Photo
from .restore import resize

INPUT = "input"  # the row of the degraded pictures
METRICS = ("psnr", "ssim", "psnr_y", "ssim_y")  # RGB, then Matlab's Y channel

Restore = Callable[[Photo], Photo]


@dataclass(frozen=True)
class Scores:
    """One method's scores: a row of METRICS for each picture."""

    method: str
    pictures: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]

    def means(self) -> dict[str, float]:
        """The mean of each metric over the pictures."""
        return dict(zip(METRICS, np.nanmean(np.array(self.rows), 0).tolist(), strict=True))


def score(methods: dict[str, Restore], pairs: Iterable[Pair], *, border: int = 0) -> list[Scores]:
    """Score every method on every pair, `border` pixels shaved from each side.

    The first row is the degraded input itself, neither clipped nor rounded, where it has the size of the clean picture.
    """
    names: list[str] = []
    rows: dict[str, list[tuple[float, ...]]] = {method: [] for method in (INPUT, *methods)}
    for pair in pairs:
        names.append(pair.name)
        clean = shave(pair.clean.astype(np.float64), border)
        if pair.degraded.pixels.shape == pair.clean.shape:
            rows[INPUT].append(_row(shave(_as_given(pair.degraded), border), clean))
        for method, restore in methods.items():
            restored = shave(to_8bit_range(restore(pair.degraded).pixels), border)
            rows[method].append(_row(restored, clean))
    return [Scores(method, tuple(names), tuple(scored)) for method, scored in rows.items() if scored]


def _as_given(photo: Photo) -> Samples:
    return photo.pixels.astype(np.float64) * (PEAK / FULL_SCALE[photo.pixels.dtype.name])


def _row(restored: Samples, clean: Samples) -> tuple[float, ...]:
    y, clean_y = luma(restored), luma(clean)
    return psnr(restored, clean), ssim(restored, clean), psnr(y, clean_y), ssim(y, clean_y)


def enlarge_bicubic(photo: Photo, scale: int) -> Photo:
    """Bicubic enlargement, the first row of a super-resolution table."""
    return Photo(resize(photo.pixels, photo.height * scale, photo.width * scale))
