"""Restore photographs on a device: tiles computed twice, seconds a megapixel, memory, difference to the CPU.

    python benchmarks/device.py --data DATA/train [--device cuda] [--weights denoise,deblur,sr]

The first 20 photographs get noise of 10/255 (x4: every fourth pixel of them is enlarged). Then one picture of 1, 4 and
12 megapixels (a quarter of it for x4), the second time it is restored. Files are neither read nor written meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from hfpie_cli import running
from hfpie_cli.photos.photo import Photo, Pixels
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.restore import Restorer

PHOTOS, COMPARED = 20, 2
MEGAPIXELS = (1, 4, 12)
SIGMA = 10  # of the noise, 1/255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--weights", default="denoise,deblur,sr")
    given = parser.parse_args()
    photos = [read_photo(path) for path in sorted(given.data.iterdir())[:PHOTOS]]
    for name in given.weights.split(","):
        restorer, exact = (Restorer.from_weights(name, device=device) for device in (given.device, "cpu"))
        shown = [Photo(degraded(photo.pixels, restorer.scale)) for photo in photos]
        restorer.restore(shown[0])
        seconds, (tiles, computed) = timed(lambda: [restorer.restore(photo) for photo in shown])  # noqa: B023
        size = sum(photo.height * photo.width for photo in shown) / 1e6
        print(f"{name}: {size:.1f} MP, {seconds / size:.3f} s/MP, {computed - tiles} of {tiles} batches computed twice")
        for photo in shown[:COMPARED]:
            mine, other = (each.restore(photo).photo.pixels.astype(int) for each in (restorer, exact))
            apart = np.abs(mine - other)
            print(f"  beside the CPU: {np.mean(apart > 0):.1%} of the values differ, by {apart.max()} at most")
        for megapixels in MEGAPIXELS:
            large = Photo(enlarged(photos[0].pixels, megapixels, 4 if restorer.scale > 1 else 1))
            restorer.restore(large)
            if given.device.startswith("cuda"):
                torch.cuda.reset_peak_memory_stats()
            seconds, _ = timed(lambda: restorer.restore(large))  # noqa: B023
            peak = torch.cuda.max_memory_allocated() >> 20 if given.device.startswith("cuda") else 0
            print(f"  {large.height * large.width / 1e6:.2f} MP: {seconds:.2f} s, {peak} MiB of the device", flush=True)


def degraded(pixels: Pixels, scale: int) -> Pixels:
    """Noisy, or every fourth pixel where it is to be enlarged."""
    if scale > 1:
        return np.ascontiguousarray(pixels[::4, ::4])
    noise = np.random.default_rng(1).normal(0, SIGMA, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def enlarged(pixels: Pixels, megapixels: int, less: int) -> Pixels:
    """A picture of 4 x 3 of so many megapixels, the photograph repeated; its width by `less` smaller."""
    side = int((megapixels * 1e6 / 12) ** 0.5)
    times = [-(-wanted // had) for wanted, had in zip((3 * side, 4 * side), pixels.shape[:2], strict=True)]
    return np.ascontiguousarray(np.tile(pixels, (*times, 1))[: 3 * side, : 4 * side // less])


def timed(work: Callable[[], object]) -> tuple[float, tuple[int, int]]:
    """(seconds, (batches of tiles, how often the network ran on one)); its work on a GPU is awaited."""
    run, average, counts = running.Runner._run, running._average, [0, 0]  # mocks would keep every tile alive

    def counted_run(*given: Any) -> Tensor:
        counts[0] += 1
        return run(*given)

    def counted_average(*given: Any) -> Tensor:
        counts[1] += 1
        return average(*given)

    with patch.object(running.Runner, "_run", counted_run), patch.object(running, "_average", counted_average):
        started = time.monotonic()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.monotonic() - started, (counts[0], counts[1])


if __name__ == "__main__":
    main()
