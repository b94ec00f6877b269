"""Photographs for training, decoded once into one memory-mapped file of 8-bit RGB pixels."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UnavailableError


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


def open_store(paths: Sequence[Path], root: Path, cache: Path, warn: Callable[[str], None]) -> PhotoStore:
    """The photographs of these files below `root`, decoded into `cache` at the first call and when a file changes.

    A file that does not decode is passed over with one line to `warn`. Raises UnavailableError if none is left.
    """
    stamp = [(str(p.relative_to(root)), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    key = hashlib.sha256(json.dumps([str(root.resolve()), stamp]).encode()).hexdigest()[:16]
    index = cache / f"{key}.json"
    if not index.exists():
        _decode_all(paths, root, index, warn)
    entries = [Entry(**entry) for entry in json.loads(index.read_text())]
    if not entries:
        raise UnavailableError(f"{root}: no photograph there could be read", "see the lines above")
    return PhotoStore(np.memmap(index.with_suffix(".rgb"), np.uint8, "r"), entries)


def _decode_all(paths: Sequence[Path], root: Path, index: Path, warn: Callable[[str], None]) -> None:
    index.parent.mkdir(parents=True, exist_ok=True)
    entries, offset = [], 0
    partial = index.with_name(f"{index.stem}.{os.getpid()}.part")
    with partial.open("wb") as file:
        for path in paths:
            pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
            if pixels is None:
                warn(f"{path}: cannot be decoded, passed over")
                continue
            file.write(np.ascontiguousarray(pixels[..., ::-1]).tobytes())
            entries.append(vars(Entry(str(path.relative_to(root)), offset, *pixels.shape[:2])))
            offset += pixels.size
    partial.rename(index.with_suffix(".rgb"))
    listing = partial.with_suffix(".json-part")
    listing.write_text(json.dumps(entries))
    listing.rename(index)
