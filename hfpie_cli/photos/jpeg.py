"""JPEG: data appended behind the picture, and corrupt data."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from .caught import caught
from .headers import END, jpeg_markers

SIGNATURE = b"\xff\xd8\xff"
PADDING = b"\0\r\n \xff"


def end_of(file: bytes) -> int:
    """The offset behind the picture; the file's length if the picture does not end."""
    return next((at + 2 for marker, at in jpeg_markers(file) if marker == END), len(file))


def complaints(file: bytes) -> list[str]:
    """libjpeg's messages on corrupt data, which it decodes as well as it can; empty for a good file.

    Pillow drops these lines. OpenCV prints them, so it decodes the file once more, at an eighth of its size.
    """
    from .opencv import cv2

    with caught() as said, suppress(cv2.error):
        cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION)
    return said
