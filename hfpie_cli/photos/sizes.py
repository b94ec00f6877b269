"""The size of a picture, from its file's header alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from . import film
from .limits import check_size

SAMPLE_BYTES = {"I": 4, "F": 4}  # by the first letter of Pillow's mode; 1 for others, but see `read_size`

DEEP_BYTES = 2  # a sample of a film
SEVERAL = {"GIF", "PNG", "WEBP", "AVIF", "TIFF"}  # formats whose frames or pages are restored


@dataclass(frozen=True)
class Size:
    """Size of a picture file, as far as its header states it."""

    height: int
    """Pixels."""
    width: int
    """Pixels."""
    sample_bytes: int
    """Bytes of a sample at the file's own depth."""
    frames: int = 1
    """Frames or pages."""
    held: int = 1
    """Frames or pages that are in memory at the same time."""

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.height * self.width * self.frames

    @property
    def held_bytes(self) -> int:
        """Of the colours that are in memory at the same time."""
        return self.height * self.width * 3 * self.sample_bytes * self.held


def read_size(path: Path) -> Size | None:
    """The size of a picture; None if only decoding tells it, if it is too large, and for pipes."""
    try:
        if not path.is_file():
            return None
        if film.is_film(path):
            head = film.open_film(path, str(path)).head
            return Size(head.look.height, head.look.width, DEEP_BYTES, head.count)
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            sample = 2 if ";16" in image.mode else SAMPLE_BYTES.get(image.mode[0], 1)
            frames = getattr(image, "n_frames", 1) if image.format in SEVERAL else 1
            size = Size(image.height, image.width, sample, frames, 1 if image.format == "TIFF" else frames)
            check_size(str(path), size.width, size.height * size.held, path.stat().st_size)
            return size
    except Exception:  # errors are reported when the file is restored
        return None
