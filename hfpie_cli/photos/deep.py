"""Pixels of more than 8 bits, which Pillow does not hold: 16-bit PNG and PPM; TIFF has a module of its own.

OpenCV decodes PNG and encodes both. Arrays are (h, w) or (h, w, c) in the order RGB(A), uint16 or float32.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import headers, png, tiff, tiff_layout
from .photo import Photo

DeepPixels = NDArray[Any]  # of uint16 or float32

PPM_HEADER = re.compile(rb"P([2356])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
ENCODE_ERRORS = cv2.error


@dataclass(frozen=True)
class DeepKind:
    """What `probe` found: a format of more than 8 bits and its size. others: pages that are previews.

    start, top: of a PPM's samples.
    """

    format: str
    width: int
    height: int
    others: int = 0
    start: int = 0
    top: int = 65535


def probe(data: bytes) -> DeepKind | None:
    """The kind of a file whose samples have more than 8 bits, None for any other."""
    if data[:8] == headers.PNG_SIGNATURE and len(data) > 26 and data[24] == 16:
        width, height = struct.unpack(">II", data[16:24])
        return DeepKind("PNG", width, height)
    if data[:4] in tiff_layout.SIGNATURES:
        found = tiff.probe(data)
        return DeepKind("TIFF", *found) if found else None
    header = PPM_HEADER.match(data[:1000])
    if header and int(header[4]) > 255 and header[1] in b"23":
        raise ValueError("PPM files of 16 bits are read if binary, not as text")
    if header and int(header[4]) > 255:
        return DeepKind("PPM", int(header[2]), int(header[3]), 0, header.end(), int(header[4]))
    return None


def decode(data: bytes, kind: DeepKind) -> DeepPixels:
    """The pixels as they are stored, not turned. Raises ValueError for what does not decode."""
    if kind.format == "PPM":
        return _decode_ppm(data, kind)
    return tiff.decode(data) if kind.format == "TIFF" else tiff.decode_opencv(data)


def _decode_ppm(data: bytes, kind: DeepKind) -> DeepPixels:
    channels = 3 if data[1:2] == b"6" else 1
    count = kind.width * kind.height * channels
    if not 255 < kind.top <= 65535 or len(data) - kind.start < 2 * count:
        raise ValueError("its header does not fit its size")
    samples = np.frombuffer(data, ">u2", count, kind.start).reshape(kind.height, kind.width, channels)
    if kind.top == 65535:
        return samples.astype(np.uint16)
    return np.rint(samples.clip(0, kind.top) * np.float64(65535 / kind.top)).astype(np.uint16)


def encode(photo: Photo) -> bytes:
    """The PNG or PPM file of a photo of 16 bits, with its metadata."""
    pixels = photo.samples()
    if pixels.shape[2] == 2:  # OpenCV writes no grey with alpha
        pixels = pixels[..., [0, 0, 0, 1]]
    if pixels.shape[2] > 1:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    suffix = {"PNG": ".png", "PPM": ".pgm" if pixels.shape[2] == 1 else ".ppm"}[photo.format]
    done, encoded = cv2.imencode(suffix, pixels)
    if not done:
        raise ValueError(f"{photo.format} does not hold these pixels")
    file: bytes = encoded.tobytes()
    return png.with_metadata(file, photo.metadata) if photo.format == "PNG" else file
