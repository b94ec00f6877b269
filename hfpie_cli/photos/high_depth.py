"""Pixels of more than 8 bits, which Pillow cannot hold, in PNG, PPM and AVIF; `tiff.py` does TIFF.

OpenCV decodes PNG and AVIF and encodes PPM and AVIF. Arrays are (h, w) or (h, w, c) in the order RGB(A), uint16.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import boxes, headers
from .photo import Metadata, NotReadError, Photo

Samples = NDArray[Any]  # of uint16

BETWEEN = rb"(?:\s|#[^\n]*+\n)++"  # spaces and comments of any length, without going back over them
PPM_HEADER = re.compile(BETWEEN.join((rb"P([2356])", rb"(\d{1,10})", rb"(\d{1,10})", rb"(\d{1,10})\s")))
AVIF_BITS = (10, 12)


@dataclass(frozen=True)
class HighDepthKind:
    """A file of more than 8 bits a sample, as `probe` found it."""

    format: str
    """A key of FORMATS."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    bits: int = 16
    """Bits of a sample."""
    start: int = 0
    """Offset of a PPM's samples."""
    top: int = 65535
    """White of a PPM's samples."""


def probe(data: bytes) -> HighDepthKind | None:
    """The kind of a file (except TIFF) with more than 8 bits per sample; None for any other."""
    if data[:8] == headers.PNG_SIGNATURE and len(data) > 26 and data[24] == 16:
        width, height = struct.unpack(">II", data[16:24])
        return HighDepthKind("PNG", width, height)
    if boxes.kind_of(data) == "AVIF":
        width, height, bits = boxes.size_and_bits(data)
        return HighDepthKind("AVIF", width, height, bits) if bits in AVIF_BITS and width and height else None
    header = PPM_HEADER.match(data)
    if header and int(header[4]) > 255 and header[1] in b"23":
        raise NotReadError("16-bit PPM as text, which hfpie does not read", "save it as binary PPM or PGM")
    if header and int(header[4]) > 255:
        return HighDepthKind("PPM", int(header[2]), int(header[3]), 16, header.end(), int(header[4]))
    return None


def decode(data: bytes, kind: HighDepthKind) -> Samples | None:
    """Pixels as stored, not turned; None for an AVIF that OpenCV cannot read. Raises ValueError if decoding fails."""
    if kind.format == "PPM":
        return _decode_ppm(data, kind)
    from .opencv import cv2
    from .opencv import decode as decode_by_opencv

    if kind.format == "PNG":
        return decode_by_opencv(data)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != (kind.height, kind.width):
        return None
    pixels = pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return to_full_scale(pixels, kind.bits)


def to_full_scale(pixels: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    """Samples of `bits` bits scaled to 0 to 65535."""
    return np.rint(pixels * (65535 / (2**bits - 1))).astype(np.uint16)


def _decode_ppm(data: bytes, kind: HighDepthKind) -> Samples:
    channels = 3 if data[1:2] == b"6" else 1
    count = kind.width * kind.height * channels
    if not 255 < kind.top <= 65535 or len(data) - kind.start < 2 * count:
        raise ValueError("its header does not match its size")
    samples = np.frombuffer(data, ">u2", count, kind.start).reshape(kind.height, kind.width, channels)
    if kind.top == 65535:
        return samples.astype(np.uint16)
    return np.rint(samples.clip(0, kind.top) * np.float64(65535 / kind.top)).astype(np.uint16)


def encode(photo: Photo, quality: int) -> bytes:
    """The PPM or AVIF file of a photo of 16 bits, with its metadata. AVIF keeps 10 bits, or 12 if it had 12.

    Raises ValueError if OpenCV cannot encode it.
    """
    from .opencv import cv2

    try:
        return _encode(photo, quality)
    except cv2.error as error:
        raise ValueError(str(error)) from None


def _encode(photo: Photo, quality: int) -> bytes:
    from .opencv import cv2

    pixels = photo.samples()
    if pixels.shape[2] == 2:  # OpenCV cannot write grey with alpha
        pixels = pixels[..., [0, 0, 0, 1]]
    if photo.format == "AVIF":
        return _encode_avif(pixels, photo.metadata, quality)
    if pixels.shape[2] > 1:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    done, encoded = cv2.imencode(".pgm" if pixels.shape[2] == 1 else ".ppm", pixels)
    if not done:
        raise ValueError(f"{photo.format} does not hold these pixels")
    file: bytes = encoded.tobytes()
    return file


def _encode_avif(pixels: Samples, metadata: Metadata, quality: int) -> bytes:
    from .opencv import cv2

    bits = metadata.bits if metadata.bits in AVIF_BITS else AVIF_BITS[0]
    scaled = np.rint(pixels * ((2**bits - 1) / 65535)).astype(np.uint16)
    colours = scaled[..., [0, 0, 0] if scaled.shape[2] == 1 else [2, 1, 0, 3][: scaled.shape[2]]]
    blocks = {
        cv2.IMAGE_METADATA_EXIF: metadata.exif,
        cv2.IMAGE_METADATA_XMP: metadata.xmp,
        cv2.IMAGE_METADATA_ICCP: metadata.icc,
    }
    held = {kind: np.frombuffer(block, np.uint8) for kind, block in blocks.items() if block}
    settings = [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_DEPTH, bits]
    done, encoded = cv2.imencodeWithMetadata(".avif", colours, list(held), list(held.values()), settings)
    if not done:
        raise ValueError("AVIF does not hold these pixels")
    file: bytes = encoded.tobytes()
    return boxes.with_points(file, metadata.points) if metadata.points else file
