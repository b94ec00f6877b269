"""Measures fine detail and whether it is right: restored pictures against the originals, between 0.25 and 0.5 cycles
per pixel, on Y under a Hann window.

power: energy of the restored picture in that band over the original's; 1 is as much detail as there was.
coherence: magnitude-squared coherence of the two in that band; 1 is the same detail, 0 is noise.

    python benchmarks/detail.py RESTORED_DIR CLEAN_DIR      # the same file names but for suffixes such as _x4
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hfpie_cli.evaluation.metrics import luma
from hfpie_cli.photos.reader import read_photo

BAND = (0.25, 0.5)  # cycles per pixel


def band_spectrum(y: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The Fourier coefficients of (h, w) in the band."""
    window = np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))
    spectrum = np.fft.fft2((y - y.mean()) * window)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(y.shape[0]), np.fft.fftfreq(y.shape[1]), indexing="ij"))
    return spectrum[(frequency >= BAND[0]) & (frequency < BAND[1])]


def compare(restored: NDArray[np.uint8], clean: NDArray[np.uint8]) -> tuple[float, float]:
    """(power, coherence) of two RGB pictures (h, w, 3), uint8."""
    height, width = (min(a, b) for a, b in zip(restored.shape[:2], clean.shape[:2], strict=True))
    a, b = (band_spectrum(luma(side[:height, :width].astype(np.float64))) for side in (restored, clean))
    energy_a, energy_b = float(np.vdot(a, a).real), float(np.vdot(b, b).real)
    return energy_a / energy_b, float(abs(np.vdot(a, b))) ** 2 / (energy_a * energy_b)


def main() -> None:
    restored, clean = map(Path, sys.argv[1:3])
    originals = {path.stem: path for path in sorted(clean.iterdir())}
    rows = []
    for path in sorted(restored.glob("[!.]*")):  # hfpie keeps a hidden record of a folder beside its pictures
        original = next(originals[stem] for stem in originals if path.stem == stem or path.stem.startswith(f"{stem}_"))
        rows.append(compare(read_photo(path).pixels, read_photo(original).pixels))
        print(f"{path.name}: power {rows[-1][0]:.3f} coherence {rows[-1][1]:.3f}")
    power, coherence = np.mean(rows, 0)
    print(f"mean of {len(rows)}: power {power:.3f} coherence {coherence:.3f}")


if __name__ == "__main__":
    main()
