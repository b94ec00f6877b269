"""How much the memory of one run grows over the files of a folder.

    python -m benchmarks.steady [--pictures 2000] [--side 64] [--weights unit-test]

The command runs in a process of its own; its resident memory is read as it reports each file. Growth is that from
the WARM-th file to the largest afterwards.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.folders import make_pictures
from benchmarks.release import HERE

WARM = 100  # files after which everything is loaded


def resident(pid: int) -> float:
    """MiB of memory that a process has now; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def measure(folder: Path, out: Path, weights: str) -> list[float]:
    """MiB after each file."""
    command = [sys.executable, "-m", "hfpie_cli", "denoise", str(folder), "-o", f"{out}/", "--weights", weights]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        sizes = [resident(process.pid) for line in process.stderr if " -> " in line]
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}")
    return [size for size in sizes if size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--weights", default="unit-test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make_pictures(Path(name, "in"), options.pictures, options.side, np.random.default_rng(0))
        sizes = measure(Path(name, "in"), Path(name, "out"), options.weights)
    warm, more = sizes[WARM], max(sizes[WARM:]) - sizes[WARM]
    print(f"{len(sizes)} files: {warm:.0f} MiB after {WARM}, {sizes[-1]:.0f} at the end, {more:.0f} more at most")


if __name__ == "__main__":
    main()
