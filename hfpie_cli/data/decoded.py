"""Photographs for training: decoded once into one memory-mapped file, in 8 or 16 bits as each file has them.

They are read as by `hfpie denoise`, so that files that it refuses are not trained on.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, reduce
from pathlib import Path
from shutil import disk_usage
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..degradations.operations import reduce_bicubic
from ..errors import HfpieError, UnavailableError
from ..files import atomic_path, sweep
from ..photos.hidden import fill_hidden
from ..photos.limits import pixel_limit
from ..photos.photo import FULL_SCALE, Pixels, to_8bit, to_16bit
from ..photos.reader import read_photo
from ..photos.resize import resize
from ..photos.thumbnails import SIDE
from ..settings import default_threads
from ..shown import counted
from . import listing
from .listing import Entry, Listing

INDEX_FORMAT = 4  # an index of another format is ignored
FREE_SHARE = 0.8  # share of the free disk space that decoded photographs may fill
MAX_THREADS = 16  # threads; more would only wait for each other
RECENT = 4  # photographs kept in memory of those that did not fit on the disk

Item = TypeVar("Item")


class Tracker(Protocol):
    """Yields items and shows how many of `total` have been taken."""

    def __call__(self, things: Iterable[Item], total: int, what: str) -> Iterable[Item]: ...


def untracked(things: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    """Yields them and shows nothing."""
    return things


@dataclass(frozen=True)
class Making:
    """How another picture is made of each photograph."""

    name: str
    """Part of a file's name."""
    doing: str
    """What the user is told meanwhile."""
    make: Callable[[Pixels], Pixels]
    """(h, w, 3) uint8 or uint16 to the other picture; can be pickled."""


def reducing(scale: int) -> Making:
    """Reduced bicubically (`reduce_bicubic`) by a whole factor, uint8."""
    return Making(f"x{scale}", "reducing", partial(_reduced, scale=scale))


def shrinking(factor: float) -> Making:
    """Resized (`resize`), each side shorter by the factor, of the photograph's own type."""
    return Making(f"shrunk-{factor:.2f}", "shrinking", partial(_shrunk, factor=factor))


def _reduced(pixels: Pixels, scale: int) -> Pixels:
    short = [(0, max(scale - n, 0)) for n in pixels.shape[:2]]
    whole = np.pad(pixels, [*short, (0, 0)], mode="symmetric").astype(np.float32)
    return to_8bit(reduce_bicubic(whole / np.float32(FULL_SCALE[pixels.dtype.name]), scale))


def _shrunk(pixels: Pixels, factor: float) -> Pixels:
    height, width = (max(round(n / factor), 1) for n in pixels.shape[:2])
    return np.ascontiguousarray(resize(pixels, height, width))


class PhotoStore:
    """Read-only pictures by number: `store[i]` is (h, w, 3) RGB, uint8 or uint16, a view of the file.

    One that did not fit there is decoded from its own file below `root`, and made anew, at every call.
    """

    def __init__(
        self, file: Path, entries: list[Entry], root: Path, made: tuple[Making, ...] = (), digest: str = ""
    ) -> None:
        """made: what was done to the photographs, in order. digest: of the file (SHA-256), for what is made from it."""
        self.file, self.root, self.made, self.digest = file, root, made, digest
        self.entries = entries

    def __reduce__(self) -> tuple[type[PhotoStore], tuple[Path, list[Entry], Path, tuple[Making, ...]]]:
        return PhotoStore, (
            self.file,
            self.entries,
            self.root,
            self.made,
        )  # pickled without pixels: another process maps the file

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Pixels:
        entry = self.entries[index]
        if entry.offset is None:
            return reduce(lambda pixels, making: making.make(pixels), self.made, _recent(self.root / entry.name))
        pixels = self._pixels[entry.offset : entry.offset + entry.bytes].view(entry.type)
        return pixels.reshape(entry.height, entry.width, 3)

    def __iter__(self) -> Iterator[Pixels]:
        return (self[index] for index in range(len(self)))

    @property
    def names(self) -> list[str]:
        """Paths of the photographs below the folder that was opened."""
        return [entry.name for entry in self.entries]

    def pick(self, indices: Iterable[int]) -> PhotoStore:
        """The photographs with these numbers, sharing the pixels."""
        return PhotoStore(self.file, [self.entries[index] for index in indices], self.root, self.made)

    def draw(self, rng: np.random.Generator) -> int:
        """A random photograph's number, with a probability proportional to the square root of its pixels."""
        return int(np.searchsorted(self._shares, rng.random() * self._shares[-1], side="right"))

    @cached_property
    def typical_side(self) -> float:
        """The median of the photographs' shorter sides, pixels."""
        return float(np.median([min(entry.height, entry.width) for entry in self.entries]))

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return np.memmap(self.file, np.uint8, "r")

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        return np.cumsum([np.sqrt(entry.height * entry.width) for entry in self.entries])


NOTHING = PhotoStore(Path(), [], Path())


def open_store(
    paths: Sequence[Path], root: Path, cache: Path, say: Callable[[str], None], track: Tracker = untracked
) -> PhotoStore:
    """The photographs of these files below `root`, decoded into `cache` at the first call and when a file changes.

    A file that is not a photograph is skipped, with one line to `say` each time. Those that do not fit on the disk
    are decoded again whenever they are needed. Raises UnavailableError if none is left.
    """
    names = [str(path.relative_to(root)) for path in paths]
    stamp = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in zip(names, paths, strict=True)]
    key = hashlib.sha256(json.dumps([INDEX_FORMAT, pixel_limit(), str(root.resolve()), stamp]).encode()).hexdigest()[
        :16
    ]
    index = cache / f"{key}.json"
    cache.mkdir(parents=True, exist_ok=True)
    sweep([cache])
    if (kept := listing.read(index)) is None or _has_room(kept, cache):
        say(f"decoding {counted(len(paths), 'file')} of {root} into {cache}")
        kept = _keep(index, names, track(_in_order(_decode, paths), len(paths), "decoding"))
    entries, refused = kept.entries, kept.refused
    for name, reason in refused.items():
        say(f"{root / name}: {reason}, skipped")
    if not entries:
        raise UnavailableError(f"{root}: none of its photographs could be read", "see the messages above")
    if left := sum(entry.bytes for entry in entries if entry.offset is None):
        count = sum(entry.offset is None for entry in entries)
        say(
            f"{count:,} of {counted(len(entries), 'photograph')} do not fit on the disk of {cache} and are decoded for "
            f"every crop, which is slow; free another {left / FREE_SHARE / 1e9:.1f} GB there, or set XDG_CACHE_HOME"
        )
    return PhotoStore(index.with_suffix(".rgb"), entries, root, digest=kept.digest)


def made_store(store: PhotoStore, making: Making, say: Callable[[str], None], track: Tracker = untracked) -> PhotoStore:
    """What is made of every photograph of a whole store; made once and kept beside it."""
    index = store.file.with_name(f"{store.file.stem}-{making.name}.json")
    if (kept := listing.read(index)) is None or kept.made_of != store.digest or _has_room(kept, index.parent):
        say(f"{making.doing} {counted(len(store), 'photograph')} into {index.parent}")
        made = _in_order(lambda number: making.make(store[number]), range(len(store)))
        kept = _keep(index, store.names, track(made, len(store), making.doing), made_of=store.digest)
    return PhotoStore(index.with_suffix(".rgb"), kept.entries, store.root, (*store.made, making), kept.digest)


def _has_room(kept: Listing, cache: Path) -> bool:
    """Whether a store that did not fit on the disk would fit now."""
    if all(entry.offset is not None for entry in kept.entries):
        return False
    return sum(entry.bytes for entry in kept.entries) <= disk_usage(cache).free * FREE_SHARE


def _keep(index: Path, names: Sequence[str], pictures: Iterable[Pixels | str], made_of: str = "") -> Listing:
    """Write as many pixels as fit on the disk, then the listing of photographs and refused files."""
    room = disk_usage(index.parent).free * FREE_SHARE
    entries, refused, digest = [], {}, hashlib.sha256()
    with atomic_path(index.with_suffix(".rgb")) as temporary, temporary.open("wb") as file:
        for name, pixels in zip(names, pictures, strict=True):
            if isinstance(pixels, str):
                refused[name] = pixels
                continue
            gap = bytes(file.tell() % 2)  # 16-bit samples start at even offsets
            offset = file.tell() + len(gap)
            fits = offset + pixels.nbytes <= room
            if fits:
                for part in (gap, pixels.data):
                    file.write(part)
                    digest.update(part)
            height, width, _ = pixels.shape
            entries.append(Entry(name, offset if fits else None, height, width, pixels.dtype.name, look_of(pixels)))
        size = file.tell()
    kept = Listing(entries, refused, size, digest.hexdigest(), made_of)
    listing.write(index, kept)
    return kept


def _in_order(make: Callable[[Item], Pixels | str], things: Iterable[Item]) -> Iterator[Pixels | str]:
    """Map a function over items in order; several threads work a few items ahead."""
    threads = min(default_threads(), MAX_THREADS)
    waiting: deque[Future[Pixels | str]] = deque()
    # the reader changes the warning filters of all threads
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        for thing in things:
            waiting.append(pool.submit(make, thing))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decode(path: Path) -> Pixels | str:
    """The pixels of a photograph, or why the file cannot be read."""
    try:
        return training_pixels(path)
    except HfpieError as error:
        return error.message.removeprefix(f"{path}: ")


def training_pixels(path: Path) -> Pixels:
    """(h, w, 3) RGB, uint8, or uint16 for files of more than 8 bits; grey is given to all three colours.

    Colours hidden by transparency are replaced as for restoring. Raises HfpieError as `read_photo` does, and for a
    photograph that is fully transparent.
    """
    photo = read_photo(path)
    if photo.alpha is not None and not photo.alpha.any():
        raise HfpieError(f"{path}: fully transparent", "remove it from the folder")
    pixels = fill_hidden(photo).pixels
    pixels = to_16bit(pixels) if pixels.dtype == np.float32 else pixels
    return np.ascontiguousarray(np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels)


_recent = lru_cache(RECENT)(training_pixels)


def look_of(pixels: Pixels) -> str:
    """The thumbnail of a picture (h, w, 3), by which scenes are found; see Entry."""
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(to_8bit(small), cv2.COLOR_RGB2GRAY).tobytes().hex()
