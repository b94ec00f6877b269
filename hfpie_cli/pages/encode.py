"""Pictures embedded in a page: their encoding, and the parts where versions differ most."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..photos.photo import Photo, to_8bit
from ..photos.resize import resize
from ..photos.writer import is_grey_profile

Picture = NDArray[np.uint8]  # (h, w, 3) RGB

BLOCK = 8  # side of the squares that differences are summed over, pixels
JPEG_QUALITY = 92
THUMBNAIL = 144  # pixels of the longer side
PAPER = 255  # background of transparent photographs


@dataclass(frozen=True)
class Window:
    """A part of a picture, in its pixels."""

    left: int
    """First column."""
    top: int
    """First row."""
    width: int
    """Columns."""
    height: int
    """Rows."""

    def cut(self, picture: Picture) -> Picture:
        """The part of a picture."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


def as_picture(photo: Photo) -> Picture:
    """A photograph as a screen shows it: 8 bits, RGB, on white where it is transparent."""
    pixels = to_8bit(photo.pixels)
    pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    if photo.alpha is None:
        return pixels
    alpha = to_8bit(photo.alpha)[..., None].astype(np.float32) / 255
    return np.rint(pixels * alpha + PAPER * (1 - alpha)).astype(np.uint8)


def colour_profile(photo: Photo) -> bytes:
    """The ICC profile of its picture; empty for sRGB."""
    return b"" if is_grey_profile(photo.metadata.icc) else photo.metadata.icc


def lossless(picture: Picture, icc: bytes = b"") -> bytes:
    """A WebP file of exactly these pixels; the fastest setting, a tenth larger than the smallest."""
    return _saved(picture, "WEBP", icc, lossless=True, quality=20, method=0)


def jpeg(picture: Picture, icc: bytes = b"", quality: int = JPEG_QUALITY) -> bytes:
    """A JPEG file with full chroma."""
    return _saved(picture, "JPEG", icc, quality=quality, subsampling=0)


def thumbnail(picture: Picture, icc: bytes = b"") -> bytes:
    """A small JPEG file."""
    height, width = picture.shape[:2]
    shrink = min(1.0, THUMBNAIL / max(height, width))
    return jpeg(resize(picture, max(1, round(height * shrink)), max(1, round(width * shrink))), icc, 80)


def address(data: bytes) -> str:
    """A picture's file as a data URL."""
    kind = "webp" if data[:4] == b"RIFF" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def differing_windows(pictures: Sequence[Picture], side: int, count: int) -> list[Window]:
    """At most `count` windows, without overlap, where pictures of one size differ most from the first."""
    height, width = pictures[0].shape[:2]
    block = BLOCK if min(height, width) >= 8 * BLOCK else 1
    rows, columns = height // block, width // block
    tall, wide = min(rows, math.ceil(side / block)), min(columns, math.ceil(side / block))
    energy = np.maximum.reduce([_energy(pictures[0], other, block) for other in pictures[1:]])
    windows: list[Window] = []
    free = np.ones((rows - tall + 1, columns - wide + 1), bool)
    sums = cv2.integral(energy)
    sums = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    while len(windows) < count and free.any():
        top, left = np.unravel_index(int(np.where(free, sums, -1).argmax()), sums.shape)
        free[max(0, top - tall + 1) : top + tall, max(0, left - wide + 1) : left + wide] = False
        windows.append(Window(int(left) * block, int(top) * block, min(side, width), min(side, height)))
    return windows


def _energy(first: Picture, other: Picture, block: int) -> NDArray[np.float64]:
    """The squared difference of two pictures, summed by block: (rows, columns)."""
    rows, columns = first.shape[0] // block, first.shape[1] // block
    apart = np.asarray(cv2.absdiff(first, other))[: rows * block, : columns * block]
    return (cv2.resize(apart, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float64) ** 2).sum(2)


def _saved(picture: Picture, form: str, icc: bytes, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, form, icc_profile=icc or None, **options)
    return buffer.getvalue()
