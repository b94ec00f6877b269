"""Make the titled before and after strips of the README again, with the shipped weights: python tools/strips.py

The pictures are scikit-image's: Eileen Collins (NASA, public domain), coffee (Rachel Michetti, CC0), Chelsea the cat
(Stefan van der Walt, CC0), a rocket (SpaceX, public domain), text (Wikipedia, public domain).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from hfpie_cli import Restorer
from hfpie_cli.degradations.named import DEGRADATIONS

OUT = Path(__file__).parent.parent / "docs"
GAP, TITLE = 6, 22  # pixels between crops, and of the line above them

Picture = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Strip:
    """A strip. picture: of scikit-image. box: of the crop, left, top, width, height. weights: by the titles above."""

    name: str
    picture: str
    degradation: str
    title: str
    box: tuple[int, int, int, int]
    weights: dict[str, str]


STRIPS = (
    Strip("noise", "coffee", "awgn-25-8bit", "Noise", (170, 60, 290, 200), {"hfpie denoise": "denoise"}),
    Strip("night", "astronaut", "night-20", "Night", (90, 20, 290, 240), {"hfpie denoise": "denoise"}),
    Strip("jpeg", "rocket", "jpeg-20", "JPEG, quality 20", (230, 100, 290, 200), {"hfpie denoise": "denoise"}),
    Strip("blur", "text", "gaussian-blur", "Soft focus", (90, 6, 290, 160), {"hfpie deblur": "deblur"}),
    Strip(
        "small",
        "chelsea",
        "jpeg-80-x4",
        "Small, x4",
        (60, 20, 216, 200),
        {"hfpie sr": "sr", "hfpie sr --gan": "compact.sr-x4-gan"},
    ),
)


def main() -> None:
    font = ImageFont.load_default(size=14)
    for strip in STRIPS:
        clean = getattr(data, strip.picture)()
        clean = np.stack([clean] * 3, -1) if clean.ndim == 2 else clean
        clean = clean[: clean.shape[0] // 4 * 4, : clean.shape[1] // 4 * 4]
        made = DEGRADATIONS[strip.degradation]((clean / 255).astype(np.float32), np.random.default_rng(0))
        degraded = np.rint(made * 255).clip(0, 255).astype(np.uint8)
        sides = {strip.title: repeated(degraded, clean.shape[0] // degraded.shape[0])}
        sides |= {title: Restorer.from_weights(name)(degraded) for title, name in strip.weights.items()}
        sheet(sides | {"original": clean}, strip.box, font).save(OUT / f"{strip.name}.png", optimize=True)


def repeated(picture: Picture, times: int) -> Picture:
    """Enlarged by repeating its pixels."""
    return picture.repeat(times, 0).repeat(times, 1)


def sheet(sides: dict[str, Picture], box: tuple[int, int, int, int], font: Font) -> Image.Image:
    """The crops side by side, each below its title."""
    left, top, width, height = box
    canvas = Image.new("RGB", (len(sides) * (width + GAP) - GAP, height + TITLE), "white")
    draw = ImageDraw.Draw(canvas)
    for number, (title, picture) in enumerate(sides.items()):
        at = number * (width + GAP)
        draw.text((at + 2, 2), title, "black", font=font)
        canvas.paste(Image.fromarray(picture[top : top + height, left : left + width]), (at, TITLE))
    return canvas


if __name__ == "__main__":
    main()
