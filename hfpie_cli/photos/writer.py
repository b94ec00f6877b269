"""The photo door, outwards: a `Photo` becomes a file that is whole or not there."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from ..errors import HfpieError
from ..files import atomic_path
from . import deep, exif, tiff
from .formats import DEEP_FORMATS, OutputStyle, check_format
from .photo import Metadata, Photo, to_8bit


def write_photo(photo: Photo, path: Path, style: OutputStyle, *, overwrite: bool = True) -> None:
    """Encode and write, under a temporary name first. Raises HfpieError naming the path.

    Without `overwrite`, a file that has come to be there in the meantime is left alone.
    """
    data = encode_photo(photo, style, name=str(path))
    try:
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise HfpieError(f"{path}: cannot be written ({error.strerror})") from None


def encode_photo(photo: Photo, style: OutputStyle, *, name: str) -> bytes:
    """The bytes of the file. Raises HfpieError naming `name` for what the format cannot hold."""
    photo = replace(photo, format=style.format or photo.format)
    if style.strip_metadata:  # the ICC profile stays: without it the colours would be others
        photo = replace(photo, metadata=Metadata(icc=photo.metadata.icc))
    if is_grey_profile(photo.metadata.icc) and not _written_grey(photo):
        photo = replace(photo, metadata=replace(photo.metadata, icc=b""))
    check_format(photo.format, photo.width, photo.height, alpha=photo.alpha is not None, name=name)
    try:
        if photo.format == "TIFF":
            return tiff.encode(photo)
        if photo.pixels.dtype.name in DEEP_FORMATS.get(photo.format, set()):
            return deep.encode(photo)
        return _encode_8bit(photo, style.quality)
    except (ValueError, OSError, MemoryError, deep.ENCODE_ERRORS) as error:
        message = f"{name}: cannot be encoded as {photo.format} ({error})".splitlines()[0]
        raise HfpieError(message, "try --format png or --strip-metadata") from None


def is_grey_profile(icc: bytes) -> bool:
    """Whether an ICC profile describes grey; it must not stand in a file of colours."""
    return icc[16:20] == b"GRAY"


def _written_grey(photo: Photo) -> bool:
    """Whether the file will be grey: WebP and AVIF have colours only, and OpenCV no 16-bit grey with alpha."""
    deep_alpha = photo.alpha is not None and photo.pixels.dtype == np.uint16 and photo.format == "PNG"
    return photo.pixels.shape[2] == 1 and photo.format not in {"WEBP", "AVIF"} and not deep_alpha


def _encode_8bit(photo: Photo, quality: int) -> bytes:
    pixels = to_8bit(photo.samples())
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    image.save(buffer, photo.format, **_save_options(photo, quality))
    return buffer.getvalue()


def _save_options(photo: Photo, quality: int) -> dict[str, Any]:
    """Pillow's arguments for the format: its quality settings and the metadata that it can carry."""
    metadata, form = photo.metadata, photo.format
    by_format: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": 0},
        "WEBP": {"quality": quality, "exact": True},
        "AVIF": {"quality": quality, "subsampling": "4:4:4"},
    }
    options = by_format.get(form, {})
    if form in {"BMP", "PPM"}:
        return {"dpi": metadata.dpi} if metadata.dpi and form == "BMP" else {}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif:
        options["exif"] = exif.PREFIX + metadata.exif
    if metadata.dpi and form in {"PNG", "JPEG"}:
        options["dpi"] = metadata.dpi
    if metadata.xmp and form == "PNG":
        options["pnginfo"] = info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    elif metadata.xmp:
        options["xmp"] = metadata.xmp
    return options
