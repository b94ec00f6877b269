"""Megapixels per second of input, side by side in one run: hfpie at each precision, and what OpenCV offers.

    python benchmarks/speed.py [--megapixels 1.5] [--rounds 3] [--threads N]

Every method takes its turn in every round; the best round counts. Compare ratios: machines differ.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch

from hfpie_cli.device import choose_device
from hfpie_cli.photos.photo import Photo
from hfpie_cli.restore import Restorer
from hfpie_cli.settings import cpu_multiplies_bf16
from hfpie_cli.weights.registry import TEST_WEIGHTS, known_weights


def methods(photo: Photo) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each restores the photo once."""
    found: dict[str, Callable[[], object]] = {}
    for name, entry in known_weights().items():
        if name == TEST_WEIGHTS or entry.task == "highpass" or entry.shipped is None:
            continue
        small = Photo(photo.pixels[: photo.height // 2, : photo.width // 2]) if entry.scale == 4 else photo
        for precision in ("fp32", "bf16") if cpu_multiplies_bf16() else ("fp32",):
            restorer = Restorer.from_weights(name, device="cpu", precision=precision)
            found[f"{name} {precision}"] = partial(restorer.restore, small)
    found["OpenCV non-local means"] = partial(cv2.fastNlMeansDenoisingColored, photo.pixels)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    side = int((options.megapixels * 1e6 / 1.5) ** 0.5)
    photo = Photo(np.random.default_rng(0).integers(0, 256, (side, side * 3 // 2, 3), dtype=np.uint8))
    best: dict[str, float] = {}
    timed = methods(photo)
    for _ in range(options.rounds):
        for name, run in timed.items():
            started = time.perf_counter()
            run()
            best[name] = min(best.get(name, float("inf")), time.perf_counter() - started)
    megapixels = photo.width * photo.height / 1e6
    print(f"{choose_device('cpu').name}, {torch.get_num_threads()} threads, {photo.width} x {photo.height}")
    for name, seconds in best.items():
        quarter = 4 if known_weights().get(name.split()[0]) and known_weights()[name.split()[0]].scale == 4 else 1
        print(f"{name:28} {megapixels / quarter / seconds:.3f} MP/s of input")


if __name__ == "__main__":
    main()
