"""Reads the content of a file: a photograph, an animation, or a series of pictures."""

from __future__ import annotations

from pathlib import Path

from ..errors import HfpieError
from . import film
from .animation import Animation, read_animation
from .photo import Photo
from .reader import read_bytes, read_photo
from .series import Series
from .tiff_layout import SIGNATURES

Content = Photo | Animation | Series


def read_content(source: Path | bytes, name: str = "") -> Content:
    """The content of a file; of a series only the first picture is decoded. Raises HfpieError as `read_photo` does."""
    name = name or (str(source) if isinstance(source, Path) else "standard input")
    if isinstance(source, Path) and film.is_film(source):
        return film.open_film(source, name)
    data = read_bytes(source, name)
    return _read_stack(data, name) or read_animation(data, name) or read_photo(data, name)


def _read_stack(data: bytes, name: str) -> Series | None:
    if data[:4] not in SIGNATURES:
        return None
    from .stack import read_stack  # imports tifffile, which few need

    return read_stack(data, name)


def read_first(source: Path) -> Photo:
    """The photograph that a file holds, or the first picture of several."""
    return first_of(read_content(source))


def first_of(content: Content) -> Photo:
    """The photograph, or the first picture of several."""
    if isinstance(content, Photo):
        return content
    return content.frames[0] if isinstance(content, Animation) else content.first


def is_readable(path: Path) -> bool:
    """Whether a file can be decoded to its end."""
    try:
        content = read_content(path)
        if isinstance(content, Series):
            for _ in content.pictures():
                pass
    except HfpieError:
        return False
    return True
