"""What there is to train on: photographs to degrade and published pairs; what of it is held out for validation."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from pathlib import PurePath

from ..errors import UnavailableError
from .store import NOTHING, PhotoStore

HELD_OUT = 40  # pictures of every training set that are never trained on


@dataclass(frozen=True)
class TrainingSet:
    """Clean photographs, and pairs that were published as such; either may be empty.

    degraded[i] is the degraded picture of paired[i], 1/scale of its size.
    """

    photos: PhotoStore = NOTHING
    paired: PhotoStore = NOTHING
    degraded: PhotoStore = NOTHING

    def __str__(self) -> str:
        counts = ((len(self.photos), "photographs"), (len(self.paired), "pairs"))
        return " and ".join(f"{count:,} {what}" for count, what in counts if count)

    def fingerprint(self) -> str:
        """A hash of the names of all pictures: 16 hex digits."""
        return _hash("\n".join([*self.photos.names, "", *self.paired.names]))[:16]

    def split(self) -> tuple[TrainingSet, TrainingSet]:
        """(to train on, held out): photographs one by one, pairs by whole scenes; nothing held out is in the other.

        Raises UnavailableError if there is but one of either.
        """
        photos, pairs = held_out(self.photos.names), held_out_of_scenes(self.paired.names)
        for store, chosen in ((self.photos, photos), (self.paired, pairs)):
            if len(store) and not chosen:
                raise UnavailableError(f"{store.names[0]}: one picture is too few to train on", "add some more")
        either = photos | pairs  # a published set's photographs are the clean sides of its pairs
        training = {name for name in (*self.photos.names, *self.paired.names) if name not in either}
        return self._named(training, training), self._named(photos, pairs)

    def _named(self, photos: Set[str], pairs: Set[str]) -> TrainingSet:
        chosen = [number for number, name in enumerate(self.photos.names) if name in photos]
        chosen_pairs = [number for number, name in enumerate(self.paired.names) if name in pairs]
        return TrainingSet(self.photos.pick(chosen), self.paired.pick(chosen_pairs), self.degraded.pick(chosen_pairs))


def held_out(names: list[str], count: int = HELD_OUT) -> frozenset[str]:
    """`count` of the names (at most a fifth): those whose hashes come first, a fixed choice."""
    return frozenset(sorted(names, key=_hash)[: min(count, _fifth(names))])


def held_out_of_scenes(names: list[str], count: int = HELD_OUT) -> frozenset[str]:
    """The names of whole scenes, those whose hashes come first, `count` of them at most (and a fifth).

    One by one where even the first scene is larger than that.
    """
    scenes: dict[str, list[str]] = defaultdict(list)
    for name in names:
        scenes[scene_of(name)].append(name)
    chosen: list[str] = []
    for scene in sorted(scenes, key=_hash):
        if len(chosen) + len(scenes[scene]) > min(count, _fifth(names)):
            break
        chosen += scenes[scene]
    return frozenset(chosen) or held_out(names, count)


def scene_of(name: str) -> str:
    """What a picture shares with others of its scene: its folder, or without one its name less the last number."""
    path = PurePath(name)
    return str(path.parent) if path.parent.name else re.sub(r"[\W_]*\d+$", "", path.stem) or path.stem


def _fifth(names: list[str]) -> int:
    """Of the names' number; one at least, but not all."""
    return min(max(len(names) // 5, 1), len(names) - 1) if names else 0


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
