"""Lines of random words, by a font with outlines or by OpenCV's lettering, smooth-edged."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LETTERS = np.array(list("aaabcdeeeefghiijklmnnoooprrssttuuvwxyzABCDEFGHIKLMNOPRSTUVWXYZ0123456789.,:;-()/%&!?"))
TEXT_SIZES = (9, 40)  # height of a font, pixels
STROKE_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
Canvas = NDArray[np.uint8]  # (h, w, 3)
Colour = tuple[int, int, int]


def write_text(canvas: Canvas, rng: np.random.Generator, box: tuple[int, int, int, int], ink: Colour) -> None:
    """Lines of random words within (left, top, right, bottom), by a font with hinting or one of strokes."""
    left, top, right, bottom = box
    if right - left < 8 or bottom - top < TEXT_SIZES[0]:
        return
    part = np.ascontiguousarray(canvas[top:bottom, left:right])
    size = int(np.exp(rng.uniform(*np.log(TEXT_SIZES))))
    write = _write_strokes if rng.random() < 0.35 else _write_font
    canvas[top:bottom, left:right] = write(part, rng, size, ink)


def _line(rng: np.random.Generator, count: int) -> str:
    """About `count` letters in words."""
    letters = rng.choice(LETTERS, count)
    letters[rng.random(count) < 0.17] = " "
    return "".join(letters)


def _write_font(part: Canvas, rng: np.random.Generator, size: int, ink: Colour) -> Canvas:
    image = Image.fromarray(part)
    pen, font = ImageDraw.Draw(image), _font(size)
    for y in range(int(rng.integers(0, 6)), part.shape[0], round(size * rng.uniform(1.15, 1.6))):
        count = int(part.shape[1] / size * 2 * rng.uniform(0.3, 1)) + 1
        pen.text((int(rng.integers(0, 8)), y), _line(rng, count), fill=ink, font=font)
    return np.asarray(image)


def _write_strokes(part: Canvas, rng: np.random.Generator, size: int, ink: Colour) -> Canvas:
    font, thickness = int(rng.choice(STROKE_FONTS)), int(rng.choice([1, 1, 2]))
    for y in range(size, part.shape[0] + size, round(size * 1.5)):
        text = _line(rng, int(part.shape[1] / size * 1.5 * rng.uniform(0.3, 1)) + 1)
        cv2.putText(part, text, (3, y), font, size / 30, ink, thickness, cv2.LINE_AA)
    return part


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own, with TrueType outlines where Pillow has FreeType."""
    return ImageFont.load_default(size)
