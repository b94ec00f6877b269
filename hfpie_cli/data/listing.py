"""The listing of a store of decoded photographs: offsets in its file, and the hashes of both.

If either file has changed, the store is made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..files import atomic_path, sha256_of


@dataclass(frozen=True)
class Entry:
    """A photograph of a listing."""

    name: str
    """Path below the folder."""
    offset: int | None
    """Offset in the memory map, bytes; None if it did not fit there."""
    height: int
    """Pixels."""
    width: int
    """Pixels."""
    type: str
    """uint8 or uint16."""
    look: str
    """Thumbnail of 16 x 16 grey pixels, uint8 in hex."""

    @property
    def bytes(self) -> int:
        """Size of its pixels."""
        return self.height * self.width * 3 * np.dtype(self.type).itemsize


@dataclass(frozen=True)
class Listing:
    """What a folder of photographs holds, and the file of their decoded pixels."""

    entries: list[Entry]
    """The photographs."""
    refused: dict[str, str]
    """Why each other file is not one."""
    size: int
    """Size of the pixels' file, bytes."""
    digest: str
    """SHA-256 of the pixels' file."""
    made_of: str = ""
    """SHA-256 of the file that these were made from; empty for decoded ones."""


def write(index: Path, listing: Listing) -> None:
    """Write it to `index`, beside the pixels, with its own hash."""
    text = json.dumps(asdict(listing))
    with atomic_path(index) as temporary:
        temporary.write_text(f"{_hash(text)}\n{text}", encoding="utf-8")


def read(index: Path) -> Listing | None:
    """What `write` wrote; None if it or the pixels have changed."""
    pixels = index.with_suffix(".rgb")
    try:
        digest, _, text = index.read_text(encoding="utf-8").partition("\n")
        if digest != _hash(text):
            return None
        kept = json.loads(text)
        listing = Listing(**{**kept, "entries": [Entry(**entry) for entry in kept["entries"]]})
        whole = pixels.stat().st_size == listing.size and sha256_of(pixels) == listing.digest
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return listing if whole else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
