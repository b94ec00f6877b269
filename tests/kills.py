"""Kill runs with --resume repeatedly, and check that the folder ends as after an uninterrupted run.

    python tests/kills.py --kills 100

A child process that has everything imported is forked for each run and killed by SIGKILL at a random moment, until as
many have been killed as asked for; inputs are added on the way, so that there is always something to do.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import hfpie_cli.batch.run  # noqa: F401  the children fork with it
from hfpie_cli.batch.journal import NAME
from hfpie_cli.cli import app
from hfpie_cli.files import TEMPORARY

ENDINGS = (".png", ".jpg", ".tif", ".webp")
LONGEST = 0.05  # seconds that a run goes on before it is killed, once it has made a few files


def start(arguments: list[str]) -> int:
    """The number of a child that runs hfpie; it says nothing."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(null, stream)
        try:
            app(arguments)
        except SystemExit as end:
            os._exit(int(end.code or 0))
        os._exit(99)
    return child


def add_picture(folder: Path, rng: np.random.Generator, number: int) -> None:
    """Written aside first: a run must not meet half of it."""
    path = folder / f"{number:04}{ENDINGS[number % len(ENDINGS)]}"
    aside = folder / f".{path.name}"
    height, width = rng.integers(20, 60, 2)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(aside)
    aside.replace(path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != NAME}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        (root / "in").mkdir()
        kills = pictures = leftovers = 0
        while kills < options.kills:
            for _ in range(4):
                add_picture(root / "in", rng, pictures)
                pictures += 1
            child = start(command(root, "out"))
            wait_for_files(root / "out", len(names(root / "out")) + int(rng.integers(0, 4)), child)
            time.sleep(float(rng.uniform(0, LONGEST)))
            if os.waitpid(child, os.WNOHANG)[0] == 0:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                kills += 1
            leftovers += sum(name.startswith(TEMPORARY) for name in names(root / "out"))
        done = len(contents(root / "out"))
        codes = [wait(start(command(root, folder))) for folder in ("out", "whole")]
        same = contents(root / "out") == contents(root / "whole")
        left = [name for name in contents(root / "out") if name.startswith(".")]
        print(f"{kills} kills, {pictures} pictures, {done} done when the last was killed")
        print(f"temporary files seen: {leftovers}, left: {len(left)}, same folder: {same}, exit codes: {codes}")
        sys.exit(0 if same and not left and codes == [0, 0] else 1)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def wait_for_files(folder: Path, count: int, child: int) -> None:
    """Until so many are there, or the child has ended, which is left for others to collect."""
    while len(names(folder)) < count and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.001)


def command(root: Path, folder: str) -> list[str]:
    return ["denoise", str(root / "in"), "-o", f"{root / folder}/", "--resume", "--weights", "unit-test"]


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
