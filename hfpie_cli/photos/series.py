"""Base of stacks and films, whose pictures are read, restored and written one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .formats import OutputStyle
from .photo import Photo


class Series(ABC):
    """A file of many pictures, with one in memory at a time. noun: what one is called."""

    noun: ClassVar[str]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the file, for messages."""

    @property
    @abstractmethod
    def format(self) -> str:
        """Format that it is written in."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of its pictures, as far as its header states it."""

    @property
    @abstractmethod
    def pixels(self) -> int:
        """Pixels of all pictures."""

    @property
    @abstractmethod
    def first(self) -> Photo:
        """The first picture."""

    @abstractmethod
    def pictures(self, start: int = 0) -> Iterator[Photo]:
        """All pictures after the first `start`; may be called repeatedly. Raises HfpieError as `read_photo` does."""

    @abstractmethod
    def checked(self, style: OutputStyle, target: Path | None, scale: int) -> tuple[str, ...]:
        """Remarks for the user on how it will be written. Raises HfpieError if no file of the style can hold it."""
