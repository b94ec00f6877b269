"""Writes TIFF: a photo of any depth with its metadata, as BigTIFF where 4 GB are not enough."""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO

import tifffile
from PIL import TiffImagePlugin

from ..settings import default_threads
from . import exif
from .photo import Photo
from .tiff_tags import Tag

MAX_CLASSIC = 2**32 - 2**26  # bytes of pixels, with a margin for metadata: offsets have 32 bits
NO_UNIT, INCH = 1, 2
OME_LENGTH = re.compile(r'\b(Size|PhysicalSize)([XY])="([0-9.eE+-]+)"')
FRACTIONS = {5: "I", 10: "i"}  # types, and those of their two numbers


def write(photo: Photo, stream: BinaryIO) -> None:
    """Write the file of a photo of any depth, with its metadata, into a stream that can seek and be read."""
    metadata, pixels = photo.metadata, photo.samples()
    directory = exif.parse(metadata.exif) if metadata.exif else None
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
        extratags=_extra_tags(photo, directory),
    )
    directories = {tag: directory.get_ifd(tag) for tag in (exif.EXIF_IFD, exif.GPS_IFD)} if directory else {}
    _add_directories(stream, directories)


def _extra_tags(photo: Photo, directory: Any) -> list[tuple[int, int, int, Any, bool]]:
    metadata = photo.metadata
    tags: list[tuple[int, int, int, Any, bool]] = [(exif.ORIENTATION, 3, 1, 1, True)]
    if metadata.xmp:
        tags.append((700, 1, len(metadata.xmp), metadata.xmp, True))
    if metadata.resources:
        tags.append((34377, 1, len(metadata.resources), metadata.resources, True))
    if directory is not None:
        texts = {tag: str(directory[tag]) for tag in exif.DESCRIPTIVE if tag in directory}
        if exif.DESCRIPTION in texts:
            texts[exif.DESCRIPTION] = sized_ome(texts[exif.DESCRIPTION], photo.width, photo.height)
        stored = {tag: text.encode("latin-1", "replace") + b"\0" for tag, text in texts.items()}  # as Pillow decoded it
        tags += [(tag, 2, len(text), text, True) for tag, text in stored.items()]
    return tags + [(tag.code, tag.type, tag.count, _value(tag), True) for tag in metadata.tags]


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
    """As tifffile takes it, which counts the bytes of fractions wrongly."""
    if tag.type in FRACTIONS:
        return struct.unpack(f"<{2 * tag.count}{FRACTIONS[tag.type]}", tag.value)
    return tag.value


def _add_directories(stream: BinaryIO, directories: dict[int, dict[int, Any]]) -> None:
    """Add EXIF and GPS directories, which tifffile does not write: the first directory moves to the end of the file."""
    head = _read(stream, 0, 16)
    big = head[2] == 43
    head, counts, entry, place = (head, "<Q", 20, "<Q") if big else (head[:8], "<H", 12, "<I")
    link = len(head) - struct.calcsize(place)
    (start,) = struct.unpack_from(place, head, link)
    (count,) = struct.unpack(counts, _read(stream, start, struct.calcsize(counts)))
    stored = _read(stream, start + struct.calcsize(counts), count * entry)
    entries = {struct.unpack_from("<H", stored, at)[0]: stored[at : at + entry] for at in range(0, len(stored), entry)}
    for tag, values in directories.items():
        directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=head)
        for key, value in values.items():
            if not isinstance(value, dict):  # a directory in the directory (interoperability) says nothing of the photo
                directory[key] = value
        if len(directory):
            at = _go_to_end(stream)
            entries[tag] = struct.pack("<HHQQ" if big else "<HHII", tag, 16 if big else 4, 1, at)
            stream.write(directory.tobytes(at))
    at = _go_to_end(stream)
    end = bytes(struct.calcsize(place))
    stream.write(struct.pack(counts, len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + end)
    stream.seek(link)
    stream.write(struct.pack(place, at))


def _read(stream: BinaryIO, at: int, length: int) -> bytes:
    stream.seek(at)
    return stream.read(length)


def _go_to_end(stream: BinaryIO) -> int:
    """Where the next directory begins: at an even place."""
    at = stream.seek(0, 2)
    stream.write(b"\0" * (at % 2))
    return at + at % 2
