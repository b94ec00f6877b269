"""PNG's chunks of metadata, for 8-bit and 16-bit files: colours, texts, resolution."""

from __future__ import annotations

import struct
import zlib

from .headers import PNG_SIGNATURE, png_chunks
from .photo import Metadata

HEADER_END = len(PNG_SIGNATURE) + 25
COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT")  # what numbers mean, beside ICC
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
XMP_KEYWORD = b"XML:com.adobe.xmp"
READ_ELSEWHERE = (XMP_KEYWORD, b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp")
INCHES_PER_METRE = 1 / 0.0254


def raw_profile(text: object) -> bytes:
    """The content of ImageMagick's text chunk "Raw profile type ...": name, length, hex digits."""
    lines = str(text or "").strip().split("\n")[2:]
    try:
        return bytes.fromhex("".join(lines))
    except ValueError:
        return b""


def kept_chunks(file: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """(name, body) of the chunks of a PNG file that stay valid for the output."""
    return tuple(
        (name, file[at : at + length])
        for name, at, length in png_chunks(file)
        if name in COLOUR_CHUNKS or (name in TEXT_CHUNKS and _keyword(file, at, length) not in READ_ELSEWHERE)
    )


def _keyword(file: bytes, at: int, length: int) -> bytes:
    """The keyword of a text chunk, of at most 79 bytes."""
    return file[at : at + min(length, 80)].split(b"\0")[0]


def _fits(significant: bytes, header: bytes) -> bool:
    """Whether the body of sBIT, a byte per channel, fits the file, whose channels may have changed."""
    depth, kind = header[8], header[9]
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(kind)
    return len(significant) == channels and 0 < min(significant) <= max(significant) <= depth


def with_metadata(file: bytes, metadata: Metadata) -> bytes:
    """The PNG file with the metadata after the header."""
    header = file[HEADER_END - 17 : HEADER_END - 4]
    return file[:HEADER_END] + metadata_chunks(metadata, header) + file[HEADER_END:]


def metadata_chunks(metadata: Metadata, header: bytes) -> bytes:
    """The chunks of metadata for a file whose IHDR has the body `header`."""
    chunks = [(name, body) for name, body in metadata.chunks if name != b"sBIT" or _fits(body, header)]
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        across, down = (round(value * INCHES_PER_METRE) for value in metadata.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append((b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp))
    return b"".join(chunk(name, body) for name, body in chunks)


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its length and its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
