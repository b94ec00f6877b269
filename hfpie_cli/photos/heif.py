"""Reads HEIC and HEIF with pi-heif, the extra `heif`."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import boxes, exif
from .high_depth import to_full_scale
from .photo import Metadata, NotReadError, Photo, split_alpha


def open_heif(data: bytes) -> Any:
    """The file as pi-heif opens it, not decoded yet. Raises NotReadError without pi-heif."""
    try:
        import pi_heif
    except ImportError:
        raise NotReadError("HEIC needs pip install 'hfpie[heif]'", "or convert it to JPEG or TIFF first") from None
    return pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, bgr_mode=False)


def decode(data: bytes, file: Any) -> Photo:
    """The primary picture, upright as the decoder turns it, for a JPEG to be written."""
    image = file[file.primary_index]
    bits = int(image.info.get("bit_depth", 8))
    pixels, alpha = split_alpha(_full_scale(np.asarray(image), bits))
    block = exif.strip_prefix(image.info.get("exif") or b"")
    turn = exif.orientation(block)
    metadata = Metadata(
        icc=image.info.get("icc_profile") or b"",
        exif=exif.upright(block) if block[:2] in (b"II", b"MM") else b"",
        xmp=exif.upright_xmp(image.info.get("xmp") or b"", turn),
        points=boxes.colour_points(data),
        bits=bits if bits > 8 else 0,
        size=(pixels.shape[1], pixels.shape[0]),
    )
    notes = [f"only the main one of its {len(file)} pictures is restored"] if len(file) > 1 else []
    notes += ["its depth or gain map is left out"] if image.info.get("aux") or image.info.get("depth_images") else []
    return Photo(pixels, alpha, metadata, "JPEG", notes=tuple(notes))


def _full_scale(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """16-bit samples, which use the upper bits, scaled to 0 to 65535; 8-bit ones unchanged."""
    return pixels if pixels.dtype == np.uint8 else to_full_scale(pixels >> (16 - bits), bits)
