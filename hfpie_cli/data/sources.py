"""Where training pictures come from: any folder of photographs, two folders of pairs, or a data set as published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UnavailableError
from ..photos.formats import is_output_of_another
from ..shown import counted
from .catalogue import DataSet, data_sets
from .decoded import Making, PhotoStore, Tracker, made_store, open_store, reducing, shrinking, untracked
from .matching import find_pairs, go_together, holds, pair_folders, photos_below, training_photos
from .training_set import TrainingSet

SHRINKS = (2**0.25, 2**0.5, 2**0.75, 2.0)  # factors by which photographs are shrunk for training
Pairs = Sequence[tuple[Path, Path]]  # (degraded, clean)


@dataclass(frozen=True)
class Opener:
    """Opens training sets for a task and a scale of enlargement."""

    task: str
    """A key of TASKS, or highpass."""
    scale: int
    """Enlargement of the network."""
    cache: Path
    """Folder of decoded pictures."""
    say: Callable[[str], None]
    """Called with progress messages, and with every file that cannot be decoded."""
    track: Tracker = untracked
    """Shows the progress of decoding."""
    shrinks: bool = False
    """Whether photographs are wanted at smaller sizes too."""

    def training_set(self, data: Path | None, degraded: Path | None, clean: Path | None) -> TrainingSet:
        """A training set from a folder of photographs or a data set, and from two folders of pairs; either may be None.

        Raises UnavailableError if nothing is found, or if the sides of a pair do not fit each other.
        """
        found = self._folder(data) if data else TrainingSet()
        if len(found.photos):
            shrunk = (self._made(found.photos, shrinking(factor)) for factor in SHRINKS if self.shrinks)
            found = replace(self._whole(found), shrunk=tuple(self._whole(TrainingSet(photos)) for photos in shrunk))
        if degraded is None or clean is None:
            return found
        paired, small = self._pairs(pair_folders(degraded, clean), degraded, clean)
        return replace(found, paired=paired, degraded=small)

    def _whole(self, found: TrainingSet) -> TrainingSet:
        """With the reduced photographs that enlarging is trained on."""
        return replace(found, reduced=self._made(found.photos, reducing(self.scale))) if self.scale > 1 else found

    def _made(self, store: PhotoStore, making: Making) -> PhotoStore:
        return made_store(store, making, self.say, self.track)

    def _folder(self, folder: Path) -> TrainingSet:
        entry = published_as(folder)
        if entry is None:
            return TrainingSet(self._open(self._photographs(folder), folder))
        photos = self._open(training_photos(entry, folder), folder)
        degraded = entry.train_degraded.get(self.task)
        if degraded is None or not holds(folder, degraded):
            return TrainingSet(photos)
        paired, small = self._pairs(find_pairs(folder, degraded, entry.train), folder, folder)
        return TrainingSet(photos, paired=paired, degraded=small)

    def _photographs(self, folder: Path) -> list[Path]:
        """The photographs below a folder, without what hfpie made of others there."""
        found = photos_below(folder)
        kept = [path for path in found if not is_output_of_another(path)]
        if made := len(found) - len(kept):
            self.say(f"{folder}: {counted(made, 'file')} that hfpie made of others there: not trained on")
        return kept

    def _pairs(self, files: Pairs, degraded_root: Path, clean_root: Path) -> tuple[PhotoStore, PhotoStore]:
        """(clean, degraded), in the same order; a pair with a broken file is left out."""
        roots = (degraded_root, clean_root)
        stores = [self._open([pair[i] for pair in files], roots[i]) for i in (0, 1)]
        numbers = [{name: number for number, name in enumerate(store.names)} for store in stores]
        names = [[str(path.relative_to(root)) for path, root in zip(pair, roots, strict=True)] for pair in files]
        kept = [(numbers[0][a], numbers[1][b]) for a, b in names if a in numbers[0] and b in numbers[1]]
        degraded, clean = stores[0].pick([a for a, _ in kept]), stores[1].pick([b for _, b in kept])
        for small, large in zip(degraded.entries, clean.entries, strict=True):
            if not go_together((small.height, small.width), (large.height, large.width), self.scale):
                raise UnavailableError(
                    f"{degraded_root / small.name}: {small.width} x {small.height} pixels do not fit the clean "
                    f"picture's {large.width} x {large.height}",
                    f"to train {self.task}, the clean one must be {self.scale} times as large"
                    if self.scale > 1
                    else f"to train {self.task}, both sides of a pair must have one size",
                )
        return clean, degraded

    def _open(self, paths: Sequence[Path], root: Path) -> PhotoStore:
        return open_store(paths, root, self.cache, self.say, self.track)


def published_as(folder: Path) -> DataSet | None:
    """The data set whose training pictures the folder holds as published, if any.

    Raises UnavailableError if it holds only pictures for scoring.
    """
    for entry in data_sets().values():
        if "/" in entry.train and holds(folder, entry.train):
            return entry
    for entry in data_sets().values():
        if "/" in entry.train and any("/" in pattern and holds(folder, pattern) for pattern in entry.patterns):
            message = f"{folder}: holds only evaluation pictures of {entry.name}, no training pictures"
            raise UnavailableError(message, entry.advice(folder, entry.train))
    return None
