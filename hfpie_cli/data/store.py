"""Photographs for training, decoded once into one memory-mapped file of 8-bit RGB pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UnavailableError
from ..files import atomic_path

INDEX_FORMAT = 2  # an index of another one is not looked for


@dataclass(frozen=True)
class Entry:
    """Where a photograph lies in the memory map."""

    name: str
    offset: int
    height: int
    width: int


class PhotoStore:
    """Read-only pictures by number: `store[i]` is (h, w, 3) uint8 RGB, a view of the file."""

    def __init__(self, pixels: NDArray[np.uint8], entries: list[Entry]) -> None:
        self._pixels = pixels
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        entry = self.entries[index]
        size = entry.height * entry.width * 3
        return self._pixels[entry.offset : entry.offset + size].reshape(entry.height, entry.width, 3)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[index] for index in range(len(self)))

    @property
    def names(self) -> list[str]:
        """Of the photographs: their paths below the folder that was opened."""
        return [entry.name for entry in self.entries]

    def pick(self, indices: Iterable[int]) -> PhotoStore:
        """The photographs of these numbers, over the same pixels."""
        return PhotoStore(self._pixels, [self.entries[index] for index in indices])

    def draw(self, rng: np.random.Generator) -> int:
        """A random number of a photograph, more often of a larger one: as the root of its pixels."""
        return int(np.searchsorted(self._shares, rng.random() * self._shares[-1], side="right"))

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        return np.cumsum([np.sqrt(entry.height * entry.width) for entry in self.entries])


NOTHING = PhotoStore(np.empty(0, np.uint8), [])


def open_store(paths: Sequence[Path], root: Path, cache: Path, say: Callable[[str], None]) -> PhotoStore:
    """The photographs of these files below `root`, decoded into `cache` at the first call and when a file changes.

    A file that cannot be decoded is passed over, with one line to `say` each time. Raises UnavailableError if none is
    left.
    """
    stamp = [(str(p.relative_to(root)), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    key = hashlib.sha256(json.dumps([INDEX_FORMAT, str(root.resolve()), stamp]).encode()).hexdigest()[:16]
    index = cache / f"{key}.json"
    if not (index.exists() and index.with_suffix(".rgb").exists()):
        say(f"decoding {len(paths):,} files of {root} into {cache}")
        _decode_all(paths, root, index)
    listing = json.loads(index.read_text(encoding="utf-8"))
    for name in listing["broken"]:
        say(f"{root / name}: cannot be decoded, passed over")
    if not listing["entries"]:
        raise UnavailableError(f"{root}: no photograph there could be read", "see the lines above")
    return PhotoStore(
        np.memmap(index.with_suffix(".rgb"), np.uint8, "r"), [Entry(**entry) for entry in listing["entries"]]
    )


def _decode_all(paths: Sequence[Path], root: Path, index: Path) -> None:
    """Write the pixels, then the index that tells of them."""
    index.parent.mkdir(parents=True, exist_ok=True)
    entries, broken, offset = [], [], 0
    with atomic_path(index.with_suffix(".rgb")) as temporary, temporary.open("wb") as file:
        for path in paths:
            name, pixels = str(path.relative_to(root)), _decode(path)
            if pixels is None:
                broken.append(name)
                continue
            file.write(pixels.tobytes())
            entries.append(vars(Entry(name, offset, *pixels.shape[:2])))
            offset += pixels.size
    with atomic_path(index) as temporary:
        temporary.write_text(json.dumps({"entries": entries, "broken": broken}), encoding="utf-8")


def _decode(path: Path) -> NDArray[np.uint8] | None:
    """(h, w, 3) RGB, or None for what is no picture."""
    try:
        data = np.fromfile(path, np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if pixels is None else np.ascontiguousarray(pixels, np.uint8)
