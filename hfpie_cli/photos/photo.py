"""A photograph in memory: pixels in the file's own type, and metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HfpieError
from .tiff_tags import Tag

Pixels = NDArray[Any]  # of uint8, uint16 or float32; full scale is 255, 65535 or 1.0
ColourPoints = tuple[int, int]  # primaries and transfer function, as ITU-T H.273 numbers them
FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def check_pixels(pixels: Pixels, name: str) -> None:
    """Raise HfpieError if float pixels are not finite or their full scale is not 1. name: for the message."""
    if pixels.dtype != np.float32:
        return
    mean = float(np.abs(pixels).mean())
    if not np.isfinite(mean):
        raise HfpieError(f"{name}: some of its pixels are not finite numbers", "replace them with numbers from 0 to 1")
    if mean > 1:
        message = f"{name}: float pixels of {mean:.4g} on average, where white is 1"
        raise HfpieError(message, "divide them by their white level")


def to_8bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Rescale to 0..255, clip and round; 8-bit pixels as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    full = FULL_SCALE[pixels.dtype.name]
    return np.rint(pixels.clip(0, full) * (255 / full)).astype(np.uint8)


def to_16bit(pixels: Pixels) -> NDArray[np.uint16]:
    """Rescale float pixels to 0..65535, clip and round."""
    return np.rint(pixels.clip(0, 1) * 65535).astype(np.uint16)


class SeveralPicturesError(ValueError):
    """A file of several frames or pages, none of which is the main one."""


class NotReadError(ValueError):
    """A picture of a kind that hfpie does not read. hint: the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Metadata:
    """What a photo has besides pixels: its profile, EXIF and so on, kept from file to file."""

    icc: bytes = b""
    """ICC profile."""
    exif: bytes = b""
    """EXIF block, its orientation upright."""
    xmp: bytes = b""
    """XMP packet."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch across and down."""
    resources: bytes = b""
    """Photoshop's resources in JPEG and TIFF, with IPTC captions."""
    comment: bytes = b""
    """Comment of a JPEG."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """(name, body) of a PNG's colour and text chunks."""
    points: ColourPoints | None = None
    """Code points that AVIF, HEIC and PNG state for colours outside ICC."""
    bits: int = 0
    """Bits of a sample where the file has fewer than its type holds, such as 10 or 12 of AVIF and HEIC."""
    tags: tuple[Tag, ...] = ()
    """Further TIFF tags."""
    per_unit: tuple[float, float] | None = None
    """Pixels across and down of a TIFF whose unit is unstated or stated by a tag of its own."""
    size: tuple[int, int] | None = None
    """(width, height) of the picture as read, which `tags`, `per_unit` and `gain_map` refer to."""
    gain_map: bytes = b""
    """Gain map of Ultra HDR, a JPEG file."""


@dataclass(frozen=True)
class Photo:
    """A photograph."""

    pixels: Pixels
    """(h, w, 1) grey or (h, w, 3) RGB in the file's own type: uint8, uint16 or float32."""
    alpha: Pixels | None = None
    """(h, w) of the same type, or None."""
    metadata: Metadata = field(default_factory=Metadata)
    """Metadata of a photo."""
    format: str = "PNG"
    """A key of FORMATS."""
    others: int = 0
    """Number of further parts of its file: previews, a video."""
    notes: tuple[str, ...] = ()
    """Remarks on how it was read, and in an outcome on how it is written, for the user, a line each."""

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    def is_kept_whole(self, scale: int) -> bool:
        """Whether a JPEG or TIFF of the photo enlarged `scale` times keeps everything in its file."""
        return not self.others and (scale == 1 or not self.metadata.gain_map)

    def samples(self) -> Pixels:
        """What a file holds: (h, w, 1 to 4), the alpha, if there is one, as the last channel."""
        return self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha[..., None]], -1)


def split_alpha(samples: Pixels) -> tuple[Pixels, Pixels | None]:
    """(colours (h, w, 1 or 3), alpha (h, w) or None) of (h, w) or (h, w, 1 to 4), as `Photo.samples` gives them."""
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.shape[2] in (2, 4):
        return np.ascontiguousarray(samples[..., :-1]), np.ascontiguousarray(samples[..., -1])
    return samples, None


def check_array(pixels: Pixels) -> None:
    """Raises HfpieError for an array that is not a photograph: (h, w) or (h, w, 1 or 3) of uint8, uint16 or float32."""
    if not isinstance(pixels, np.ndarray):
        hint = "pass a file path, a NumPy array or a Pillow image"
        raise HfpieError(f"a {type(pixels).__name__} is not an array of pixels", hint)
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3))
    if not shaped or not pixels.size or pixels.dtype.name not in FULL_SCALE:
        message = f"an array of shape {pixels.shape} and type {pixels.dtype} is not a photograph"
        raise HfpieError(message, "give (h, w), (h, w, 1) or (h, w, 3) of uint8, uint16 or float32")
    check_pixels(pixels, "the array")
