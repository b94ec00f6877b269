"""Crops side by side at 100 %, to look at: python tools/crops.py OUT LEFT,TOP,SIDE PICTURE ..."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

GAP = 6  # white pixels between crops


def main() -> None:
    out, box, *paths = sys.argv[1:]
    left, top, side = map(int, box.split(","))
    pictures = [Image.open(path).convert("RGB") for path in paths]
    width = max(picture.width for picture in pictures)
    strips = []
    for picture in pictures:
        times = width // picture.width  # a small picture is shown with its pixels repeated
        large = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
        strips += [np.asarray(large)[top : top + side, left : left + side], np.full((side, GAP, 3), 255, np.uint8)]
    Image.fromarray(np.concatenate(strips[:-1], 1)).save(Path(out), optimize=True)


if __name__ == "__main__":
    main()
