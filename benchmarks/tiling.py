"""How much tiling changes a restored picture: largest difference, in units of 1/255, between tiled and untiled.

    python benchmarks/tiling.py PHOTO [--weights NAME] [--tiles 128 192 256] [--overlaps 16 32 64] [--task denoise]

The photo is degraded first as the task's default benchmark does, so that the network has work to do. `--plain-sky`
takes, instead of a photo, a 12-megapixel picture made here: half a plain gradient, half texture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.photos.photo import Photo
from hfpie_cli.restore import Restorer
from hfpie_cli.tasks import TASKS
from hfpie_cli.weights.registry import known_weights, resolve

UNTILED = 1 << 14


def half_sky(height: int, width: int) -> np.ndarray:
    """Half a plain gradient, half strong texture at several scales; (h, w, 3) uint8."""
    rng = np.random.default_rng(0)
    picture = np.empty((height, width, 3), np.float32)
    picture[...] = np.linspace(0.45, 0.75, height)[:, None, None] * np.array([0.8, 0.9, 1.0])
    texture = np.zeros((height - height // 2, width, 3), np.float32)
    for cell in (2, 5, 16, 64):
        coarse = rng.integers(0, 256, (texture.shape[0] // cell + 1, width // cell + 1, 3), dtype=np.uint8)
        enlarged = Image.fromarray(coarse).resize((width, texture.shape[0]), Image.Resampling.BICUBIC)
        texture += np.asarray(enlarged, np.float32) / 255 / 4
    picture[height // 2 :] = texture
    return np.rint(picture * 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path)
    parser.add_argument("--plain-sky", action="store_true")
    parser.add_argument("--task", default="denoise")
    parser.add_argument("--weights")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--tiles", type=int, nargs="+", default=[128, 192, 256])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[16, 32, 64])
    options = parser.parse_args()
    name = resolve(options.weights or options.task).name
    scale = known_weights()[name].scale
    clean = half_sky(3000 // scale, 4000 // scale) if options.plain_sky else np.asarray(Image.open(options.photo))
    degradation = "clean" if scale > 1 else TASKS[options.task].degradation
    degraded = DEGRADATIONS[degradation](clean.astype(np.float32) / np.float32(255), np.random.default_rng(0))
    photo = Photo(np.rint(degraded.clip(0, 1) * 255).astype(np.uint8))
    whole = Restorer.from_weights(name, tile=UNTILED, overlap=0, precision=options.precision).restore(photo).photo
    print(
        f"{name}, {photo.width} x {photo.height}: tile/overlap, tiles, largest difference, share of pixels that differ"
    )
    for tile in options.tiles:
        for overlap in options.overlaps:
            restorer = Restorer.from_weights(name, tile=tile, overlap=overlap, precision=options.precision)
            outcome = restorer.restore(photo)
            difference = np.abs(outcome.photo.pixels.astype(int) - whole.pixels)
            changed = (difference > 0).any(2).mean()
            print(f"{tile}/{overlap}  {outcome.tiles}  {difference.max()}  {changed:.4f}", flush=True)


if __name__ == "__main__":
    main()
