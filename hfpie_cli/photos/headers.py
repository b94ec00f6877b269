"""Reads the headers of PNG, JPEG, WebP and GIF in one pass over their chunks and markers."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
DEFLATE_RATIO = 1032  # the most bytes that one byte of deflate can expand to
SCAN, END = 0xDA, 0xD9  # markers of JPEG: of compressed pixels, of the picture's end
SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG that state the size
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # not a marker that occurs within compressed pixels
GIF_BLOCK = re.compile(rb"[!,;]")  # an extension, a frame, the end; decoders skip anything else
NOT_FF = re.compile(rb"[^\xff]")


@dataclass(frozen=True)
class Facts:
    """What a file's header states."""

    format: str
    """A key of FORMATS, or GIF."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    pictures: int = 1
    """Frames or pages, without previews."""
    passes: int = 1
    """Passes over the pixels during decoding."""
    fault: str = ""
    """Why its bytes cannot hold its pixels; empty if they can."""


def read_header(data: bytes) -> Facts | None:
    """The facts of a PNG, JPEG, WebP or GIF file; None for any other. Raises ValueError for headers that are broken."""
    if data.startswith(PNG_SIGNATURE):
        return _read_png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _read_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data)
    return _read_gif(data) if data[:4] == b"GIF8" else None


def _read_png(data: bytes) -> Facts:
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise ValueError("its header is not at the beginning")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    compressed, frames, announced, shown_first = 0, 0, 0, False
    for name, at, length in png_chunks(data):
        if name == b"IDAT":
            shown_first = shown_first or frames > 0
            compressed += length
        elif name == b"acTL" and not compressed and length == 8:
            announced = max(int.from_bytes(data[at : at + 4], "big"), 1)
        elif name == b"fcTL":
            frames += 1
        elif name == b"IEND":
            break
    needed = height * (1 + width * PNG_CHANNELS.get(colour, 1) * depth // 8)
    enough = needed <= DEFLATE_RATIO * (compressed + 64)
    fault = "" if enough else f"{compressed:,} bytes of pixel data are too few for {width} x {height} pixels"
    pictures = max(announced, frames) + (not shown_first) if announced else 1
    return Facts("PNG", width, height, max(pictures, 1), fault=fault)


def png_chunks(data: bytes | memoryview) -> Iterator[tuple[bytes, int, int]]:
    """(name, offset of its body, the body's length) of every chunk of a PNG file."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, at + 8, length
        at += 12 + length


def _read_jpeg(data: bytes) -> Facts | None:
    """None for a JPEG without a size, which its decoder refuses."""
    width, height, scans = 0, 0, 0
    for marker, at in jpeg_markers(data):
        if marker in SIZES and not scans and at + 9 <= len(data):
            size = struct.unpack_from(">HH", data, at + 5)
            height, width = max((height, width), size, key=lambda pair: pair[0] * pair[1])
        scans += marker == SCAN
    return Facts("JPEG", width, height, passes=scans) if width * height else None


def jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, its offset) of a JPEG's first picture, in one pass over the file; RST markers are skipped."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding, however long
            found = NOT_FF.search(data, at)
            at = found.start() - 1 if found else len(data)
            continue
        yield marker, at
        if marker == END:
            return
        if marker in ALONE:
            at += 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == SCAN:
            found = NEXT_MARKER.search(data, at)
            at = found.start() if found else len(data)
    if data[at : at + 2] == b"\xff\xd9":
        yield END, at


def _read_webp(data: bytes) -> Facts | None:
    """None for a WebP file that is too short to state a size, which its decoder refuses."""
    at, width, height, frames = 12, 0, 0, 0
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 18]
        size = (0, 0)
        if name == b"VP8X" and len(body) == 10:
            size = (1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        elif name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            size = (struct.unpack("<H", body[6:8])[0] & 0x3FFF, struct.unpack("<H", body[8:10])[0] & 0x3FFF)
        elif name == b"VP8L" and body[:1] == b"/":
            bits = int.from_bytes(body[1:5], "little")
            size = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        frames += name == b"ANMF"
        width, height = max((width, height), size, key=lambda pair: pair[0] * pair[1])
        at += 8 + length + length % 2
    return Facts("WEBP", width, height, max(frames, 1)) if width * height else None


def _read_gif(data: bytes) -> Facts | None:
    """None for a GIF that is too short to state a size. A frame larger than the picture enlarges it."""
    if len(data) < 13:
        return None
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _palette_bytes(flags), 0
    while found := GIF_BLOCK.search(data, at):
        at = found.end()
        if found[0] == b";":
            break
        if found[0] == b"!":
            at += 1
        elif at + 9 <= len(data):
            left, top, across, down, flags = struct.unpack_from("<HHHHB", data, at)
            width, height, frames = max(width, left + across), max(height, top + down), frames + 1
            at += 10 + _palette_bytes(flags)
        while at < len(data) and data[at]:  # blocks, each preceded by its length, ending with an empty one
            at += 1 + data[at]
        at += 1
    return Facts("GIF", width, height, max(frames, 1)) if width * height else None


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
