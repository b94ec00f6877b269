"""The directories of a TIFF file, and whether the strips or tiles that they list can hold the picture.

Decoders read missing data as zeros, and read every directory to count them; here the work is bounded by the file's
size, and missing data is found before decoding.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # whole numbers: numpy's names
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
SIZES |= {129: 1}  # UTF-8, added by EXIF 3.0
SHARED = 4  # largest ratio of a directory's values, or its pixels, to the file's bytes: some writers share some
REDUCED, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, DEPTH, TILE_DEPTH = 322, 323, 324, 325, 32997, 32998
SUB_DIRECTORIES, DNG_VERSION = 330, 50706
READ = {REDUCED, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP}
READ |= {
    STRIP_BYTES,
    PLANAR,
    TILE_WIDTH,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_BYTES,
    DEPTH,
    TILE_DEPTH,
    SUB_DIRECTORIES,
    DNG_VERSION,
}
RAW = {32803, 34892}  # values of Photometric in camera raw
UNCOMPRESSED, OLD_JPEG, YCBCR, CONTIGUOUS, SEPARATE = (
    1,
    6,
    6,
    1,
    2,
)  # values of Compression, Photometric and PlanarConfiguration
MAX_SAMPLES = 64  # a pixel

Numbers = NDArray[np.uint64]
NOTHING: Numbers = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class Page:
    """The picture that a TIFF directory describes."""

    tags: dict[int, Numbers]
    """Values of each tag, by its number."""

    def one(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        values = self.tags.get(tag)
        return int(values[0]) if values is not None and len(values) else default

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.one(WIDTH, 0)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.one(HEIGHT, 0)

    @property
    def samples(self) -> int:
        """Samples of a pixel. Raises ValueError for more than any picture has."""
        samples = self.one(SAMPLES, 1)
        if not 0 < samples <= MAX_SAMPLES:
            raise ValueError(f"{samples} samples per pixel are too many")
        return samples

    @property
    def bits(self) -> int:
        """Bits per pixel, of all samples together."""
        values = self.tags.get(BITS)
        values = values if values is not None and len(values) else np.ones(1, np.uint64)
        each = int(values.max())
        if not 0 < each <= 128:
            raise ValueError(f"samples of {each} bits are not pixels")
        return sum(int(n) for n in values[: self.samples]) if len(values) >= self.samples else each * self.samples

    @property
    def bytes_each(self) -> float:
        """Bytes of memory per pixel while it is decoded, turned and restored."""
        return max(12.0, 4 * self.bits / 8)

    @property
    def is_tiled(self) -> bool:
        """Whether it consists of tiles, not strips."""
        return TILE_OFFSETS in self.tags or TILE_WIDTH in self.tags

    @property
    def segment_size(self) -> tuple[int, int]:
        """Width and height of a tile or a strip."""
        if self.is_tiled:
            return self.one(TILE_WIDTH, 0), self.one(TILE_HEIGHT, 0)
        return self.width, min(self.one(ROWS_PER_STRIP, self.height), self.height)

    def missing(self, data: bytes) -> str:
        """What is missing from its strips or tiles for its size, in words; empty if nothing is."""
        if self.one(COMPRESSION, UNCOMPRESSED) == OLD_JPEG:  # whose bytes other tags locate
            return ""
        kind, wanted = "tile" if self.is_tiled else "strip", self._segment_count()
        offsets, counts = self.segments(data)
        for what, numbers in (("", offsets), ("the lengths of ", counts)):
            if len(numbers) != wanted:
                return f"it lists {what}{len(numbers):,} {kind}s, but its size requires {wanted:,}"
        needed = self._needed_bytes(wanted)
        read = counts if needed is None else np.minimum(counts, needed)
        end = np.uint64(len(data))
        faults = {
            "absent": (offsets == 0) | (counts == 0),
            "beyond the end of the file": (offsets >= end) | (read > end - np.minimum(offsets, end)),
            "too short for their pixels": read < (0 if needed is None else needed),
        }
        found = ((int(np.count_nonzero(which)), words) for words, which in faults.items())
        return next((f"{count:,} of its {wanted:,} {kind}s are {words}" for count, words in found if count), "")

    def segments(self, data: bytes) -> tuple[Numbers, Numbers]:
        """Offsets and lengths; a single uncompressed strip may omit its length."""
        offsets = self.tags.get(TILE_OFFSETS if self.is_tiled else STRIP_OFFSETS, NOTHING)
        counts = self.tags.get(TILE_BYTES if self.is_tiled else STRIP_BYTES, NOTHING)
        if self.is_tiled:  # some writers list tiles as strips
            offsets = offsets if len(offsets) else self.tags.get(STRIP_OFFSETS, NOTHING)
            counts = counts if len(counts) else self.tags.get(STRIP_BYTES, NOTHING)
        elif not len(counts) and len(offsets) == 1 and self.one(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED:
            counts = np.array([max(len(data) - int(offsets[0]), 0)], np.uint64)
        return offsets, counts

    def _segment_count(self) -> int:
        """Number of strips or tiles for the size. Raises ValueError for an impossible layout."""
        if self.one(PLANAR, CONTIGUOUS) not in (CONTIGUOUS, SEPARATE):
            raise ValueError(f"unknown planar configuration {self.one(PLANAR, CONTIGUOUS)}")
        width, height = self.segment_size
        if width <= 0 or height <= 0:
            raise ValueError(f"its strips or tiles are {width} x {height} pixels")
        planes = self.samples if self.one(PLANAR, CONTIGUOUS) == SEPARATE else 1
        layers = -(-self.one(DEPTH, 1) // max(self.one(TILE_DEPTH, 1), 1))
        return -(-self.width // width) * -(-self.height // height) * planes * layers

    def _needed_bytes(self, count: int) -> Numbers | None:
        """The length of every strip or tile; None if they are compressed or subsampled."""
        if self.one(COMPRESSION, UNCOMPRESSED) != UNCOMPRESSED or self.one(PHOTOMETRIC, 1) == YCBCR:
            return None
        width, rows = self.segment_size
        bits = self.bits // self.samples if self.one(PLANAR, CONTIGUOUS) == SEPARATE else self.bits
        line = -(-width * bits // 8)
        needed = np.full(count, line * rows, np.uint64)
        if not self.is_tiled:
            each = -(-self.height // rows)
            needed[each - 1 :: each] = line * (self.height - (each - 1) * rows)
        return needed


class Layout:
    """The directories of a file. room: bytes that directories and their lists may still take, so that none is shared.

    full: offsets of the first directory and of those that are not smaller copies of another picture. reduced: how many
    are.
    """

    def __init__(self, data: bytes) -> None:
        """Walk the chain. Raises ValueError for a directory outside the file, or if directories overlap."""
        self.data, self.room = data, 2 * len(data)
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = 43 in data[2:4]
        self.link = "Q" if self.big else "I"
        self.full: list[int] = []
        at, seen = self.number(self.link, 8 if self.big else 4), set[int]()
        while at and at not in seen:
            seen.add(at)
            first, count, size = self.bounds(at)
            self._take(count * size)
            if not self.full or not self._is_reduced(first, count, size):
                self.full.append(at)
            end = first + count * size
            at = self.number(self.link, end) if end + struct.calcsize(self.link) <= len(data) else 0
        if not seen:
            raise ValueError("it has no directory")
        self.reduced = len(seen) - len(self.full)

    def page(self, at: int) -> Page:
        """The picture of a directory. Raises ValueError for lists that are truncated or overlap."""
        self.check_values(at)
        first, count, size = self.bounds(at)
        tags: dict[int, Numbers] = {}
        for number in range(count):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, first + number * size)
            if tag in READ and kind in TYPES and tag not in tags:
                tags[tag] = self._values(kind, first + number * size)
        return Page(tags)

    def check_values(self, at: int) -> None:
        """Raises ValueError if the values of a directory overlap: copies of them would fill the memory."""
        first, count, size = self.bounds(at)
        total = 0
        for entry in range(first, first + count * size, size):
            (kind,) = struct.unpack_from(self.order + "H", self.data, entry + 2)
            total += min(SIZES.get(kind, 0) * self.number(self.link, entry + 4), len(self.data))
        if total > SHARED * len(self.data):
            raise ValueError("the values of its tags overlap")

    def bounds(self, at: int) -> tuple[int, int, int]:
        """(offset of the first entry, number of entries, bytes of each)."""
        count = self.number("Q" if self.big else "H", at)
        first, size = (at + 8, 20) if self.big else (at + 2, 12)
        if first + count * size > len(self.data):
            raise ValueError("a directory is beyond the end of the file")
        return first, count, size

    def _is_reduced(self, first: int, count: int, size: int) -> bool:
        """Whether a directory says that its picture is a smaller copy."""
        for at in range(first, first + count * size, size):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, at)
            if tag in (REDUCED, OLD_SUBFILE) and kind in (3, 4):
                value = self.number("HI"[kind - 3], at + size - (8 if self.big else 4))
                if (tag == REDUCED and value & 1) or (tag == OLD_SUBFILE and value == 2):
                    return True
        return False

    def _values(self, kind: int, at: int) -> Numbers:
        """The numbers of an entry. Raises ValueError for a truncated list."""
        numbers = np.dtype(self.order + TYPES[kind])
        count, offset, inline = self.number(self.link, at + 4), at + (12 if self.big else 8), 8 if self.big else 4
        if count * numbers.itemsize > inline:
            offset = self.number(self.link, offset)
            self._take(count * numbers.itemsize)
        if offset + count * numbers.itemsize > len(self.data):
            raise ValueError("a list in its directory is beyond the end of the file")
        found: Any = np.frombuffer(self.data, numbers, count, offset)
        return found.astype(np.uint64)

    def number(self, form: str, at: int) -> int:
        """The number at an offset, in a format of `struct`. Raises ValueError for one beyond the end of the file."""
        if at + struct.calcsize(form) > len(self.data):
            raise ValueError("a directory is beyond the end of the file")
        return int(struct.unpack_from(self.order + form, self.data, at)[0])

    def _take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise ValueError("its directories are larger than the file")
