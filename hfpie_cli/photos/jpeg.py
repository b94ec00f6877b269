"""JPEG: what is appended to a file behind its picture, such as the video of a motion photo."""

from __future__ import annotations

from .headers import END, jpeg_markers

PADDING = b"\0\r\n \xff"


def has_tail(file: bytes) -> bool:
    """Whether anything but padding follows the picture."""
    end = next((at + 2 for marker, at in jpeg_markers(file) if marker == END), len(file))
    return bool(file[end:].strip(PADDING))
