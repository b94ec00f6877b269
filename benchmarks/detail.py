"""Measures fine detail and whether it is right: restored pictures against the originals, between 0.25 and 0.5 cycles
per pixel, on Y under a Hann window.

power: energy of the restored picture in that band over the original's; 1 is as much detail as there was.
coherence: magnitude-squared coherence of the two in that band; 1 is the same detail, 0 is noise.
distance: perceptual distance of the whole pictures (perceptual.py); 0 is the same picture.

    python -m benchmarks.detail RESTORED_DIR CLEAN_DIR      # the same file names but for suffixes such as _x4
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.perceptual import PerceptualDistance
from hfpie_cli.evaluation.metrics import luma
from hfpie_cli.photos.reader import read_photo

BAND = (0.25, 0.5)  # cycles per pixel


def band_spectrum(y: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The Fourier coefficients of (h, w) in the band."""
    window = np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))
    spectrum = np.fft.fft2((y - y.mean()) * window)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(y.shape[0]), np.fft.fftfreq(y.shape[1]), indexing="ij"))
    return spectrum[(frequency >= BAND[0]) & (frequency < BAND[1])]


def band(restored: NDArray[np.uint8], clean: NDArray[np.uint8]) -> tuple[float, float]:
    """(power, coherence) of two RGB pictures (h, w, 3), uint8, of one size."""
    a, b = (band_spectrum(luma(side.astype(np.float64))) for side in (restored, clean))
    energy_a, energy_b = float(np.vdot(a, a).real), float(np.vdot(b, b).real)
    return energy_a / energy_b, float(abs(np.vdot(a, b))) ** 2 / (energy_a * energy_b)


def main() -> None:
    restored, clean = map(Path, sys.argv[1:3])
    originals = {path.stem: path for path in sorted(clean.iterdir())}
    rows, distance = [], PerceptualDistance()
    for path in sorted(restored.glob("[!.]*")):  # hfpie keeps a hidden record of a folder beside its pictures
        original = next(originals[stem] for stem in originals if path.stem == stem or path.stem.startswith(f"{stem}_"))
        pair = [read_photo(side).pixels for side in (path, original)]
        height, width = (min(sizes) for sizes in zip(*(side.shape[:2] for side in pair), strict=True))
        a, b = (side[:height, :width] for side in pair)
        rows.append((*band(a, b), distance(a, b)))
        print(path.name, shown(rows[-1]))
    print(f"mean of {len(rows)}", shown(np.mean(rows, 0)))


def shown(row: Sequence[float]) -> str:
    return "power {:.3f} coherence {:.3f} distance {:.3f}".format(*row)


if __name__ == "__main__":
    main()
