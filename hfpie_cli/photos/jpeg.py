"""JPEG: data appended to the picture, and corrupt data."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from .caught import caught
from .headers import END, jpeg_markers

SIGNATURE = b"\xff\xd8\xff"
PADDING = b"\0\r\n \xff"


def end_of(file: bytes) -> int:
    """Offset of the end of the picture; the file's length if it has no end."""
    return next((at + 2 for marker, at in jpeg_markers(file) if marker == END), len(file))


def complaints(file: bytes) -> list[str]:
    """libjpeg's messages about corrupt data, which it decodes as far as it can; empty for an intact file.

    Pillow drops them, OpenCV prints them: so it decodes the file again, at an eighth of the size.
    """
    from .opencv import cv2

    with caught() as said, suppress(cv2.error):
        cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION)
    return said
