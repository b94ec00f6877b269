"""What stacks and films have in common: pictures that are read, restored and written one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

from .formats import OutputStyle
from .photo import Photo

Add = Callable[[Photo], None]  # puts the next picture into a file


@runtime_checkable
class Reel(Protocol):
    """A file of many pictures, of which one at a time is in memory.

    name: of the file, for messages. count: of its pictures, as far as its head tells. pixels: of all. noun: what one is
    called.
    """

    @property
    def name(self) -> str: ...

    @property
    def noun(self) -> str: ...

    @property
    def first(self) -> Photo: ...

    @property
    def count(self) -> int: ...

    @property
    def pixels(self) -> int: ...

    @property
    def format(self) -> str: ...

    def pictures(self) -> Iterator[Photo]:
        """All of them from the first on, as often as it is asked for. Raises HfpieError as `read_photo` does."""
        ...

    def checked(self, style: OutputStyle, target: Path | None, scale: int) -> tuple[str, ...]:
        """What a user should know of how it will be written. Raises HfpieError if no file of the style can hold it."""
        ...

    def writing(self, file: IO[bytes], style: OutputStyle, scale: int) -> AbstractContextManager[Add]:
        """Writes a file of such pictures, enlarged `scale` times, which is whole when the block has ended."""
        ...
