"""Writes a `Photo` to a file, complete or not at all."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..errors import HfpieError
from ..files import atomic_path
from . import boxes, colour, companions, exif, high_depth, png, png_write, tiff_tags
from .formats import FORMATS, RESOURCES_PREFIX, OutputStyle, format_named
from .limits import check_memory
from .photo import Metadata, Photo, to_8bit, to_16bit


def write_photo(photo: Photo, path: Path, style: OutputStyle, *, overwrite: bool = True) -> None:
    """Encode and write, under a temporary name first. Raises HfpieError naming the path.

    Without `overwrite`, keeps a file that has appeared in the meantime.
    """
    try:
        with atomic_path(path, overwrite=overwrite) as temporary, temporary.open("w+b") as stream:
            write_into(stream, photo, style, name=str(path))
    except OSError as error:
        raise HfpieError(f"{path}: cannot be written ({error.strerror})") from None


def encode_photo(photo: Photo, style: OutputStyle, *, name: str) -> bytes:
    """The bytes of the file. Raises HfpieError naming `name` for what the format cannot hold."""
    buffer = io.BytesIO()
    write_into(buffer, photo, style, name=name)
    return buffer.getvalue()


def write_into(stream: BinaryIO, photo: Photo, style: OutputStyle, *, name: str) -> None:
    """Write the bytes of the file into a stream that can seek and be read: PNG and TIFF strip by strip.

    Raises HfpieError naming `name` for what the format cannot hold, OSError where the stream cannot be written.
    """
    photo = prepared(photo, style, name=name)
    try:
        _encode_into(stream, photo, style.quality)
    except (ValueError, OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the stream; errors of encoders have no number
            raise
        message = f"{name}: cannot be encoded as {photo.format} ({error})".splitlines()[0]
        raise HfpieError(message, "try --format png or --strip-metadata") from None


def _encode_into(stream: BinaryIO, photo: Photo, quality: int) -> None:
    if photo.format == "TIFF":
        from . import tiff_write  # imports tifffile, which few need

        tiff_write.write(photo, stream)
    elif photo.format == "PNG":
        png_write.write(photo, stream)
    elif photo.pixels.dtype.name in FORMATS[photo.format].depths:
        stream.write(high_depth.encode(photo, quality))
    else:
        stream.write(_encode_8bit(photo, quality))


def prepared(photo: Photo, style: OutputStyle, *, name: str) -> Photo:
    """The photo with the format, the metadata and the depth that its file will have. Raises as `encode_photo` does."""
    photo = replace(photo, format=style.format or photo.format)
    if style.strip_metadata:
        photo = replace(photo, metadata=_colours_alone(photo.metadata))
    if _loses_exif(photo.metadata, photo.format):
        photo = replace(photo, metadata=replace(photo.metadata, exif=b""))
    photo = replace(photo, metadata=_with_kept_companions(photo))
    photo = replace(photo, metadata=_sized(photo))
    if is_grey_profile(photo.metadata.icc) and not _written_grey(photo):
        photo = replace(photo, metadata=replace(photo.metadata, icc=b""))
    check_writable(photo, style, name=name)
    photo = replace(photo, metadata=colour.fitted(photo.metadata, photo.format, grey=_written_grey(photo)))
    if photo.pixels.dtype == np.float32 and FORMATS[photo.format].depths == ("uint16",):
        alpha = None if photo.alpha is None else to_16bit(photo.alpha)
        photo = replace(photo, pixels=to_16bit(photo.pixels), alpha=alpha)
    return photo


def check_writable(photo: Photo, style: OutputStyle, *, scale: int = 1, frames: int = 1, name: str) -> None:
    """Raise HfpieError, before anything is computed, if no file of the style can hold the photo enlarged `scale` times.

    frames: number of such pictures in the file.
    """
    form = style.format or photo.format
    height, width, metadata = scale * photo.height, scale * photo.width, photo.metadata
    row = FORMATS[form]
    if row.max_side and max(width, height) > row.max_side:
        message = f"{name}: {width} x {height} pixels do not fit in {form} (at most {row.max_side:,} a side)"
        raise HfpieError(message, "choose another format, such as --format png")
    size = height * width * photo.pixels.itemsize * (photo.pixels.shape[2] + (photo.alpha is not None))
    check_memory(
        name, size * frames * (1 if row.strips and frames == 1 else 2)
    )  # the pixels, and the file made of them
    if photo.alpha is not None and not row.alpha:
        raise HfpieError(f"{name}: has transparency, which {form} cannot hold", "choose --format png")
    if row.max_block and not style.strip_metadata and max(len(metadata.exif), len(metadata.xmp)) > row.max_block:
        message = f"{name}: its EXIF or XMP is longer than the {row.max_block:,} bytes that {form} can hold"
        raise HfpieError(message, "choose --format png, or --strip-metadata")
    try:
        colour.fitted(metadata, form, grey=False)
    except colour.ColourError as error:
        raise HfpieError(f"{name}: {error}", "choose --format png or avif") from None


def remarks(photo: Photo, style: OutputStyle, target: Path | None, *, scale: int) -> tuple[str, ...]:
    """Remarks for the user on how a photo was read and will be written, `scale` times as large, a line each."""
    form = style.format or photo.format
    named = format_named(target.suffix) if target else None
    wrong = (
        [f"it holds {form}, although its name ends in {target.suffix}"] if target and named not in (None, form) else []
    )
    return (*photo.notes, *losses(photo, style, scale=scale), *wrong)


def losses(photo: Photo, style: OutputStyle, *, scale: int = 1) -> tuple[str, ...]:
    """What a file of the style cannot hold of a photo, a line each, except what --strip-metadata removes."""
    form, metadata = style.format or photo.format, photo.metadata
    lines = [] if style.strip_metadata else [tiff_tags.left_out(metadata.tags, form)]
    lights = {name.decode() for name, _ in metadata.chunks} & {"mDCV", "cLLI"}
    if lights and form != "PNG" and colour.hdr_name(metadata):
        lines.append(f"{' and '.join(sorted(lights))} (mastering brightness) do not fit in {form} and are left out")
    if _loses_exif(metadata, form) and not style.strip_metadata:
        lines.append(f"its EXIF is broken and is left out of {form}")
    if metadata.bits > 8 and not FORMATS[form].depths:
        lines.append(f"its {metadata.bits} bits become 8 in {form}")
    if form == "AVIF" and photo.pixels.dtype != np.uint8 and style.quality < 100:
        lines.append("10-bit AVIF halves the resolution of its colours; --quality 100 is lossless")
    if photo.metadata.gain_map and (form != "JPEG" or style.strip_metadata or scale > 1):
        lines.append("its gain map (Ultra HDR) is left out")
    if photo.others:
        lines.append("its other contents (a preview, a video) are left out")
    return tuple(line for line in lines if line)


def _colours_alone(metadata: Metadata) -> Metadata:
    """Keep only what defines the colours."""
    chunks = tuple(chunk for chunk in metadata.chunks if chunk[0] in png.COLOUR_CHUNKS)
    return Metadata(icc=metadata.icc, chunks=chunks, points=metadata.points, bits=metadata.bits)


def _loses_exif(metadata: Metadata, form: str) -> bool:
    """Whether its EXIF is broken and the format's writer parses it; other writers keep it unchanged."""
    return form in ("AVIF", "TIFF") and exif.is_broken(metadata.exif)


def _sized(photo: Photo) -> Metadata:
    """Set the current size of the picture, which may have been turned or enlarged."""
    metadata, size = photo.metadata, (photo.width, photo.height)
    scale = photo.width / metadata.size[0] if metadata.size else 1.0
    return replace(
        metadata,
        exif=exif.sized(metadata.exif, *size),
        xmp=exif.sized_xmp(metadata.xmp, *size),
        tags=tiff_tags.scaled_tags(metadata.tags, scale),
        per_unit=metadata.per_unit and (metadata.per_unit[0] * scale, metadata.per_unit[1] * scale),
        size=size,
    )


def _with_kept_companions(photo: Photo) -> Metadata:
    """Keep the gain map only if it fits, and only its entries in the XMP packet."""
    metadata = photo.metadata
    fits = photo.format == "JPEG" and metadata.size == (photo.width, photo.height)
    gain_map = metadata.gain_map if fits else b""
    xmp = companions.without_companions(metadata.xmp, gain_map=bool(gain_map))
    return replace(metadata, gain_map=gain_map, xmp=xmp)


def is_grey_profile(icc: bytes) -> bool:
    """Whether an ICC profile describes grey; a colour file must not have it."""
    return icc[16:20] == b"GRAY"


def _written_grey(photo: Photo) -> bool:
    """Whether the file will be grey: WebP and AVIF are always RGB, and OpenCV has no 16-bit grey with alpha."""
    wide_alpha = photo.alpha is not None and photo.pixels.dtype == np.uint16 and photo.format == "PNG"
    return photo.pixels.shape[2] == 1 and FORMATS[photo.format].grey and not wide_alpha


def _encode_8bit(photo: Photo, quality: int) -> bytes:
    pixels = to_8bit(photo.samples())
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # Pillow's warnings about EXIF that it passes on
        image.save(buffer, photo.format, **save_options(photo, quality))
    if photo.format == "AVIF" and photo.metadata.points:
        return boxes.with_points(buffer.getvalue(), photo.metadata.points)
    if photo.metadata.gain_map:
        return companions.with_gain_map(buffer.getvalue(), photo.metadata.gain_map)
    return buffer.getvalue()


def save_options(photo: Photo, quality: int) -> dict[str, Any]:
    """Pillow's arguments for the format: quality settings and the metadata that it can hold."""
    metadata, row = photo.metadata, FORMATS[photo.format]
    if photo.format == "PNG":  # png.py writes its metadata
        return {"compress_level": png_write.LEVELS[8]}
    block = exif.without_orientation(metadata.exif) if photo.format == "AVIF" else metadata.exif
    blocks = {
        "icc": ("icc_profile", metadata.icc),
        "exif": ("exif", block and exif.PREFIX + block),
        "xmp": ("xmp", metadata.xmp),
        "dpi": ("dpi", metadata.dpi),
        "resources": ("extra", b"".join(_resource_segments(metadata.resources))),
        "comment": ("comment", metadata.comment),
    }
    held = dict(argument for block, argument in blocks.items() if block in row.blocks and argument[1])
    return {**row.saving, **({"quality": quality} if row.lossy else {}), **held}


def _resource_segments(resources: bytes) -> Iterator[bytes]:
    """The APP13 segments of a JPEG that hold Photoshop's resources."""
    room = 65533 - len(RESOURCES_PREFIX)
    for at in range(0, len(resources), room):
        body = RESOURCES_PREFIX + resources[at : at + room]
        yield b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
