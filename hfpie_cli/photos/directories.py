"""TIFF directories as they are stored, in TIFF files and EXIF blocks: entries are read and written byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .tiff_layout import SIZES, Layout

LONG, LONG8 = 4, 16  # types of offsets
LONGER = {16, 17, 18}  # those of 8 bytes
NUMBERS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # bytes of one, by type
INTEROPERABILITY = 0xA005


def head_of(order: str, *, big: bool) -> bytes:
    """A file's first bytes, with the link to the first directory at their end."""
    mark = b"II" if order == "<" else b"MM"
    return mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))


@dataclass
class Body:
    """Bytes of a part of a file that is being written; each piece starts at an even offset."""

    base: int
    """Their offset in the file, even."""
    order: str
    """Byte order of the file, as `struct` writes it."""
    big: bool
    """Whether the file is BigTIFF."""
    data: bytearray = field(default_factory=bytearray)
    """The bytes."""

    def add(self, part: bytes) -> int:
        """Append a piece; its offset in the file."""
        self.data += b"\0" * (len(self.data) % 2)
        self.data += part
        return self.base + len(self.data) - len(part)

    def entry(self, tag: int, kind: int, count: int, value: bytes) -> bytes:
        """An entry of a directory; a value that does not fit in it is appended."""
        inline, form = (8, "Q") if self.big else (4, "I")
        if len(value) > inline:
            value = struct.pack(self.order + form, self.add(value))
        return struct.pack(self.order + "HH" + form, tag, kind, count) + value.ljust(inline, b"\0")

    def holds(self, one: Entry) -> bool:
        """Whether the file may have an entry of this type."""
        return self.big or one.kind not in LONGER

    def moved(self, one: Entry, order: str) -> bytes:
        """An entry of a file with byte order `order`, in this file's."""
        return self.entry(one.tag, one.kind, one.count, reordered(one, order, self.order))

    def offsets(self, tag: int, numbers: Iterable[int]) -> bytes:
        """An entry of offsets or lengths."""
        values = np.array(list(numbers), self.order + ("u8" if self.big else "u4"))
        return self.entry(tag, LONG8 if self.big else LONG, len(values), values.tobytes())

    def directory(self, entries: dict[int, bytes]) -> int:
        """Append a directory; its offset. The link to the next one, at its end, is empty."""
        head = struct.pack(self.order + ("Q" if self.big else "H"), len(entries))
        return self.add(head + b"".join(entries[tag] for tag in sorted(entries)) + bytes(8 if self.big else 4))


def move_below(data: bytes, layout: Layout, entry: Entry, body: Body) -> int:
    """Append the directory that an entry points to; its offset. Raises ValueError for a broken one."""
    at = layout.number("Q" if entry.kind in LONGER else "I", entry.at)
    layout.check_values(at)
    found = {one.tag: body.moved(one, layout.order) for one in entries(data, layout, at) if body.holds(one)}
    found.pop(INTEROPERABILITY, None)  # points to another directory, which says nothing about the photograph
    if not found:
        raise ValueError("a directory is empty")
    return body.directory(found)


@dataclass(frozen=True)
class Entry:
    """An entry of a directory."""

    tag: int
    """Its number."""
    kind: int
    """TIFF's number of its type."""
    count: int
    """Number of values."""
    at: int
    """Offset of its value, or of the link to it."""
    value: bytes
    """Its bytes as they are stored."""


def reordered(one: Entry, order: str, wanted: str) -> bytes:
    """The value of an entry in another byte order."""
    size = NUMBERS.get(one.kind, 1)
    if order == wanted or size == 1:
        return one.value
    return np.frombuffer(one.value, f"{order}u{size}").astype(f"{wanted}u{size}").tobytes()


def entries(data: bytes, layout: Layout, directory: int) -> Iterable[Entry]:
    """Entries of known types whose values are within the file; of two with the same tag the first counts."""
    first, count, size = layout.bounds(directory)
    found: dict[int, Entry] = {}
    inline = 8 if layout.big else 4
    for start in range(first, first + count * size, size):
        tag, kind = struct.unpack_from(layout.order + "HH", data, start)
        number, at = layout.number(layout.link, start + 4), start + size - inline
        length = SIZES.get(kind, 0) * number
        offset = at if length <= inline else layout.number(layout.link, at)
        if length and offset + length <= len(data):
            found.setdefault(tag, Entry(tag, kind, number, at, data[offset : offset + length]))
    return found.values()
