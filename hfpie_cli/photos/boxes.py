"""The boxes of AVIF and HEIC files (ISO 14496-12 and 23008-12): colours and size of the primary picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .photo import ColourPoints

AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
GENERAL_BRANDS = {b"mif1", b"msf1"}  # item types of coded pictures
USUAL = {(1, 13), (2, 2), (1, 2), (2, 13)}  # code points of sRGB, and unspecified ones


@dataclass(frozen=True)
class Box:
    """A box of an ISO base media file."""

    type: bytes
    """Its four letters."""
    start: int
    """Offset of its content."""
    end: int
    """Offset of the end of its content."""


def kind_of(data: bytes) -> str:
    """AVIF or HEIC, by the brands that the file lists; empty for any other file."""
    if data[4:8] != b"ftyp":
        return ""
    length = min(struct.unpack_from(">I", data)[0], 512)
    brands = {data[at : at + 4] for at in (8, *range(16, length, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & (HEIC_BRANDS | GENERAL_BRANDS) else ""


def colour_points(data: bytes) -> ColourPoints | None:
    """Primaries and transfer function of the primary picture; None if unspecified or sRGB."""
    for box in _properties(data):
        if box.type == b"colr" and data[box.start : box.start + 4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", data, box.start + 4)
            return None if (primaries, transfer) in USUAL else (primaries, transfer)
    return None


def size_and_bits(data: bytes) -> tuple[int, int, int]:
    """Width, height and bits per sample of the primary picture; zeros if unspecified."""
    width = height = bits = 0
    for box in _properties(data):
        if box.type == b"ispe" and box.end - box.start >= 12:
            width, height = struct.unpack_from(">II", data, box.start + 4)
        if box.type == b"pixi" and box.end - box.start > 5:
            bits = max(data[box.start + 5 : box.start + 5 + data[box.start + 4]], default=0)
        if box.type == b"av1C" and box.end - box.start >= 4:
            flags = data[box.start + 2]
            bits = bits or 8 + 2 * bool(flags & 0x40) + 2 * bool(flags & 0x60 == 0x60)
    return width, height, bits


def with_points(data: bytes, points: ColourPoints) -> bytes:
    """The same AVIF file with these colours. Raises ValueError if it has no room for them."""
    changed, found = bytearray(data), False
    for box in _properties(data):
        if box.type == b"colr" and data[box.start : box.start + 4] == b"nclx":
            struct.pack_into(">HH", changed, box.start + 4, *points)
            found = True
    for track in _boxes(data, 0, len(data)):  # of an animation
        at = data.find(b"colrnclx", track.start, track.end) if track.type == b"moov" else -1
        while at >= 0:
            struct.pack_into(">HH", changed, at + 8, *points)
            at = data.find(b"colrnclx", at + 8, track.end)
    if not found:
        raise ValueError("the encoder left no room for its colours")
    return bytes(changed)


def _properties(data: bytes) -> Iterator[Box]:
    """Properties of the primary picture: size, colours and so on."""
    meta = _find(data, b"meta", 0, len(data))
    if meta is None:
        return
    inside = meta.start + 4
    container = _find(data, b"iprp", inside, meta.end)
    primary = _find(data, b"pitm", inside, meta.end)
    if container is None or primary is None:
        return
    listing = _find(data, b"ipco", container.start, container.end)
    links = _find(data, b"ipma", container.start, container.end)
    if listing is None or links is None:
        return
    number = struct.unpack_from(">H" if data[primary.start] == 0 else ">I", data, primary.start + 4)[0]
    boxes = list(_boxes(data, listing.start, listing.end))
    for index in _linked(data[links.start : links.end], number):
        if 0 < index <= len(boxes):
            yield boxes[index - 1]


def _linked(links: bytes, number: int) -> list[int]:
    """The numbers of an item's properties, from the body of an `ipma` box."""
    version, wide = links[0], links[3] & 1
    (count,) = struct.unpack_from(">I", links, 4)
    at = 8
    for _ in range(count):
        if at + (5 if version else 3) > len(links):
            break
        item = struct.unpack_from(">I" if version else ">H", links, at)[0]
        at += 4 if version else 2
        entries = links[at]
        offsets = range(at + 1, min(at + 1 + entries * (1 + wide), len(links) - wide), 1 + wide)
        if item == number:
            return [struct.unpack_from(">H", links, p)[0] & 0x7FFF if wide else links[p] & 0x7F for p in offsets]
        at += 1 + entries * (1 + wide)
    return []


def _find(data: bytes, kind: bytes, start: int, end: int) -> Box | None:
    return next((box for box in _boxes(data, start, end) if box.type == kind), None)


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets, in order."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        length = length or end - start
        if length < head or start + length > end:
            return
        yield Box(kind, start + head, start + length)
        start += length
