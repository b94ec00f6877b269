"""Converts film frames to 16-bit RGB and back, by the film's own matrix and range; what a film's header says."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import FILM_ENDINGS
from .photo import NotReadError, Photo, Pixels

UNKNOWN, FULL_RANGE, LIMITED_RANGE = 2, 2, 1
MATRICES = {1, 5, 6, 7, 9}  # matrices that swscale knows: BT.709, BT.601 twice, SMPTE 240M, BT.2020
BT709, BT601 = 1, 5
HD_HEIGHT = 720  # from this height on players assume BT.709 for films without a matrix
EXACT = 0x2000 | 0x4000 | 0x40000  # flags of swscale: chroma in full both ways, exact rounding
UP, DOWN = 0x200 | EXACT, 0x20 | EXACT  # Lanczos and area: chroma that nothing changed comes back within 1 of 255


@dataclass(frozen=True)
class Look:
    """How a film's frames are stored."""

    codec: str
    """FFmpeg's name of the codec."""
    pixels: str
    """FFmpeg's name of the pixel format."""
    width: int
    """Pixels as stored."""
    height: int
    """Pixels as stored."""
    bits: int
    """Bits of a sample."""
    turn: int
    """Quarter turns that make it upright."""
    primaries: int
    """ITU-T H.273 number; 2 is unknown."""
    transfer: int
    """ITU-T H.273 number; 2 is unknown."""
    matrix: int
    """ITU-T H.273 number; 2 is unknown."""
    range: int
    """FFmpeg's number; 0 is unknown."""
    aspect: Fraction | None
    """Aspect ratio of a pixel; None if square."""


@dataclass(frozen=True)
class Frame(Photo):
    """A frame of a film."""

    time: int = 0
    """When it is shown, in the film's time unit."""


@dataclass(frozen=True)
class Head:
    """Header of a film."""

    path: Path
    """The file."""
    name: str
    """Its name in messages."""
    look: Look
    """How frames are stored."""
    count: int
    """Number of frames, estimated unless `is_counted`."""
    is_counted: bool
    """Whether the file states the count."""
    unit: Fraction
    """Time unit, seconds."""
    rate: Fraction | None
    """Average frames a second."""
    seconds: float
    """Duration; 0 if the header does not state it."""
    sounds: tuple[str, ...]
    """Codecs of its sound."""
    left_out: str
    """Streams that will not be copied, in words."""

    @property
    def format(self) -> str:
        """Format that it is written in."""
        return FILM_ENDINGS.get(self.path.suffix.lower(), "MKV")


def to_rgb(frame: Any, look: Look) -> NDArray[np.uint16]:
    """The (h, w, 3) pixels of a decoded frame, as it is stored."""
    rgb = _bare(frame).reformat(
        format="rgb48le",
        src_colorspace=_matrix(look),
        src_color_range=_range(look),
        dst_color_range=FULL_RANGE,
        interpolation=UP,
    )
    pixels: NDArray[np.uint16] = rgb.to_ndarray()
    return pixels


def _bare(frame: Any) -> Any:
    """The same pixels without the frame's chroma location.

    swscale uses it when converting to RGB but not back, which would move chroma by half a pixel.
    """
    import av

    bare = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for target, source in zip(bare.planes, frame.planes, strict=True):
        rows = np.frombuffer(source, np.uint8).reshape(source.height, source.line_size)
        copy = np.zeros((target.height, target.line_size), np.uint8)
        width = min(target.line_size, source.line_size)
        copy[:, :width] = rows[:, :width]
        target.update(copy.tobytes())
    return bare


def _matrix(look: Look) -> int:
    """The film's matrix, or the one that players assume if it states none."""
    if look.matrix in MATRICES:
        return look.matrix
    if look.matrix not in (0, UNKNOWN):
        raise NotReadError(
            f"a film with colour matrix {look.matrix}, which hfpie does not read", "convert it to BT.709"
        )
    return BT709 if look.height >= HD_HEIGHT else BT601


def from_rgb(pixels: Pixels, look: Look) -> Any:
    """A frame as the film's are stored, of (h, w, 3) pixels of uint16."""
    import av

    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb48le").reformat(
        format=stored_as(look),
        dst_colorspace=_matrix(look),
        src_color_range=FULL_RANGE,
        dst_color_range=_range(look),
        interpolation=DOWN,
    )


def _range(look: Look) -> int:
    """FFmpeg's colour range; films that state none have limited range."""
    return FULL_RANGE if look.range == FULL_RANGE else LIMITED_RANGE


def stored_as(look: Look) -> str:
    """The pixel format to write: `yuvj` is yuv in full range, which has its own tag."""
    return look.pixels.replace("yuvj", "yuv")
