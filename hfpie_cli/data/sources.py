"""Where training pictures come from: any folder of photographs, two folders of pairs, or a data set as published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnavailableError
from ..photos.formats import is_photo
from .datasets import DataSet, find_pairs, pair_folders, table, training_photos
from .store import PhotoStore, open_store
from .training_set import TrainingSet

Pairs = Sequence[tuple[Path, Path]]  # (degraded, clean)


@dataclass(frozen=True)
class Opener:
    """Opens training sets. cache: where decoded pictures are kept; warn: is told of every file that does not decode."""

    cache: Path
    warn: Callable[[str], None]

    def training_set(self, data: Path | None, degraded: Path | None, clean: Path | None) -> TrainingSet:
        """Of a folder of photographs or of a published data set, and of two folders of pairs; either may be None.

        Raises UnavailableError if nothing is there, or if the sides of a pair do not fit each other.
        """
        found = self._folder(data) if data else TrainingSet()
        if degraded is None or clean is None:
            return found
        pairs = self._pairs(pair_folders(degraded, clean), degraded, clean)
        return TrainingSet(found.photos, *pairs)

    def _folder(self, folder: Path) -> TrainingSet:
        entry = published_as(folder)
        if entry is None:
            return TrainingSet(open_store(_photos_under(folder), folder, self.cache, self.warn))
        photos = open_store(training_photos(entry, folder), folder, self.cache, self.warn)
        if not (entry.train_degraded and any(folder.glob(f"{entry.train_degraded}.*"))):
            return TrainingSet(photos)
        return TrainingSet(photos, *self._pairs(find_pairs(folder, entry.train_degraded, entry.train), folder, folder))

    def _pairs(self, files: Pairs, degraded_root: Path, clean_root: Path) -> tuple[PhotoStore, PhotoStore]:
        """(clean, degraded), one for one; a pair with a broken file is left out."""
        roots = (degraded_root, clean_root)
        stores = [open_store([pair[i] for pair in files], roots[i], self.cache, self.warn) for i in (0, 1)]
        places = [{name: number for number, name in enumerate(store.names)} for store in stores]
        names = [[str(path.relative_to(root)) for path, root in zip(pair, roots, strict=True)] for pair in files]
        kept = [(places[0][a], places[1][b]) for a, b in names if a in places[0] and b in places[1]]
        degraded, clean = stores[0].pick([a for a, _ in kept]), stores[1].pick([b for _, b in kept])
        for small, large in zip(degraded.entries, clean.entries, strict=True):
            if not any((large.height, large.width) == (small.height * n, small.width * n) for n in (1, 2, 4)):
                raise UnavailableError(
                    f"{degraded_root / small.name}: {small.width} x {small.height} pixels do not fit the clean "
                    f"picture's {large.width} x {large.height}",
                    "the sides of a pair have one size, or the clean one is exactly 2 or 4 times as large",
                )
        return clean, degraded


def published_as(folder: Path) -> DataSet | None:
    """The data set whose training pictures lie in the folder as published, if any."""
    return next((entry for entry in table().values() if entry.train and _has(folder, entry.train)), None)


def _has(folder: Path, pattern: str) -> bool:
    return "/" in pattern and any(folder.glob(f"{pattern}.*"))


def _photos_under(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if is_photo(path)) if folder.is_dir() else []
    if not paths:
        raise UnavailableError(
            f"{folder}: no photographs to train on", "name a folder of PNG, JPEG, WebP or TIFF files"
        )
    return paths
