"""How fast folders of pictures are restored, by this tree and by another one of hfpie, taking turns.

    python benchmarks/folders.py --other OTHER_TREE [--pictures 200] [--side 256] [--weights NAME] [--rounds 2]

Each turn is a process of its own, `python -m hfpie_cli denoise IN -o OUT`, timed by what it prints: from the first
line of a file to the last, so that imports and loading do not count. Pictures are PNG, noise on coarse colours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIGMA = 15  # of the noise, where full scale is 255


def make_pictures(folder: Path, count: int, side: int, rng: np.random.Generator) -> None:
    folder.mkdir()
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8))
        clean = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
        noisy = np.rint(clean + rng.normal(0, SIGMA, clean.shape)).clip(0, 255)
        Image.fromarray(noisy.astype(np.uint8)).save(folder / f"picture{number:04}x.png")


def time_tree(tree: Path, folder: Path, out: Path, weights: str) -> float:
    """Pictures a second."""
    command = [sys.executable, "-m", "hfpie_cli", "denoise", str(folder), "-o", f"{out}/", "--weights", weights]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    moments = []
    with subprocess.Popen(command, cwd=tree, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        moments = [time.perf_counter() for line in process.stderr if " -> " in line]
    if process.returncode:
        raise SystemExit(f"{tree}: exit code {process.returncode}")
    return (len(moments) - 1) / (moments[-1] - moments[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--weights", default="compact.denoise")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    trees = {"this": Path(__file__).parent.parent, "other": options.other}
    rates: dict[str, list[float]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as name:
        make_pictures(Path(name, "in"), options.pictures, options.side, np.random.default_rng(0))
        for turn in range(options.rounds):
            for tree, path in trees.items():
                rates[tree].append(time_tree(path, Path(name, "in"), Path(name, f"{tree}{turn}"), options.weights))
                print(f"round {turn}: {tree:6}{rates[tree][-1]:8.2f} pictures/s", flush=True)
    ratio = np.median(rates["this"]) / np.median(rates["other"])
    print(f"{options.pictures} pictures of {options.side} pixels, {options.weights}: {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
