"""Scores and pictures of the averaged weights over what is held out of the training set."""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.degrade import Picture
from ..data.pairs import validation_pairs
from ..data.store import PhotoStore
from ..data.training_set import TrainingSet
from ..evaluation.parts import Part, examine
from ..models.network import Network
from ..photos.photo import to_8bit
from .run import Run

SAMPLES = 4  # held-out pictures that every validation writes
PARTS_PICTURES = 2  # held-out pictures that tell what each part of the network is worth
PARTS_SCORES = 10  # how often each is scored for that, about: once, and once without each part


def validate(run: Run, held_out: TrainingSet) -> dict[str, float]:
    """Mean score in dB of the averaged weights over the held-out pictures, for every degradation of the configuration.

    Several processes share the pictures and all know the result.
    """
    scores = {}
    for name in run.config.validation:
        pairs = validation_pairs(held_out, name, run.config.scale)
        mine = islice(pairs, run.ranks.rank, None, run.ranks.count)
        values = [run.objective.score(restore(run, degraded), as_tensor(clean)) for degraded, clean in mine]
        everyone = [value for part in run.ranks.gather(values) for value in part]
        scores[name] = sum(everyone) / len(everyone)
    return scores


def parts(run: Run, held_out: TrainingSet, *, worth: bool) -> list[Part]:
    """What each part of the averaged network does in all degradations of the configuration; one process's work.

    worth: whether to measure what the score loses without it.
    """
    if not isinstance(run.average, Network):
        return []
    few = thinned(held_out, PARTS_PICTURES)
    pairs = [pair for name in run.config.validation for pair in validation_pairs(few, name, run.config.scale)]

    def score() -> float:
        return sum(run.objective.score(restore(run, a), as_tensor(b)) for a, b in pairs) / len(pairs)

    return examine(run.average, score, worth=worth)


def samples(run: Run, held_out: TrainingSet) -> list[list[NDArray[np.uint8]]]:
    """Degraded, restored, clean of the first held-out pictures: rows of (h, w, 3)."""
    rows = []
    for degraded, clean in islice(validation_pairs(held_out, run.config.validation[0], run.config.scale), SAMPLES):
        restored = restore(run, degraded).permute(1, 2, 0).numpy()
        rows.append([to_8bit(side) for side in (degraded, restored, clean)])
    return rows


@torch.inference_mode()
def restore(run: Run, degraded: Picture) -> Tensor:
    """What the averaged weights make of a picture (h, w, 3): (3, scale h, scale w) float32 on the CPU."""
    batch = as_tensor(degraded)[None].to(run.device.torch_device, memory_format=torch.channels_last)
    with run.device.autocast():
        return run.average(batch)[0].float().cpu()


def as_tensor(picture: Picture) -> Tensor:
    """(h, w, 3) to (3, h, w)."""
    return torch.from_numpy(picture).permute(2, 0, 1)


def seconds_a_picture(run: Run, held_out: TrainingSet) -> float:
    """What it takes to score one held-out picture in all its degradations, once warm; the leader's time, for all."""
    one = thinned(held_out, 1)
    degraded, _ = next(validation_pairs(one, run.config.validation[0], run.config.scale))
    restore(run, degraded)
    started = time.monotonic()
    for name in run.config.validation:
        for degraded, clean in validation_pairs(one, name, run.config.scale):
            run.objective.score(restore(run, degraded), as_tensor(clean))
    return run.ranks.gather(time.monotonic() - started)[0]


def thinned(held_out: TrainingSet, count: int) -> TrainingSet:
    """At most `count` photographs and as many pairs, evenly chosen."""

    def chosen(store: PhotoStore) -> list[int]:
        return sorted({number * len(store) // count for number in range(count)}) if len(store) else []

    pairs = chosen(held_out.paired)
    return TrainingSet(
        held_out.photos.pick(chosen(held_out.photos)),
        paired=held_out.paired.pick(pairs),
        degraded=held_out.degraded.pick(pairs),
    )
