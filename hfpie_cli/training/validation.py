"""Scores and pictures of the averaged weights on the held-out pictures."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.crops import PAIRS, validation_pair
from ..data.decoded import PhotoStore
from ..data.training_set import TrainingSet
from ..evaluation.parts import Part, examine
from ..models.enlarging import enlarge
from ..models.network import Network
from ..photos.photo import to_8bit
from .loading import packed, unpacked
from .objective import Restoration
from .run import Run

SAMPLES = 4  # held-out pictures that every validation writes
PARTS_PICTURES = 2  # held-out pictures that the parts of the network are measured on
PARTS_SCORES = 10  # how often each is scored for that, about: once, and once without each part


class HeldOut:
    """The held-out pictures and what each degradation makes of them; each is degraded once, when it is asked for."""

    def __init__(self, data: TrainingSet, scale: int) -> None:
        self._data, self._scale = data, scale
        self._made: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}
        self._inputs: dict[str, float] = {}

    def count(self, degradation: str) -> int:
        """How many pictures there are, or published pairs."""
        return len(self._data.paired if degradation == PAIRS else self._data.photos)

    def pair(self, degradation: str, number: int) -> tuple[Tensor, Tensor]:
        """(degraded, clean), (3, h, w) float32."""
        if (degradation, number) not in self._made:
            sides = validation_pair(self._data, degradation, self._scale, number)
            degraded, clean = (packed(torch.from_numpy(side).permute(2, 0, 1)[None])[0] for side in sides)
            self._made[degradation, number] = degraded, clean
        degraded, clean = self._made[degradation, number]
        return unpacked(degraded), unpacked(clean)

    def input_scores(self, run: Run) -> dict[str, float]:
        """Mean score in dB of the degraded pictures themselves, enlarged bicubically; one process's work, done once.

        Empty for an objective that restores nothing.
        """
        if not self._inputs and isinstance(run.objective, Restoration):
            for name in run.config.validation:
                pairs = (self.pair(name, number) for number in range(self.count(name)))
                values = [
                    run.objective.score(enlarge(degraded[None], self._scale)[0], clean) for degraded, clean in pairs
                ]
                self._inputs[name] = sum(values) / len(values)
        return self._inputs

    def thinned(self, count: int) -> HeldOut:
        """At most `count` photographs and as many pairs, evenly chosen."""

        def chosen(store: PhotoStore) -> list[int]:
            return sorted({number * len(store) // count for number in range(count)}) if len(store) else []

        data = self._data
        photos, pairs = data.photos.pick(chosen(data.photos)), chosen(data.paired)
        few = TrainingSet(photos, paired=data.paired.pick(pairs), degraded=data.degraded.pick(pairs))
        return HeldOut(few, self._scale)


def validate(run: Run, held_out: HeldOut) -> dict[str, float]:
    """Mean score in dB of the averaged weights over the held-out pictures, for every degradation of the configuration.

    Several processes share the pictures and all know the result.
    """
    scores = {}
    for name in run.config.validation:
        mine = range(run.ranks.rank, held_out.count(name), run.ranks.count)
        values = [score(run, *held_out.pair(name, number)) for number in mine]
        everyone = [value for part in run.ranks.gather(values) for value in part]
        scores[name] = sum(everyone) / len(everyone)
    return scores


def score(run: Run, degraded: Tensor, clean: Tensor) -> float:
    """Score of one picture restored with the averaged weights, dB."""
    return run.objective.score(restore(run, degraded), clean)


def parts(run: Run, held_out: HeldOut, *, worth: bool) -> list[Part]:
    """Measures each part of the averaged network on all degradations of the configuration; for one process.

    worth: whether to measure what the score loses without it.
    """
    if not isinstance(run.average, Network):
        return []
    few = [(name, min(PARTS_PICTURES, held_out.count(name))) for name in run.config.validation]
    pairs = [held_out.pair(name, number) for name, count in few for number in range(count)]
    return examine(run.average, lambda: sum(score(run, *pair) for pair in pairs) / len(pairs), worth=worth)


def samples(run: Run, held_out: HeldOut) -> list[list[NDArray[np.uint8]]]:
    """Degraded, restored, clean of the first held-out pictures: rows of (h, w, 3)."""
    name, rows = run.config.validation[0], []
    for number in range(min(SAMPLES, held_out.count(name))):
        degraded, clean = held_out.pair(name, number)
        sides = (degraded, restore(run, degraded), clean)
        rows.append([to_8bit(side.permute(1, 2, 0).numpy()) for side in sides])
    return rows


@torch.inference_mode()
def restore(run: Run, degraded: Tensor) -> Tensor:
    """What the averaged weights make of a picture (3, h, w): (3, scale h, scale w) float32 on the CPU."""
    batch = degraded[None].to(run.device.torch_device, memory_format=torch.channels_last)
    with run.device.autocast():
        return run.average(batch)[0].float().cpu()


def seconds_a_picture(run: Run, held_out: HeldOut) -> float:
    """What it takes to score one held-out picture in all its degradations, once warm; the leader's time, for all."""
    pairs = [held_out.pair(name, 0) for name in run.config.validation]
    restore(run, pairs[0][0])
    started = time.monotonic()
    for pair in pairs:
        score(run, *pair)
    return run.ranks.gather(time.monotonic() - started)[0]
