"""Restore crops with every checkpoint that ships, and keep them: tests/golden/NAME.png, and the gains in gains.toml.

    python tools/golden.py [NAME ...]

Run it when weights change on purpose, look at the pictures, and commit them: `tests/test_golden.py` lets no other
change of pixels pass. What is restored lies in examples/; fp32 on the CPU, several tiles.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image

from hfpie_cli import Restorer
from hfpie_cli.files import atomic_path
from hfpie_cli.photos.photo import Pixels
from hfpie_cli.photos.quality import psnr
from hfpie_cli.photos.resize import resize
from hfpie_cli.tasks import TASKS
from hfpie_cli.weights.registry import list_weights

ROOT = Path(__file__).parent.parent
EXAMPLES, GOLDEN = ROOT / "examples", ROOT / "tests" / "golden"
GAINS = GOLDEN / "gains.toml"
INPUTS = {"denoise": "chelsea_noisy", "deblur": "chelsea_blurred", "sr": "chelsea_small"}
CROPS = {1: (112, 224, 96), 4: (18, 56, 40)}  # top, left and side by the network's scale, pixels: the cat's eye
TILES = {1: (64, 16), 4: (32, 8)}  # side and overlap
HEAD = "# By tools/golden.py: dB that each checkpoint brings the example nearer to its original (x4: beyond bicubic).\n"


def names() -> list[str]:
    """The checkpoints of ours that restore photographs."""
    return [entry.name for entry in list_weights() if not entry.source and entry.task in TASKS]


def example(name: str) -> Pixels:
    return np.asarray(Image.open(EXAMPLES / f"{name}.png"))


def crop(name: str) -> Pixels:
    """The crop (h, w, 3) of the task's example, restored by a checkpoint in fp32, in four tiles or more."""
    task, scale = next((entry.task, entry.scale) for entry in list_weights() if entry.name == name)
    (top, left, side), (tile, overlap) = CROPS[scale], TILES[scale]
    restorer = Restorer.from_weights(name, device="cpu", precision="fp32", tile=tile, overlap=overlap)
    return restorer(example(INPUTS[task])[top : top + side, left : left + side])


def gain(name: str) -> float:
    """dB by which the task's whole example comes nearer to the original, or for x4 nearer than bicubic, in fp32."""
    task = next(entry.task for entry in list_weights() if entry.name == name)
    degraded = example(INPUTS[task])
    restored = Restorer.from_weights(name, device="cpu", precision="fp32")(degraded)
    before = degraded if restored.shape == degraded.shape else resize(degraded, *restored.shape[:2])
    original = example("chelsea")[: restored.shape[0], : restored.shape[1]].astype(np.float64)
    return psnr(restored.astype(np.float64), original) - psnr(before.astype(np.float64), original)


def gains() -> dict[str, float]:
    """Those that were kept."""
    return tomllib.loads(GAINS.read_text(encoding="utf-8")) if GAINS.exists() else {}


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    kept = {name: value for name, value in gains().items() if name in names()}
    for name in sys.argv[1:] or names():
        Image.fromarray(crop(name)).save(GOLDEN / f"{name}.png", optimize=True)
        kept[name] = round(gain(name), 2)
        print(f"{name}: {kept[name]:+.2f} dB", flush=True)
    for path in GOLDEN.glob("*.png"):
        if path.stem not in kept:
            path.unlink()
    lines = [f"{json.dumps(name)} = {kept[name]}\n" for name in sorted(kept)]
    with atomic_path(GAINS) as temporary:
        temporary.write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
