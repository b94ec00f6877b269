"""Reads camera raw with rawpy (LibRaw), the extra `raw`.

It is developed first, because the network expects developed pictures: camera white balance, wide gamut, a gamma.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from . import exif, icc, tiff_layout
from .colour import PRIMARIES
from .photo import Metadata, NotReadError, Photo
from .tiff_layout import DNG_VERSION, PHOTOMETRIC, RAW, SIGNATURES, SUB_DIRECTORIES

MAGIC = (
    b"FUJIFILMCCD-RAW",
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
    b"\0MRM",
    b"FOVb",
)  # raw that is not TIFF
BYTES_PER_PIXEL = 24  # of memory per pixel while LibRaw develops
GAMMA, REC2020 = 2.2, 9


def is_raw(data: bytes) -> bool:
    """Whether the bytes are a camera raw file, judging by its header."""
    if data[:4] in SIGNATURES:
        return data[8:11] == b"CR\x02" or _is_raw_tiff(data)
    return data.startswith(MAGIC) or data[4:12] == b"ftypcrx "


def _is_raw_tiff(data: bytes) -> bool:
    layout = tiff_layout.Layout(data)
    first = layout.page(layout.full[0])
    if DNG_VERSION in first.tags or first.one(PHOTOMETRIC, 0) in RAW:
        return True
    below = (layout.page(int(offset)) for offset in first.tags.get(SUB_DIRECTORIES, ()))
    return any(page.one(PHOTOMETRIC, 0) in RAW for page in below)


def open_raw(data: bytes) -> Any:
    """The file as rawpy opens it, not developed yet. Raises NotReadError without rawpy, or if LibRaw fails."""
    try:
        import rawpy
    except ImportError:
        raise NotReadError(
            "camera raw needs pip install 'hfpie[raw]'", "or convert it to TIFF in a raw developer first"
        ) from None
    try:
        return rawpy.imread(io.BytesIO(data))
    except rawpy.LibRawError as error:
        raise NotReadError(
            f"camera raw that LibRaw cannot open ({error})", "convert it to TIFF in a raw developer first"
        ) from None


def decode(data: bytes, file: Any) -> Photo:
    """The raw file developed to 16 bits, upright: Rec. 2020, gamma 2.2, for a TIFF to be written."""
    import rawpy

    with file:
        block = _exif(data, file)
        pixels = file.postprocess(
            output_bps=16,
            use_camera_wb=True,
            no_auto_bright=True,
            output_color=rawpy.ColorSpace.Rec2020,
            gamma=(GAMMA, 0),
        )
    metadata = Metadata(
        icc=icc.colour_profile(PRIMARIES[REC2020], GAMMA), exif=block, size=(pixels.shape[1], pixels.shape[0])
    )
    return Photo(np.ascontiguousarray(pixels), None, metadata, "TIFF", notes=("developed from camera raw",))


def _exif(data: bytes, file: Any) -> bytes:
    """EXIF of the embedded preview, or of a DNG's own directory, without thumbnail and orientation."""
    import rawpy

    try:
        preview = file.extract_thumb()
        with Image.open(io.BytesIO(preview.data)) as image:
            block = exif.strip_prefix(image.info.get("exif") or b"")
        if block[:2] in (b"II", b"MM"):
            return exif.upright(block)
    except (rawpy.LibRawError, UnidentifiedImageError, TypeError, OSError):
        pass
    return exif.from_tiff(data)
