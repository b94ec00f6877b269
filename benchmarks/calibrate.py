"""Checks our metrics against known figures and a second implementation, on the pictures of a data root.

    python benchmarks/calibrate.py --data-root DATA

DATA holds Set5, Set14 and Kodak24. Exit code 1 if a figure is off. Two pictures of Set14 are grey;
here both are stored and scored as RGB. The customary file of one, `bridge`, has a single channel, which Matlab's
scripts score as it is: that gives the second row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hfpie_cli.data.benchmarks import Pair, open_benchmark
from hfpie_cli.degradations.operations import SR_SCALE
from hfpie_cli.evaluation.baselines import enlarge_bicubic
from hfpie_cli.evaluation.metrics import Samples, luma, shave, to_8bit_range
from hfpie_cli.evaluation.scoring import in_range, measure
from hfpie_cli.photos.quality import psnr

ONE_CHANNEL = "bridge"
SETTINGS = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "truncate": 3.34}


@dataclass(frozen=True)
class Figure:
    """A measured value, the expected one, and its tolerance."""

    name: str
    measured: float
    expected: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.expected) <= self.tolerance


def bicubic(root: Path) -> Iterator[Figure]:
    """The first row of every super-resolution table, Y PSNR."""
    for name, expected in (("Set5", 28.42), ("Set14", 26.09)):
        scores = {case.name: bicubic_psnr(case.open()) for case in open_benchmark(name, root, "sr").cases}
        yield Figure(f"bicubic x4, {name}, Y", float(np.mean(list(scores.values()))), expected, 0.03)
    scores |= {
        case.name: bicubic_psnr(case.open(), lambda rgb: rgb[..., 0])
        for case in open_benchmark("Set14", root, "sr").cases
        if Path(case.name).stem == ONE_CHANNEL
    }
    yield Figure("bicubic x4, Set14, one grey as Matlab does", float(np.mean(list(scores.values()))), 26.00, 0.03)


def bicubic_psnr(pair: Pair, channel: Callable[[Samples], Samples] = luma) -> float:
    """Of one channel of a pair's bicubic enlargement, borders shaved."""
    enlarged = to_8bit_range(enlarge_bicubic(pair.degraded).pixels)
    sides = (shave(channel(side), SR_SCALE) for side in (enlarged, pair.clean.astype(np.float64)))
    return psnr(*sides)


def noise(root: Path) -> Iterator[Figure]:
    """The first row of the paper's table 1: it depends on the noise alone, not on the pictures."""
    for sigma, expected in ((10, 32.95), (30, 23.41)):
        benchmark = open_benchmark("Kodak24", root, "denoise", f"awgn-{sigma}").first(10)
        rows = [
            measure(pair.degraded.pixels.astype(np.float64) * 255, in_range(pair.clean)) for pair in benchmark.pairs()
        ]
        yield Figure(f"noise of sigma {sigma}, Y", float(np.mean([row["psnr_y"] for row in rows])), expected, 0.1)


def second_computation(root: Path) -> Iterator[Figure]:
    """The largest difference from scikit-image, on 10 photographs, of every metric that it has."""
    pairs = open_benchmark("Kodak24", root, "denoise", "awgn-25-8bit").first(10).pairs()
    differences = [list(differ(pair)) for pair in pairs]
    for name, worst in zip(("PSNR", "SSIM", "PSNR Y", "SSIM Y"), np.max(differences, 0), strict=True):
        yield Figure(f"{name}, largest difference from scikit-image", float(worst), 0, 1e-4)


def differ(pair: Pair) -> Iterator[float]:
    restored, clean = to_8bit_range(pair.degraded.pixels), in_range(pair.clean)
    row = measure(restored, clean)
    for ending, x, y in (("", restored, clean), ("_y", luma(restored), luma(clean))):
        yield abs(row[f"psnr{ending}"] - peak_signal_noise_ratio(y, x, data_range=255))
        axis = 2 if x.ndim == 3 else None
        _, whole = structural_similarity(y, x, channel_axis=axis, full=True, **SETTINGS)
        yield abs(row[f"ssim{ending}"] - float(whole[5:-5, 5:-5].mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    root = parser.parse_args().data_root
    figures = [*bicubic(root), *noise(root), *second_computation(root)]
    for figure in figures:
        verdict = "ok" if figure.holds else "WRONG"
        print(f"{figure.name:45} {figure.measured:9.6g}  should be {figure.expected} +- {figure.tolerance}  {verdict}")
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


if __name__ == "__main__":
    main()
