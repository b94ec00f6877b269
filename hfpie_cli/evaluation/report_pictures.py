"""The pictures of a report: crops at 100 % where a method had most to do, and maps of what is still wrong."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.benchmarks import Pair
from ..photos.photo import to_8bit
from .baselines import enlarge_bicubic
from .metrics import Samples
from .score import Method, unwatched

CROP_HEIGHT, CROP_WIDTH = 360, 480  # pixels
MAP_GAIN = 4  # of the difference maps: a difference of 255 / MAP_GAIN is white


@dataclass(frozen=True)
class Crop:
    """A part of a picture, before and after, each as the address of an embedded lossless file.

    left, top: in the whole picture. *_map: the difference from the clean picture.
    """

    left: int
    top: int
    width: int
    height: int
    before: str
    after: str
    clean: str
    before_map: str
    after_map: str


def make_crop(pair: Pair, method: Method) -> Crop:
    """Restore a pair once more and cut out where the degraded picture (enlarged, if need be) is most wrong."""
    same_size = pair.degraded.pixels.shape == pair.clean.shape
    before = to_8bit((pair.degraded if same_size else enlarge_bicubic(pair.degraded)).pixels)
    after = to_8bit(method.restore(pair.degraded, unwatched).pixels)
    clean = to_8bit(pair.clean)
    before_error, after_error = difference(before, clean), difference(after, clean)
    top, left = worst_window(before_error, CROP_HEIGHT, CROP_WIDTH)
    window = (slice(top, top + CROP_HEIGHT), slice(left, left + CROP_WIDTH))
    height, width = before_error[window].shape
    pictures = (before, after, clean, colour_map(before_error), colour_map(after_error))
    return Crop(left, top, width, height, *(embed(picture[window]) for picture in pictures))


def difference(picture: NDArray[np.uint8], clean: NDArray[np.uint8]) -> Samples:
    """The root mean square over the channels of the difference of (h, w, 3) pictures, (h, w) in 0 to 255."""
    return np.sqrt(((picture.astype(np.float64) - clean) ** 2).mean(2))


def worst_window(error: Samples, height: int, width: int) -> tuple[int, int]:
    """Top and left of the window with the largest mean square of an (h, w) error; the whole where it is smaller."""
    height, width = min(height, error.shape[0]), min(width, error.shape[1])
    sums = cv2.integral(error**2)
    windows = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(top), int(left)


def colour_map(error: Samples) -> NDArray[np.uint8]:
    """An (h, w) error in 0 to 255 as colours from black over red to white, (h, w, 3) RGB."""
    scaled = to_8bit((error * (MAP_GAIN / 255)).astype(np.float32))
    return np.asarray(cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO)[..., ::-1], np.uint8)


def embed(picture: NDArray[np.uint8]) -> str:
    """A picture as a data address, lossless WebP."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "WEBP", lossless=True, quality=60)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
