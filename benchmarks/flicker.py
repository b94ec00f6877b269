"""Measures the flicker of a film, with frames restored alone and with shared averages.

    python benchmarks/flicker.py [PHOTO] [--weights compact.denoise compact.sr-x4 compact.sr-x4-gan] [--frames 8]

A window moves over the photograph (by default examples/chelsea.png, with noise of its own for networks that remove it);
between two frames, what both show is compared where neither border is near: the mean absolute difference, of 255, of
each block of 16 x 16 pixels' mean, in which noise and detail count little. Steps are multiples of the networks' stride.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from hfpie_cli import Restorer
from hfpie_cli.photos.photo import Photo

STEP, MARGIN, BLOCK = 16, 48, 16  # pixels of the input, the last of the output
SIGMA = 10  # of the noise, where full scale is 255


def pan(picture: NDArray[np.float32], count: int, side: int) -> list[Photo]:
    return [Photo(np.ascontiguousarray(picture[:side, STEP * i : STEP * i + side])) for i in range(count)]


def flicker(frames: list[NDArray[np.float32]], scale: int) -> float:
    return float(np.mean([difference(one, two, scale) for one, two in pairwise(frames)]))


def difference(one: NDArray[np.float32], two: NDArray[np.float32], scale: int) -> float:
    margin, step = MARGIN * scale, STEP * scale
    seen = one[margin:-margin, margin + step : -margin] - two[margin:-margin, margin : -margin - step]
    height, width = (n // BLOCK * BLOCK for n in seen.shape[:2])
    blocks = seen[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return float(np.abs(blocks.mean((1, 3))).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?", default=Path(__file__).parent.parent / "examples/chelsea.png")
    parser.add_argument("--weights", nargs="+", default=["compact.denoise", "compact.sr-x4", "compact.sr-x4-gan"])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--side", type=int, default=192)
    options = parser.parse_args()
    picture = np.asarray(Image.open(options.photo).convert("RGB"), np.float32)
    noise = np.random.default_rng(0).normal(0, SIGMA, picture.shape).astype(np.float32)
    torch.set_grad_enabled(False)
    print(f"{'weights':20}{'each alone':>12}{'shared':>10}")
    for name in options.weights:
        restorer = Restorer.from_weights(name, precision="fp32")
        seen = (picture + noise if restorer.scale == 1 else picture) / 255
        frames = pan(np.clip(seen, 0, 1).astype(np.float32), options.frames, options.side)
        shared = restorer.share(frames[:: max(1, options.frames // 4)])
        alone = [restorer.restore(frame).photo.pixels * 255 for frame in frames]
        together = [restorer.restore(frame, shared=shared).photo.pixels * 255 for frame in frames]
        both = (flicker(each, restorer.scale) for each in (alone, together))
        print(f"{name:20}" + "".join(f"{value:{width}.3f}" for value, width in zip(both, (12, 10), strict=True)))


if __name__ == "__main__":
    main()
