"""Reads TIFF: what a file holds, and samples of 16 bits or floats. Pillow reads 8 bits, but not of big-endian BigTIFF.

tifffile does the work, with OpenCV for the compressions that it leaves to an optional package. Arrays are (h, w) or
(h, w, c) in the order RGB(A).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION

from . import exif
from .lab import lab_to_srgb
from .photo import FULL_SCALE, NotReadError
from .tiff_layout import RAW
from .tiff_tags import PHOTOSHOP_LAYERS, Tag, kept_tags

WHITE_IS_ZERO, PLANAR, PREMULTIPLIED, UNSPECIFIED = 0, 2, 1, 0  # values of the tags PhotometricInterpretation and so on
COLOURS = {WHITE_IS_ZERO: 1, 1: 1, 2: 3}  # samples of each photometric interpretation that is read
CIE_LAB, ICC_LAB = 8, 9
LABS = {CIE_LAB, ICC_LAB}
NAMES = {3: "palette colours", 5: "CMYK", 6: "YCbCr", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv"}
COMPLEX = (5, 6)  # sample formats
HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)


@dataclass(frozen=True)
class TiffKind:
    """What a TIFF page holds."""

    by_tifffile: bool
    """Whether `decode` reads it: more than 8 bits, Lab, or a file that Pillow cannot read."""
    is_lab: bool
    """Whether its colours are Lab."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    tags: tuple[Tag, ...]
    """Tags to keep."""
    notes: tuple[str, ...] = ()
    """Remarks for the user."""


def probe(data: bytes) -> TiffKind:
    """What the first page of a TIFF file holds. Raises NotReadError for samples that hfpie does not read."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        if page.sampleformat in COMPLEX:
            raise NotReadError("TIFF of complex numbers, which hfpie does not read", "save their magnitudes as float32")
        usual = page.dtype is None or page.dtype in (np.uint8, bool)  # float64 equals None
        unknown = file.is_bigtiff and file.byteorder == ">"  # to Pillow
        by_tifffile = not usual or page.photometric == ICC_LAB or unknown
        if by_tifffile:
            _check_samples(page)
        elif len(page.extrasamples) > 1 or UNSPECIFIED in page.extrasamples:
            raise NotReadError("it has channels other than colour and alpha", "save it without them")
        notes = ["its layers are left out"] if PHOTOSHOP_LAYERS in page.tags else []
        notes += ["its Lab colours become sRGB"] if page.photometric in LABS else []
        size = page.imagewidth, page.imagelength
        return TiffKind(by_tifffile, page.photometric in LABS, *size, kept_tags(data, page), tuple(notes))


def _check_samples(page: tifffile.TiffPage) -> None:
    """Raise NotReadError, which names the kind, for samples that are not read."""
    kind, bits = page.dtype, page.bitspersample
    if page.photometric in RAW:
        raise NotReadError(
            "camera raw in a TIFF that is not a DNG", "convert it to 16-bit RGB in a raw developer first"
        )
    if kind is not None and kind.kind == "i":
        hint = f"add {2 ** (bits - 1):,} to its values and save them as uint16, or as float32 from 0 to 1"
        raise NotReadError(f"TIFF of signed {bits}-bit numbers, which hfpie does not read", hint)
    if kind is not None and kind.kind == "u" and bits > 16:
        hint = "divide its values and save them as uint16, or as float32 with white at 1"
        raise NotReadError(f"TIFF of {bits} bits per sample, which hfpie does not read", hint)
    if kind not in (np.uint8, np.uint16, HALF, SINGLE) or bits not in (8, 16, 32):
        hint = "save it with 16 bits per sample, or as float32 with white at 1"
        raise NotReadError(f"TIFF of {bits} bits per sample ({kind}), which hfpie does not read", hint)
    colours = 3 if page.photometric in LABS and kind in (np.uint8, np.uint16) else COLOURS.get(int(page.photometric))
    if colours is None:
        name = NAMES.get(int(page.photometric), f"photometric interpretation {int(page.photometric)}")
        raise NotReadError(
            f"TIFF of {name} with {bits} bits per sample, which hfpie does not read", "convert it to RGB"
        )
    if page.samplesperpixel - colours not in (0, 1) or (page.photometric in LABS and page.samplesperpixel != colours):
        message = f"TIFF of {page.samplesperpixel} channels with {bits} bits each, which hfpie does not read"
        raise NotReadError(message, "save only its grey or RGB channels, with or without alpha")


def decode(data: bytes) -> NDArray[Any]:
    """The pixels as stored, not turned: uint8, uint16 or float32. Raises ValueError if decoding fails."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        try:
            pixels = page.asarray()
            if page.planarconfig == PLANAR and pixels.ndim == 3:
                pixels = np.moveaxis(pixels, 0, -1)
        except (ValueError, ImportError, KeyError):  # a compression that tifffile leaves to an optional package
            if page.photometric in LABS or page.dtype == HALF or file.is_bigtiff:
                kind = COMPRESSION(page.compression).name
                message = f"TIFF of this kind with {kind} compression, which hfpie does not read"
                raise NotReadError(message, "save it with deflate compression, or uncompressed") from None
            from .opencv import decode as decode_by_opencv

            pixels = decode_by_opencv(exif.upright(data))  # OpenCV would turn the picture by itself
        if page.photometric in LABS:
            return lab_to_srgb(pixels, signed=page.photometric == CIE_LAB)
        pixels = pixels.astype(np.float32) if page.dtype == HALF else pixels
        top = FULL_SCALE[pixels.dtype.name]
        if page.photometric == WHITE_IS_ZERO:
            pixels = (top - pixels).astype(pixels.dtype)
        if page.extrasamples == (PREMULTIPLIED,):
            alpha = pixels[..., -1:].astype(np.float64)
            colours = (pixels[..., :-1] * (top / np.maximum(alpha, top * 1e-6))).clip(0, top)
            colours = colours if top == 1.0 else np.rint(colours)
            pixels = np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], -1)
        return np.ascontiguousarray(pixels)
