"""Further parts of a JPEG: the gain map of Ultra HDR, which is kept, and a motion photo's video, which is not.

Ultra HDR: the gain map is a second JPEG after the first; the XMP of the first lists what follows, and an index (MPF,
CIPA DC-007) its offsets.
"""

from __future__ import annotations

import io
import re
import struct

from PIL import Image

from . import jpeg

ISO = b"urn:iso:std:iso:ts:21496:-1\0"  # start of a segment that announces a gain map, by ISO 21496-1
XMP_VERSION = re.compile(
    rb"\s*hdrgm:[\w.]+\s*=\s*(\"[^\"]*\"|'[^']*')|<hdrgm:(\w+)\b[^>]*(/>|>.*?</hdrgm:\2>)", re.DOTALL
)
MOTION = re.compile(rb"\s*\w*Camera:(Motion|Micro)\w*\s*=\s*(\"[^\"]*\"|'[^']*')")
ITEM = re.compile(rb"<rdf:li\b(?:(?!</rdf:li>).)*?Semantic.*?</rdf:li>\s*", re.DOTALL)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GAIN_QUALITY = 95  # of a gain map that had to be turned
MPF = b"MPF\0II*\0\x08\0\0\0"
MPF_LENGTH = 88  # bytes of the segment with two pictures, without its marker


def find_gain_map(file: bytes) -> tuple[bytes, bool]:
    """The gain map of a JPEG (empty if it has none), and whether anything else follows the picture."""
    appended = file[jpeg.end_of(file) :]
    start = appended.find(b"\xff\xd8\xff")
    if start < 0 or appended[:start].strip(jpeg.PADDING):
        return b"", bool(appended.strip(jpeg.PADDING))
    length = jpeg.end_of(appended[start:])
    found, rest = appended[start : start + length], appended[start + length :].strip(jpeg.PADDING)
    if b"hdrgm:" not in found and ISO not in found:
        return b"", True
    return found, bool(rest)


def turned_gain_map(gain_map: bytes, turn: int) -> bytes:
    """The gain map turned by EXIF's `turn`, with its own metadata."""
    if turn == 1 or not gain_map:
        return gain_map
    with Image.open(io.BytesIO(gain_map)) as image:
        bodies = [body for name, body in getattr(image, "applist", []) if name == "APP2" and body.startswith(ISO)]
        extra = b"".join(b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body for body in bodies)
        buffer = io.BytesIO()
        xmp = image.info.get("xmp", b"")
        upright = image.transpose(TURNS[turn])
        upright.save(buffer, "JPEG", quality=GAIN_QUALITY, subsampling=0, xmp=xmp, extra=extra)
    return buffer.getvalue()


def without_companions(xmp: bytes, *, gain_map: bool) -> bytes:
    """The XMP packet without entries for companions that are left out. gain_map: whether it is kept."""
    kept = {b"Primary", b"GainMap"} if gain_map else {b"Primary"}
    xmp = MOTION.sub(b"", xmp if gain_map else XMP_VERSION.sub(b"", xmp))
    return ITEM.sub(lambda item: item[0] if any(word in item[0] for word in kept) else b"", xmp)


def with_gain_map(file: bytes, gain_map: bytes) -> bytes:
    """The JPEG followed by the gain map, with an index of both."""
    iso = ISO + bytes(4)
    segment = b"\xff\xe2" + struct.pack(">H", len(iso) + 2) + iso if ISO in gain_map else b""
    at = _behind_applications(file)
    header = at + len(segment) + 8  # the origin of the index's offsets
    length = len(file) + len(segment) + MPF_LENGTH + 2
    entries = struct.pack("<HHI4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, 2)
    entries += struct.pack("<HHII", 0xB002, 7, 32, 50)
    pictures = struct.pack("<IIIHH", 0x030000, length, 0, 0, 0)
    pictures += struct.pack("<IIIHH", 0, len(gain_map), length - header, 0, 0)
    body = MPF + struct.pack("<H", 3) + entries + bytes(4) + pictures
    index = b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    return file[:at] + segment + index + file[at:] + gain_map


def _behind_applications(file: bytes) -> int:
    """Offset of the end of the JFIF, EXIF and XMP segments."""
    at = 2
    while file[at : at + 1] == b"\xff" and file[at + 1] in (0xE0, 0xE1):
        at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
    return at
