"""Pages of a TIFF moved from one file into another, so that each is read and written as a file of its own.

A page is its directory, what this leads to, and its strips or tiles. All of that gets new offsets; the pixels stay as
they are stored.
"""

from __future__ import annotations

import io
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import tifffile

from . import exif
from .directories import Body, entries, head_of, move_below
from .photo import NotReadError, SeveralPicturesError
from .tiff_layout import (
    COMPRESSION,
    DEPTH,
    OLD_JPEG,
    SHARED,
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

SEGMENT_TAGS = {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES}
OF_THE_FILE = {270, IMAGEJ, IMAGEJ_COUNTS}  # tags of the first slice that describe all of them


IMAGES = re.compile(r"ImageJ=.*?\nimages=(\d{1,9})\n", re.DOTALL)


@dataclass(frozen=True)
class StoredPage:
    """A page in a TIFF file."""

    directory: int
    """Offset of its directory."""
    page: Page
    """What the directory says."""
    skipped: int = 0
    """Bytes of the pixels of earlier slices that share the directory."""


def find_pages(data: bytes, layout: Layout) -> list[StoredPage]:
    """The pages of a TIFF that are not smaller copies, in order; several if all slices share one directory.

    Raises SeveralPicturesError for slices that are not stored one after the other.
    """
    if len(layout.full) > 1:
        return [StoredPage(at, layout.page(at)) for at in layout.full]
    (at,) = layout.full
    page = layout.page(at)
    if page.one(DEPTH, 1) > 1:
        raise SeveralPicturesError
    slices = 1 if layout.reduced else _count_slices(data)
    if slices == 1:
        return [StoredPage(at, page)]
    offsets, counts = page.segments(data)
    size = int(counts.sum())
    follow = len(offsets) and np.array_equal(offsets[1:], (offsets + counts)[:-1])
    if not follow or page.one(COMPRESSION, UNCOMPRESSED) != UNCOMPRESSED:
        raise SeveralPicturesError
    there = (len(data) - int(offsets[0])) // max(size, 1)
    if there == 1:  # a description of the stack that this one was taken from
        return [StoredPage(at, page)]
    if there < slices:
        raise NotReadError(f"only {there} of its {slices} slices are present", "export or copy it again")
    return [StoredPage(at, page, number * size) for number in range(slices)]


def _count_slices(data: bytes) -> int:
    """How many pictures share the only directory of a file, by what ImageJ and others write into it."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        stated = IMAGES.match(page.description) if page.is_imagej else None
        whole = sum(series.size for series in file.series) // page.size if page.size else 1
        return max(whole, int(stated[1]) if stated else 1, 1)


def page_file(data: bytes, layout: Layout, stored: StoredPage) -> bytes:
    """A TIFF file of the page alone, as it is stored. Raises ValueError for a broken directory.

    NotReadError for old-style JPEG, whose data only its own tags locate.
    """
    if stored.page.one(COMPRESSION, UNCOMPRESSED) == OLD_JPEG:
        raise NotReadError(
            "pages with the old JPEG compression of TIFF 6.0, which hfpie does not read",
            "save it with another compression",
        )
    head = head_of(layout.order, big=layout.big)
    body = Body(len(head), layout.order, layout.big)
    directory = _move(data, layout, stored, body)
    file = bytearray(head + body.data)
    struct.pack_into(layout.order + layout.link, file, len(head) - struct.calcsize(layout.link), directory)
    return bytes(file)


class PagesWriter:
    """Puts pages, each a little-endian TIFF file, into one file as they come. big: as BigTIFF, beyond 4 GB."""

    def __init__(self, file: IO[bytes], *, big: bool) -> None:
        self._file, self._big = file, big
        self._form = "<Q" if big else "<I"
        self._link = len(head_of("<", big=big)) - struct.calcsize(self._form)
        file.write(head_of("<", big=big))

    def add(self, file: bytes) -> None:
        """The next page."""
        layout = Layout(file)
        (at,) = layout.full
        end = self._file.seek(0, io.SEEK_END)
        end += self._file.write(b"\0" * (end % 2))
        body = Body(end, "<", self._big)
        directory = _move(file, layout, StoredPage(at, layout.page(at)), body)
        self._file.write(body.data)
        self._file.seek(self._link)
        self._file.write(struct.pack(self._form, directory))
        self._link = end + len(body.data) - struct.calcsize(self._form)


def _move(data: bytes, layout: Layout, stored: StoredPage, body: Body) -> int:
    """Add the page to the body of a file of the same byte order; the offset of its directory, which comes last."""
    left_out = SEGMENT_TAGS | {SUB_DIRECTORIES} | (OF_THE_FILE if stored.skipped else set())
    found: dict[int, bytes] = {}
    for one in entries(data, layout, stored.directory):
        if one.tag in exif.BELOW:
            with suppress(ValueError):  # a broken one is left out, as it is of a file of one page
                found[one.tag] = body.offsets(one.tag, [move_below(data, layout, one, body)])
        elif one.tag not in left_out:
            found[one.tag] = body.entry(one.tag, one.kind, one.count, one.value)
    offsets, counts = stored.page.segments(data)
    offsets = np.minimum(offsets + np.uint64(stored.skipped), np.uint64(len(data)))
    counts = np.minimum(counts, np.uint64(len(data)) - offsets)
    if int(counts.sum()) > SHARED * len(data):
        raise ValueError("its strips or tiles overlap")
    segments = zip(offsets.tolist(), counts.tolist(), strict=True)
    tags = (TILE_OFFSETS, TILE_BYTES) if stored.page.is_tiled else (STRIP_OFFSETS, STRIP_BYTES)
    found[tags[0]] = body.offsets(tags[0], [body.add(data[at : at + length]) for at, length in segments])
    found[tags[1]] = body.offsets(tags[1], counts.tolist())
    return body.directory(found)
