"""Make the degraded versions of chelsea.png that the examples restore.

chelsea.png is "Chelsea the cat" by Stefan van der Walt, CC0, as scikit-image distributes it.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from hfpie_cli.degradations.named import DEGRADATIONS

FOLDER = Path(__file__).parent
MADE = {"noisy": "awgn-25-8bit", "blurred": "gaussian-blur", "small": "bicubic-x4"}


def main() -> None:
    picture = np.asarray(Image.open(FOLDER / "chelsea.png")).astype(np.float32) / np.float32(255)
    for name, degradation in MADE.items():
        degraded = DEGRADATIONS[degradation](picture, np.random.default_rng(0))
        Image.fromarray(np.rint(degraded * 255).astype(np.uint8)).save(FOLDER / f"chelsea_{name}.png")


if __name__ == "__main__":
    main()
