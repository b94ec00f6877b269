"""JPEG: what is appended to a file behind its picture, such as the video of a motion photo."""

from __future__ import annotations

from .headers import END, jpeg_markers

PADDING = b"\0\r\n \xff"


def end_of(file: bytes) -> int:
    """The place behind the picture; that behind the file where the picture does not end."""
    return next((at + 2 for marker, at in jpeg_markers(file) if marker == END), len(file))
