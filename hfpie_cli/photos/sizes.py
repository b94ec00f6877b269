"""The size of a picture, from its file's head alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SAMPLE_BYTES = {"I": 4, "F": 4}  # by the first letter of Pillow's mode; of the others 1, but see `read_size`


@dataclass(frozen=True)
class Size:
    """Pixels (height, width), and bytes a sample of the file's own depth, as far as its head tells."""

    height: int
    width: int
    sample_bytes: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


def read_size(path: Path) -> Size | None:
    """The size of a picture; None for what cannot be told without decoding it, and for pipes, which would wait."""
    try:
        if not path.is_file():
            return None
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            sample = 2 if ";16" in image.mode else SAMPLE_BYTES.get(image.mode[0], 1)
            return Size(image.height, image.width, sample)
    except Exception:  # whatever is wrong with the file is told when its turn comes
        return None
