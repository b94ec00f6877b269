"""EXIF blocks as bytes: orientation is read and reset in place, so that maker notes stay as they were.

A block is kept without the `Exif\\0\\0` prefix: it starts with its TIFF header.
"""

from __future__ import annotations

import re
import struct

from PIL import Image

ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # title, make, model, software, date, artist, copyright
PREFIX = b"Exif\0\0"
SHORT = 3  # TIFF's type of 16-bit numbers


def strip_prefix(block: bytes) -> bytes:
    """The block from its TIFF header on."""
    return block.removeprefix(PREFIX)


def _orientation_at(block: bytes) -> tuple[str, int, int] | None:
    """The byte order, the places of the orientation's value in the first directory and of the link to the second."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        return None
    (count,) = struct.unpack_from(order + "H", block, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", block, entry)
        if tag == ORIENTATION and kind == SHORT:
            return order, entry + 8, start + 2 + 12 * count
    return None


def orientation(block: bytes) -> int:
    """1 to 8 as EXIF numbers them; 1, upright, where the block does not say or says nonsense."""
    found = _orientation_at(block)
    value: int = struct.unpack_from(found[0] + "H", block, found[1])[0] if found else 1
    return value if 1 <= value <= 8 else 1


def upright(block: bytes) -> bytes:
    """The same block with orientation 1; without its thumbnail if that was another, for it would lie on its side."""
    found = _orientation_at(block)
    if found is None:
        return block
    order, at, link = found  # the second directory is the thumbnail's
    changed = bytearray(block)
    struct.pack_into(order + "H", changed, at, 1)
    if orientation(block) != 1 and link + 4 <= len(block):
        struct.pack_into("I", changed, link, 0)
    return bytes(changed)


def from_tiff(directory: Image.Exif) -> bytes:
    """An EXIF block of what a TIFF file says about the photograph (not about its storage); empty if nothing."""
    kept = Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in directory:
            kept[tag] = directory[tag]
    for ifd in (EXIF_IFD, GPS_IFD):
        if entries := directory.get_ifd(ifd):
            kept.get_ifd(ifd).update(entries)
    return strip_prefix(kept.tobytes()) if len(kept) or kept.get_ifd(EXIF_IFD) or kept.get_ifd(GPS_IFD) else b""


def parse(block: bytes) -> Image.Exif:
    """The block as Pillow's dictionary; an empty one for a block that is broken."""
    exif = Image.Exif()
    try:
        exif.load(block)
    except (SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return Image.Exif()
    return exif


def upright_xmp(xmp: bytes) -> bytes:
    """The same XMP packet with its orientation, attribute or element, set to 1."""
    xmp = re.sub(rb'(tiff:Orientation\s*=\s*["\'])[1-8](["\'])', rb"\g<1>1\2", xmp)
    return re.sub(rb"(<tiff:Orientation>\s*)[1-8](\s*</tiff:Orientation>)", rb"\g<1>1\2", xmp)
