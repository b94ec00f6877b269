"""Pages of a TIFF moved from one file into another, so that each is read and written as a file of its own.

A page is its directory, what this leads to, and its strips or tiles. All of that gets new places, the pixels stay as
they are stored.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import tifffile

from . import exif
from .photo import NotReadError, SeveralPicturesError
from .tiff_layout import (
    COMPRESSION,
    DEPTH,
    OLD_JPEG,
    SHARED,
    SIZES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    SUB_DIRECTORIES,
    TILE_BYTES,
    TILE_OFFSETS,
    UNCOMPRESSED,
    Layout,
    Page,
)
from .tiff_tags import IMAGEJ, IMAGEJ_COUNTS

LONG, LONG8 = 4, 16  # types of places
LONGER = {16, 17, 18}  # those of 8 bytes
BELOW = {exif.EXIF_IFD, exif.GPS_IFD}
INTEROPERABILITY = 0xA005
PLACES = {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES}
OF_THE_FILE = {270, IMAGEJ, IMAGEJ_COUNTS}  # tags of the first slice that describe all of them


IMAGES = re.compile(r"ImageJ=.*?\nimages=(\d{1,9})\n", re.DOTALL)


@dataclass(frozen=True)
class PagePlace:
    """Where a page is in a TIFF file."""

    directory: int
    """Offset of its directory."""
    page: Page
    """What the directory says."""
    skipped: int = 0
    """Bytes of earlier slices' pixels behind the same directory."""


def find_pages(data: bytes, layout: Layout) -> list[PagePlace]:
    """The pages of a TIFF that are no smaller copies, in order; several where all slices lie behind one directory.

    Raises SeveralPicturesError for slices that lie in another way than one after the other.
    """
    if len(layout.full) > 1:
        return [PagePlace(at, layout.page(at)) for at in layout.full]
    (at,) = layout.full
    page = layout.page(at)
    if page.one(DEPTH, 1) > 1:
        raise SeveralPicturesError
    slices = 1 if layout.reduced else _count_slices(data)
    if slices == 1:
        return [PagePlace(at, page)]
    offsets, counts = page.segments(data)
    size = int(counts.sum())
    follow = len(offsets) and np.array_equal(offsets[1:], (offsets + counts)[:-1])
    if not follow or page.one(COMPRESSION, UNCOMPRESSED) != UNCOMPRESSED:
        raise SeveralPicturesError
    there = (len(data) - int(offsets[0])) // max(size, 1)
    if there == 1:  # a description of the stack that this one was taken from
        return [PagePlace(at, page)]
    if there < slices:
        raise NotReadError(f"only {there} of its {slices} slices are there", "export or copy it again")
    return [PagePlace(at, page, number * size) for number in range(slices)]


def _count_slices(data: bytes) -> int:
    """How many pictures lie behind the only directory of a file, by what ImageJ and others write into it."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        stated = IMAGES.match(page.description) if page.is_imagej else None
        whole = sum(series.size for series in file.series) // page.size if page.size else 1
        return max(whole, int(stated[1]) if stated else 1, 1)


def page_file(data: bytes, layout: Layout, place: PagePlace) -> bytes:
    """A TIFF file of the page alone, as it is stored. Raises ValueError for a broken directory.

    NotReadError for JPEG of the old kind, which lies where only its own tags say.
    """
    if place.page.one(COMPRESSION, UNCOMPRESSED) == OLD_JPEG:
        raise NotReadError("pages of JPEG of TIFF 6.0, which hfpie does not read", "save it with another compression")
    head = _head(layout.order, big=layout.big)
    body = _Body(len(head), layout.order, layout.big)
    directory = _move(data, layout, place, body)
    file = bytearray(head + body.data)
    struct.pack_into(layout.order + layout.link, file, len(head) - struct.calcsize(layout.link), directory)
    return bytes(file)


class PagesWriter:
    """Puts pages, each a little-endian TIFF file, into one file as they come. big: as BigTIFF, beyond 4 GB."""

    def __init__(self, file: IO[bytes], *, big: bool) -> None:
        self._file, self._big = file, big
        self._form = "<Q" if big else "<I"
        self._link = len(_head("<", big=big)) - struct.calcsize(self._form)
        file.write(_head("<", big=big))

    def add(self, file: bytes) -> None:
        """The next page."""
        layout = Layout(file)
        (at,) = layout.full
        end = self._file.seek(0, io.SEEK_END)
        end += self._file.write(b"\0" * (end % 2))
        body = _Body(end, "<", self._big)
        directory = _move(file, layout, PagePlace(at, layout.page(at)), body)
        self._file.write(body.data)
        self._file.seek(self._link)
        self._file.write(struct.pack(self._form, directory))
        self._link = end + len(body.data) - struct.calcsize(self._form)


def _head(order: str, *, big: bool) -> bytes:
    """A file's first bytes, with the link to the first directory at their end."""
    mark = b"II" if order == "<" else b"MM"
    return mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))


@dataclass
class _Body:
    """Bytes that will lie at `base`, an even place, of a file of this byte order; every part at an even place."""

    base: int
    order: str
    big: bool
    data: bytearray = field(default_factory=bytearray)

    def add(self, part: bytes) -> int:
        """Its place in the file."""
        self.data += b"\0" * (len(self.data) % 2)
        self.data += part
        return self.base + len(self.data) - len(part)

    def entry(self, tag: int, kind: int, count: int, value: bytes) -> bytes:
        """The entry of a directory; a value that does not fit in it is added."""
        inline, form = (8, "Q") if self.big else (4, "I")
        if len(value) > inline:
            value = struct.pack(self.order + form, self.add(value))
        return struct.pack(self.order + "HH" + form, tag, kind, count) + value.ljust(inline, b"\0")

    def places(self, tag: int, numbers: Iterable[int]) -> bytes:
        """The entry of places or lengths."""
        values = np.array(list(numbers), self.order + ("u8" if self.big else "u4"))
        return self.entry(tag, LONG8 if self.big else LONG, len(values), values.tobytes())

    def directory(self, entries: dict[int, bytes]) -> int:
        """Its place; the link to the next one, at its end, leads nowhere."""
        head = struct.pack(self.order + ("Q" if self.big else "H"), len(entries))
        return self.add(head + b"".join(entries[tag] for tag in sorted(entries)) + bytes(8 if self.big else 4))


def _move(data: bytes, layout: Layout, place: PagePlace, body: _Body) -> int:
    """Add the page to the body of a file of the same byte order; the place of its directory, which comes last."""
    left_out = PLACES | {SUB_DIRECTORIES} | (OF_THE_FILE if place.skipped else set())
    entries: dict[int, bytes] = {}
    for one in _entries(data, layout, place.directory):
        if one.tag in BELOW:
            with suppress(ValueError):  # a broken one is left out, as it is of a file of one page
                entries[one.tag] = body.places(one.tag, [_move_below(data, layout, one, body)])
        elif one.tag not in left_out:
            entries[one.tag] = body.entry(one.tag, one.kind, one.count, one.value)
    offsets, counts = place.page.segments(data)
    offsets = np.minimum(offsets + np.uint64(place.skipped), np.uint64(len(data)))
    counts = np.minimum(counts, np.uint64(len(data)) - offsets)
    if int(counts.sum()) > SHARED * len(data):
        raise ValueError("its strips or tiles share their bytes")
    segments = zip(offsets.tolist(), counts.tolist(), strict=True)
    tags = (TILE_OFFSETS, TILE_BYTES) if place.page.is_tiled else (STRIP_OFFSETS, STRIP_BYTES)
    entries[tags[0]] = body.places(tags[0], [body.add(data[at : at + length]) for at, length in segments])
    entries[tags[1]] = body.places(tags[1], counts.tolist())
    return body.directory(entries)


def _move_below(data: bytes, layout: Layout, entry: _Entry, body: _Body) -> int:
    """Add the directory that an entry leads to; its place. Raises ValueError for a broken one."""
    at = layout.number("Q" if entry.kind in LONGER else "I", entry.at)
    layout.check_values(at)
    found = {one.tag: body.entry(one.tag, one.kind, one.count, one.value) for one in _entries(data, layout, at)}
    found.pop(INTEROPERABILITY, None)  # leads to one more, which says nothing of the photograph
    return body.directory(found)


@dataclass(frozen=True)
class _Entry:
    """An entry of a directory. at: where its number or link lies. value: its bytes as they are stored."""

    tag: int
    kind: int
    count: int
    at: int
    value: bytes


def _entries(data: bytes, layout: Layout, directory: int) -> Iterable[_Entry]:
    """Those of types that TIFF knows, whose values lie in the file; of two of a tag the first counts."""
    first, count, size = layout.bounds(directory)
    found: dict[int, _Entry] = {}
    inline = 8 if layout.big else 4
    for start in range(first, first + count * size, size):
        tag, kind = struct.unpack_from(layout.order + "HH", data, start)
        number, at = layout.number(layout.link, start + 4), start + size - inline
        length = SIZES.get(kind, 0) * number
        place = at if length <= inline else layout.number(layout.link, at)
        if length and place + length <= len(data):
            found.setdefault(tag, _Entry(tag, kind, number, at, data[place : place + length]))
    return found.values()
