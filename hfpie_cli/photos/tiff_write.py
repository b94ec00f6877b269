"""Writes TIFF: a photo of any depth with its metadata, as BigTIFF from 4 GB on."""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO

import tifffile

from ..settings import default_threads
from . import exif
from .directories import Body, Entry, reordered
from .photo import Photo
from .tiff_layout import Layout
from .tiff_tags import Tag

MAX_CLASSIC = 2**32 - 2**26  # bytes of pixels, with a margin for metadata: offsets have 32 bits
NO_UNIT, INCH = 1, 2
OME_LENGTH = re.compile(r'\b(Size|PhysicalSize)([XY])="([0-9.eE+-]+)"')
ASCII, TEXTS = 2, (2, 129)  # types: texts are in UTF-8 in both
FRACTIONS = {5: "I", 10: "i"}  # types, and those of their two numbers


def write(photo: Photo, stream: BinaryIO) -> None:
    """Write the file of a photo of any depth, with its metadata, into a stream that can seek and be read."""
    metadata, pixels = photo.metadata, photo.samples()
    layout = exif.laid_out(metadata.exif)
    tifffile.imwrite(
        stream,
        pixels[..., 0] if pixels.shape[2] == 1 else pixels,
        bigtiff=pixels.nbytes > MAX_CLASSIC,
        byteorder="<",
        photometric="rgb" if pixels.shape[2] >= 3 else "minisblack",
        planarconfig="contig" if pixels.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if photo.alpha is not None else None,
        compression="zlib",
        maxworkers=default_threads(),
        metadata=None,
        software=False,
        resolution=metadata.dpi or metadata.per_unit,
        resolutionunit=INCH if metadata.dpi else NO_UNIT,
        iccprofile=metadata.icc or None,
        extratags=_extra_tags(photo, layout),
    )
    _add_directories(stream, metadata.exif, layout)


def _extra_tags(photo: Photo, layout: Layout | None) -> list[tuple[int, int, int, Any, bool]]:
    metadata = photo.metadata
    tags: list[tuple[int, int, int, Any, bool]] = [(exif.ORIENTATION, 3, 1, 1, True)]
    if metadata.xmp:
        tags.append((700, 1, len(metadata.xmp), metadata.xmp, True))
    if metadata.resources:
        tags.append((34377, 1, len(metadata.resources), metadata.resources, True))
    described = [_described(one, layout, photo) for one in exif.described(metadata.exif, layout)] if layout else []
    return tags + [(tag.code, tag.type, tag.count, _value(tag), True) for tag in (*described, *metadata.tags)]


def _described(one: Entry, layout: Layout, photo: Photo) -> Tag:
    """An entry of EXIF's first directory; texts end with a zero."""
    if one.kind not in TEXTS:
        return Tag(one.tag, one.kind, one.count, reordered(one, layout.order, "<"))
    text = one.value.rstrip(b"\0")
    if one.tag == exif.DESCRIPTION:
        text = sized_ome(text.decode("latin-1"), photo.width, photo.height).encode("latin-1")
    return Tag(one.tag, ASCII, len(text) + 1, text + b"\0")


def sized_ome(text: str, width: int, height: int) -> str:
    """OME-XML, the description that microscopes write, of a picture of this size; any other text as it is."""
    first = {axis: value for kind, axis, value in reversed(OME_LENGTH.findall(text)) if kind == "Size"}
    if "<OME" not in text or len(first) < 2 or not all(value.isdecimal() and int(value) for value in first.values()):
        return text
    scales = {"X": width / int(first["X"]), "Y": height / int(first["Y"])}

    def sized(found: re.Match[str]) -> str:
        kind, axis, value = found.groups()
        length = round(float(value) * scales[axis]) if kind == "Size" else float(value) / scales[axis]
        return f'{kind}{axis}="{length}"'

    return OME_LENGTH.sub(sized, text)


def _value(tag: Tag) -> Any:
    """A value as tifffile expects it, which miscounts the bytes of fractions."""
    if tag.type in FRACTIONS:
        return struct.unpack(f"<{2 * tag.count}{FRACTIONS[tag.type]}", tag.value)
    return tag.value


def _add_directories(stream: BinaryIO, block: bytes, layout: Layout | None) -> None:
    """Add EXIF and GPS directories, which tifffile does not write: the first directory moves to the end of the file."""
    head = _read(stream, 0, 16)
    big = head[2] == 43
    head, counts, entry, pointer = (head, "<Q", 20, "<Q") if big else (head[:8], "<H", 12, "<I")
    link = len(head) - struct.calcsize(pointer)
    (start,) = struct.unpack_from(pointer, head, link)
    (count,) = struct.unpack(counts, _read(stream, start, struct.calcsize(counts)))
    stored = _read(stream, start + struct.calcsize(counts), count * entry)
    entries = {struct.unpack_from("<H", stored, at)[0]: stored[at : at + entry] for at in range(0, len(stored), entry)}
    if layout:
        body = Body(_go_to_end(stream), "<", big)
        entries |= exif.add_below(block, layout, body)
        stream.write(body.data)
    at = _go_to_end(stream)
    end = bytes(struct.calcsize(pointer))
    stream.write(struct.pack(counts, len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + end)
    stream.seek(link)
    stream.write(struct.pack(pointer, at))


def _read(stream: BinaryIO, at: int, length: int) -> bytes:
    stream.seek(at)
    return stream.read(length)


def _go_to_end(stream: BinaryIO) -> int:
    """Seek to the end of the file; the offset of the next directory, which is even."""
    at = stream.seek(0, 2)
    stream.write(b"\0" * (at % 2))
    return at + at % 2
