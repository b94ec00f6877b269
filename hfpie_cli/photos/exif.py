"""EXIF blocks as bytes: orientation is read and reset in place, so that maker notes stay as they were.

A block is kept without the `Exif\\0\\0` prefix: it starts with its TIFF header.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image, TiffImagePlugin

from .directories import LONGER, Body, Entry, entries, head_of, move_below
from .tiff_layout import SIGNATURES, Layout

ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
DESCRIPTION = 270
DESCRIPTIVE = {DESCRIPTION, 271, 272, 305, 306, 315, 33432}  # title, make, model, software, date, artist, copyright
DESCRIPTIVE |= {0x4746, 0x4749, *range(0x9C9B, 0x9CA0)}  # ratings, and texts of Windows
BELOW = {EXIF_IFD, GPS_IFD}
PREFIX = b"Exif\0\0"
BROKEN = (SyntaxError, ValueError, KeyError, TypeError, struct.error)  # what Pillow raises for broken ones
SHORT, LONG = 3, 4  # TIFF's types of 16-bit and 32-bit numbers


def strip_prefix(block: bytes) -> bytes:
    """The block from its TIFF header on."""
    return block.removeprefix(PREFIX)


@dataclass(frozen=True)
class Directory:
    """A directory in an EXIF block."""

    order: str
    """Byte order, as `struct` writes it."""
    entries: dict[int, int]
    """Offset of each entry by its tag."""
    start: int
    """Offset of its number of entries."""
    count: int
    """Number of entries that it states."""
    link: int
    """Offset of the link to the next directory."""


def _directory(block: bytes, at: int = 4) -> Directory | None:
    """The directory that the 4 bytes at `at` link to, by default the first; None if there is no directory."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    (start,) = struct.unpack_from(order + "I", block, at)
    if start + 2 > len(block):
        return None
    (count,) = struct.unpack_from(order + "H", block, start)
    offsets = range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12)
    found = {struct.unpack_from(order + "H", block, offset)[0]: offset for offset in reversed(offsets)}
    return Directory(order, found, start, count, start + 2 + 12 * count)


def _number(block: bytes, directory: Directory, tag: int) -> int | None:
    """The whole number of an entry; None if there is none."""
    offset = directory.entries.get(tag)
    if offset is None:
        return None
    (kind,) = struct.unpack_from(directory.order + "H", block, offset + 2)
    form = {SHORT: "H", LONG: "I"}.get(kind)
    return int(struct.unpack_from(directory.order + form, block, offset + 8)[0]) if form else None


def orientation(block: bytes) -> int:
    """1 to 8 as EXIF numbers them; 1, upright, if the block states none or an invalid one."""
    first = _directory(block)
    value = _number(block, first, ORIENTATION) if first else None
    return value if value in range(1, 9) else 1  # type: ignore[return-value]


def upright(block: bytes) -> bytes:
    """The same block with orientation 1, and without its thumbnail if that would be shown sideways."""
    first = _directory(block)
    turn = _number(block, first, ORIENTATION) if first else None
    if first is None or turn in (None, 1):
        return block
    changed = bytearray(block)
    struct.pack_into(first.order + "HIHH", changed, first.entries[ORIENTATION] + 2, SHORT, 1, 1, 0)
    if turn in range(2, 9) and first.link + 4 <= len(block):
        struct.pack_into("I", changed, first.link, 0)  # the second directory is the thumbnail's
    return bytes(changed)


def sized(block: bytes, width: int, height: int) -> bytes:
    """The same block with the picture's size wherever it states one."""
    first = _directory(block)
    if first is None:
        return block
    inner = _directory(block, first.entries[EXIF_IFD] + 8) if EXIF_IFD in first.entries else None
    changed = bytearray(block)
    for directory, tags in ((first, (256, 257)), (inner, (0xA002, 0xA003))):
        for tag, value in zip(tags, (width, height), strict=True):
            if directory and _number(block, directory, tag) not in (None, value):
                struct.pack_into(directory.order + "HII", changed, directory.entries[tag] + 2, LONG, 1, value)
    return bytes(changed)


def without_orientation(block: bytes) -> bytes:
    """The block without an orientation, all other values at their offsets.

    Writers that find one rewrite the block and lose the accents of its texts.
    """
    changed = bytearray(block)
    while (first := _directory(bytes(changed))) and ORIENTATION in first.entries:
        offset, end = first.entries[ORIENTATION], min(first.link + 4, len(changed))
        changed[offset : end - 12] = changed[offset + 12 : end]
        struct.pack_into(first.order + "H", changed, first.start, first.count - 1)
    return bytes(changed)


def is_broken(block: bytes) -> bool:
    """Whether the programs that read a block in order to write it into AVIF or TIFF fail."""
    if not block:
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            Image.Exif().load(block)
    except BROKEN:
        return True
    return laid_out(block) is None


def laid_out(data: bytes) -> Layout | None:
    """The directories of a block or of a TIFF file; None for one that is broken."""
    try:
        return Layout(data) if data[:4] in SIGNATURES else None
    except (ValueError, struct.error):
        return None


def described(data: bytes, layout: Layout) -> Iterator[Entry]:
    """What the first directory says about the photograph, not about its storage."""
    return (one for one in entries(data, layout, layout.full[0]) if one.tag in DESCRIPTIVE and one.kind not in LONGER)


def add_below(data: bytes, layout: Layout, body: Body) -> dict[int, bytes]:
    """Add the EXIF and GPS directories to a body; returns the entries that point to them. Broken ones are left out."""
    found: dict[int, bytes] = {}
    for one in entries(data, layout, layout.full[0]):
        if one.tag in BELOW:
            with suppress(ValueError):
                found[one.tag] = body.offsets(one.tag, [move_below(data, layout, one, body)])
    return found


def from_tiff(data: bytes) -> bytes:
    """An EXIF block of what a TIFF file says about the photograph (not about its storage); may be empty."""
    layout = laid_out(data)
    if layout is None:
        return b""
    body = Body(8, layout.order, big=False)
    found = {one.tag: body.moved(one, layout.order) for one in described(data, layout)} | add_below(data, layout, body)
    if not found:
        return b""
    offset = body.directory(found)
    return head_of(layout.order, big=False)[:4] + struct.pack(layout.order + "I", offset) + bytes(body.data)


def parse(block: bytes) -> Image.Exif:
    """The block as Pillow's dictionary; an empty one for a block that is broken."""
    exif = Image.Exif()
    try:
        exif.load(block)
    except BROKEN:
        return Image.Exif()
    return exif


def of_tiff_file(file: bytes) -> Image.Exif:
    """The first directory of a TIFF file as Pillow's dictionary, of BigTIFF too."""
    if file[2:4] not in (b"+\0", b"\0+"):
        return parse(file)
    found = Image.Exif()
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(file[:16])
        source = io.BytesIO(file)
        source.seek(directory.next)
        directory.load(source)
        found.update(directory.items())
    except BROKEN:
        return Image.Exif()
    return found


def upright_xmp(xmp: bytes, turn: int) -> bytes:
    """The same XMP packet; its orientation is set to 1 if the pixels are turned by EXIF's `turn`."""
    return xmp if turn == 1 else _set_in_xmp(xmp, "tiff:Orientation", 1)


def sized_xmp(xmp: bytes, width: int, height: int) -> bytes:
    """The same XMP packet with the picture's size wherever it states one."""
    for tag in ("tiff:ImageWidth", "exif:PixelXDimension"):
        xmp = _set_in_xmp(xmp, tag, width)
    for tag in ("tiff:ImageLength", "exif:PixelYDimension"):
        xmp = _set_in_xmp(xmp, tag, height)
    return xmp


def _set_in_xmp(xmp: bytes, tag: str, value: int) -> bytes:
    """Set a whole number in an attribute or an element."""
    name, number = tag.encode(), str(value).encode()
    xmp = re.sub(rb"(%s\s*=\s*[\"'])\d+([\"'])" % name, rb"\g<1>%s\2" % number, xmp)
    return re.sub(rb"(<%s>\s*)\d+(\s*</%s>)" % (name, name), rb"\g<1>%s\2" % number, xmp)
