"""Pictures to train on, photographs to degrade and published pairs, and those held out for validation."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from ..errors import UnavailableError
from ..shown import counted
from .decoded import NOTHING, PhotoStore
from .scenes import hash_of, hold_out, scenes_by_look, scenes_by_name


@dataclass(frozen=True)
class TrainingSet:
    """Clean photographs, and published pairs; either may be empty."""

    photos: PhotoStore = NOTHING
    """Clean photographs."""
    reduced: PhotoStore = NOTHING
    """reduced[i] is photos[i] reduced bicubically by the scale; empty at scale 1."""
    shrunk: tuple[TrainingSet, ...] = ()
    """The same photographs, and the same reduced, at smaller sizes; empty where a recipe wants none."""
    paired: PhotoStore = NOTHING
    """Clean pictures of the pairs."""
    degraded: PhotoStore = NOTHING
    """degraded[i] belongs to paired[i] and has 1/scale of its size."""

    def __str__(self) -> str:
        counts = ((len(self.photos), "photograph"), (len(self.paired), "pair"))
        return " and ".join(counted(count, what) for count, what in counts if count)

    def fingerprint(self) -> str:
        """A hash of the names of all pictures: 16 hex digits."""
        return hash_of("\n".join([*self.photos.names, "", *self.paired.names]))[:16]

    def split(self) -> tuple[TrainingSet, TrainingSet]:
        """(training, held out), split by whole scenes.

        Raises UnavailableError if photographs or pairs are fewer than two.
        """
        photos, with_photos = hold_out(scenes_by_look(self.photos.entries))
        pairs, with_pairs = hold_out(scenes_by_name(self.paired.names))
        for store, chosen in ((self.photos, photos), (self.paired, pairs)):
            if len(store) and not chosen:
                raise UnavailableError(
                    f"{store.names[0]}: training needs at least two photographs", "add more photographs"
                )
        either = with_photos | with_pairs  # a published set's photographs are the clean sides of its pairs
        training = {name for name in (*self.photos.names, *self.paired.names) if name not in either}
        return self._named(training, training), self._named(photos, pairs)

    def _named(self, photos: Set[str], pairs: Set[str]) -> TrainingSet:
        chosen = [number for number, name in enumerate(self.photos.names) if name in photos]
        chosen_pairs = [number for number, name in enumerate(self.paired.names) if name in pairs]
        reduced = self.reduced.pick(chosen) if len(self.reduced) else NOTHING
        sides = (self.paired.pick(chosen_pairs), self.degraded.pick(chosen_pairs))
        shrunk = tuple(smaller._named(photos, set()) for smaller in self.shrunk)
        return TrainingSet(self.photos.pick(chosen), reduced, shrunk, *sides)
