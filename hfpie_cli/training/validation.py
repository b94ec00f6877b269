"""Scores and samples of the averaged weights on held-out pictures, restored as `hfpie` restores a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.benchmarks import Pair
from ..data.crops import PAIRS, validation_pair
from ..data.decoded import PhotoStore
from ..data.training_set import TrainingSet
from ..evaluation.parts import Part, examine
from ..models.contract import Restoring
from ..models.enlarging import enlarge
from ..models.network import Network
from ..photos.photo import Photo, Pixels, to_8bit
from ..restore import Restorer
from ..tensors import to_tensor
from .loading import packed
from .objective import Restoration
from .run import Run

SAMPLES = 4  # held-out pictures that every validation writes
PARTS_PICTURES = 2  # held-out pictures that the parts of the network are measured on
TIMED_ROUNDS = 3  # scorings of a held-out picture that are timed
PARTS_SCORES = 10  # approximate number of scorings of each: once, and once without each part

Restore = Callable[[Photo], Pixels]  # of a picture (h, w, 3): (scale h, scale w, 3) of its type


class HeldOut:
    """The held-out pictures with each degradation, which is applied once, when first needed."""

    def __init__(self, data: TrainingSet, scale: int, *, shrunk: bool = False) -> None:
        self._data, self._scale, self._shrunk = data, scale, shrunk
        self._made: dict[tuple[str, int], Pair] = {}
        self._inputs: dict[str, float] = {}

    def count(self, degradation: str) -> int:
        """Number of pictures, or of published pairs."""
        return len(self._data.paired if degradation == PAIRS else self._data.photos)

    def most(self, degradations: Iterable[str]) -> int:
        """The largest number of pictures that one of these degradations is scored on."""
        return max(map(self.count, degradations))

    def pair(self, degradation: str, number: int) -> Pair:
        """One pair, in 8 bits if that is exact, otherwise float32."""
        if (degradation, number) not in self._made:
            sides = validation_pair(self._data, degradation, self._scale, number, shrunk=self._shrunk)
            degraded, clean = (packed(torch.from_numpy(side)).numpy() for side in sides)
            self._made[degradation, number] = Pair(Photo(degraded), clean)
        return self._made[degradation, number]

    def input_scores(self, run: Run) -> dict[str, float]:
        """Mean score in dB of the degraded pictures, enlarged bicubically; computed once, by one process.

        Empty for an objective that restores nothing.
        """
        if not self._inputs and isinstance(run.objective, Restoration):
            for name in run.config.validation:
                pairs = (self.pair(name, number) for number in range(self.count(name)))
                values = [run.objective.score(_enlarged(pair.degraded, self._scale), pair.clean) for pair in pairs]
                self._inputs[name] = sum(values) / len(values)
        return self._inputs

    def thinned(self, count: int) -> HeldOut:
        """At most `count` photographs and as many pairs, evenly chosen."""

        def chosen(store: PhotoStore) -> list[int]:
            return sorted({number * len(store) // count for number in range(count)}) if len(store) else []

        data = self._data
        photos, pairs = data.photos.pick(chosen(data.photos)), chosen(data.paired)
        few = TrainingSet(photos, paired=data.paired.pick(pairs), degraded=data.degraded.pick(pairs))
        return HeldOut(few, self._scale, shrunk=self._shrunk)


def validate(run: Run, held_out: HeldOut) -> dict[str, float]:
    """Mean score in dB of the averaged weights over the held-out pictures, for every degradation of the configuration.

    Processes share the pictures, and all get the result.
    """
    restore, scores = restoring(run), {}
    for name in run.config.validation:
        mine = range(run.ranks.rank, held_out.count(name), run.ranks.count)
        values = [_score(run, restore, held_out.pair(name, number)) for number in mine]
        everyone = [value for part in run.ranks.gather(values) for value in part]
        scores[name] = sum(everyone) / len(everyone)
    return scores


def restoring(run: Run) -> Restore:
    """A function that restores pictures with the averaged weights on the run's device.

    It is the Restorer's, as for a file of that size. A network that extracts something else from a picture, such as its
    high frequencies, has no Restorer.
    """
    if not isinstance(run.average, Restoring):
        return partial(_extract, run)
    restorer = Restorer(run.average, device=run.device, name=str(run.folder))
    return lambda photo: restorer.restore(photo).photo.pixels


@torch.inference_mode()
def _extract(run: Run, photo: Photo) -> Pixels:
    batch = to_tensor(photo.pixels)[None].to(run.device.torch_device, memory_format=torch.channels_last)
    with run.device.autocast():
        extracted: Pixels = run.average(batch)[0].float().cpu().permute(1, 2, 0).numpy()
    return extracted


def _score(run: Run, restore: Restore, pair: Pair) -> float:
    return run.objective.score(restore(pair.degraded), pair.clean)


def _enlarged(photo: Photo, scale: int) -> Pixels:
    """Bicubically, float32; the pixels themselves at scale 1."""
    if scale == 1:
        return photo.pixels
    enlarged: Pixels = enlarge(to_tensor(photo.pixels)[None], scale)[0].permute(1, 2, 0).numpy()
    return enlarged


def parts(run: Run, held_out: HeldOut, *, worth: bool) -> list[Part]:
    """Measures each part of the averaged network on all degradations of the configuration; for one process.

    A held-out picture is one tile, restored by the network itself, not by a folded copy without these parts.
    worth: whether to measure the score without each part.
    """
    if not isinstance(run.average, Network):
        return []
    few = [(name, min(PARTS_PICTURES, held_out.count(name))) for name in run.config.validation]
    pairs, restore = [held_out.pair(name, number) for name, count in few for number in range(count)], restoring(run)
    return examine(run.average, lambda: sum(_score(run, restore, pair) for pair in pairs) / len(pairs), worth=worth)


def samples(run: Run, held_out: HeldOut) -> list[list[NDArray[np.uint8]]]:
    """Degraded, restored, clean of the first held-out pictures: rows of (h, w, 3)."""
    name, restore, rows = run.config.validation[0], restoring(run), []
    for number in range(min(SAMPLES, held_out.count(name))):
        pair = held_out.pair(name, number)
        rows.append([to_8bit(side) for side in (pair.degraded.pixels, restore(pair.degraded), pair.clean)])
    return rows


def seconds_a_picture(run: Run, held_out: HeldOut) -> float:
    """Seconds to score one held-out picture in all degradations; the leader's, for all processes.

    The shortest of several rounds: the first warms up, and programs that start beside this one disturb others.
    """
    pairs, restore, rounds = [held_out.pair(name, 0) for name in run.config.validation], restoring(run), []
    for _ in range(TIMED_ROUNDS):
        started = time.monotonic()
        for pair in pairs:
            _score(run, restore, pair)
        rounds.append(time.monotonic() - started)
    return run.ranks.gather(min(rounds))[0]
