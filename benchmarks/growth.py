"""Processor time and peak memory of whole commands by the size of the photograph: linear, or not.

    python -m benchmarks.growth [--megapixels 0.25 1 4 16 64 100] [--tasks denoise deblur sr] [--plot growth.png]

Each command runs in a process of its own on a seeded picture (`benchmarks/release.py` makes it). Processor time depends
little on what else the machine does. The plot needs matplotlib.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from benchmarks.release import HERE, photograph

SIZES = [0.25, 1, 4, 16, 64, 100]


def measure(task: str, photo: Path, output: Path) -> tuple[float, float]:
    """(seconds of processor time, peak memory in MiB) of a command."""
    line = [sys.executable, "-m", "hfpie_cli", task, str(photo), "-o", str(output), "--quiet"]
    process = subprocess.Popen(line, env={**os.environ, "PYTHONPATH": str(HERE)}, cwd=output.parent)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(line)} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write(megapixels: float, path: Path) -> None:
    cv2.imwrite(str(path), photograph(megapixels))


def draw(rows: list[tuple[str, float, float, float]], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for task in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == task]
        for axis, column in zip(axes, (2, 3), strict=True):
            axis.loglog([row[1] for row in mine], [row[column] for row in mine], "o-", label=task)
    for axis, label in zip(axes, ("processor time, s", "peak memory, MiB"), strict=True):
        axis.set_xlabel("input, megapixels")
        axis.set_ylabel(label)
        axis.grid(visible=True, which="both", alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+", default=SIZES)
    parser.add_argument("--tasks", nargs="+", default=["denoise", "deblur", "sr"])
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"{'task':8} {'megapixels':>10} {'seconds':>8} {'MiB':>7}")
    for size in options.megapixels:
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "photo.png"
            with ProcessPoolExecutor(1) as pool:  # Linux counts the memory of the process that starts a command, too
                pool.submit(write, size, photo).result()
            for task in options.tasks:
                seconds, memory = measure(task, photo, Path(folder) / f"{task}.png")
                rows.append((task, size, seconds, memory))
                print(f"{task:8} {size:10} {seconds:8.1f} {memory:7.0f}", flush=True)
    if options.plot:
        draw(rows, options.plot)


if __name__ == "__main__":
    main()
