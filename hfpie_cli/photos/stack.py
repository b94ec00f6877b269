"""Stacks: TIFF files of several pages or slices, each read and written as a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO

from ..errors import HfpieError
from . import gate, raw, tiff_layout
from .formats import OutputStyle
from .limits import check_memory
from .photo import Photo
from .reader import decode_page, refusals
from .series import Series
from .tiff_layout import Layout
from .tiff_pages import PagesWriter, StoredPage, find_pages, page_file
from .tiff_write import MAX_CLASSIC
from .writer import check_writable, encode_photo, remarks


@dataclass(frozen=True)
class Stack(Series):
    """The pages of a TIFF file, decoded one at a time."""

    data: bytes
    """The file's bytes."""
    called: str
    """Its name in messages."""
    layout: Layout
    """Its directories."""
    pages: Sequence[StoredPage]
    """Where its pages are."""
    noun = "page"

    @property
    def name(self) -> str:
        """For messages."""
        return self.called

    @property
    def format(self) -> str:
        """Format that it is written in."""
        return "TIFF"

    @property
    def count(self) -> int:
        """Number of its pages."""
        return len(self.pages)

    @cached_property
    def first(self) -> Photo:
        """The first page, with a note about what is left out."""
        return replace(self._page(0), others=self.layout.reduced)

    @cached_property
    def pixels(self) -> int:
        """Pixels of all pages."""
        return sum(stored.page.width * stored.page.height for stored in self.pages)

    def pictures(self, start: int = 0) -> Iterator[Photo]:
        """Page after page. Raises HfpieError that names the page."""
        return (self._page(number) for number in range(start, self.count))

    def _page(self, number: int) -> Photo:
        name = f"{self.name}, page {number + 1}"
        with refusals(self.data, name):
            file = page_file(self.data, self.layout, self.pages[number])
            gate.inspect(file, name)
            return decode_page(file, name)

    def checked(self, style: OutputStyle, target: Path | None, scale: int) -> tuple[str, ...]:
        """Remarks for the user, a line each. Raises HfpieError for another format than TIFF."""
        if style.format not in (None, "TIFF"):
            message = f"{self.name}: a TIFF of {self.count} pages, which {style.format} cannot hold"
            raise HfpieError(message, "remove --format, or split it into separate files first")
        check_writable(self.first, style, scale=scale, name=self.name)
        check_memory(self.name, 2 * self.first.pixels.nbytes * scale**2)
        return (*remarks(self.first, style, target, scale=scale), f"{self.count} pages")

    @contextmanager
    def writing(self, file: IO[bytes], style: OutputStyle, scale: int) -> Iterator[Callable[[Photo], None]]:
        """Accepts the restored pages, `scale` times as large, for a TIFF, or a BigTIFF if their pixels need 4 GB."""
        channels = self.first.samples().shape[2]
        most = self.pixels * scale**2 * max(channels, 3) * self.first.pixels.itemsize
        pages = PagesWriter(file, big=most > MAX_CLASSIC)
        yield lambda photo: pages.add(encode_photo(photo, style, name=self.name))


def read_stack(data: bytes, name: str) -> Stack | None:
    """The stack that a file holds; None for any other. Raises HfpieError as `read_photo` does for a broken one."""
    if data[:4] not in tiff_layout.SIGNATURES:
        return None
    with refusals(data, name):
        if raw.is_raw(data):
            return None
        gate.inspect(data, name)
        gate.check_parts(data, name)
        layout = Layout(data)
        pages = find_pages(data, layout)
        return Stack(data, name, layout, pages) if len(pages) > 1 else None
    return None
