"""The batches of a run: made by loaders a few steps ahead for a GPU, by the process itself on a CPU.

A GPU trains on crops faster than CPU cores degrade them, so each can be used several times (`Echoes`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..data.crops import CropSampler
from ..data.training_set import TrainingSet
from ..settings import default_threads
from ..tensors import Turn
from .budget import Budget
from .config import TrainConfig
from .run import Run

ECHO_POOL = 32  # batches that crops are drawn from, if each is used several times
LOADER_NICENESS = 10  # niceness: loaders yield to the process that keeps the GPU busy
CORNER = 4  # side of the corner of the crops that is checked first, pixels


@dataclass(frozen=True)
class Request:
    """This process's share of a step's batch."""

    step: int
    """Number of the step."""
    crop: int
    """Side of the crops, pixels."""
    indices: tuple[int, ...]
    """Numbers of the crops."""


@dataclass(frozen=True)
class Requests:
    """An endless series of requests from the run's step on; loaders work some steps ahead.

    With echoes, a request serves several steps.
    """

    run: Run
    """The run."""
    budget: Budget
    """Its length."""

    def __iter__(self) -> Iterator[Request]:
        for step in count(self.run.step, self.run.config.echo):
            crop, batch = self.run.config.crops_at(self.budget.progress(step))
            yield Request(step, crop, tuple(self.run.ranks.share(range(batch))))


@dataclass(frozen=True)
class Echoes:
    """Data echoing: each batch made is followed by others drawn from the last ECHO_POOL, turned and mirrored.

    After Choi et al., "Faster neural network training with data echoing" (2019). The draw depends on the seed and on
    the steps since the run was started or resumed.
    """

    count: int
    """Steps for each batch made; 1 passes batches on."""
    seed: int
    """Seed of what is drawn."""

    def __call__(self, made: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """(degraded (n, 3, h, w), clean (n, 3, scale h, scale w)) of every step."""
        random = np.random.default_rng(self.seed)
        pool: deque[tuple[Tensor, Tensor]] = deque(maxlen=ECHO_POOL)
        for degraded, clean in made:
            yield degraded, clean
            if self.count == 1:
                continue
            if pool and pool[0][1].shape != clean.shape:
                pool.clear()
            pool.append((degraded, clean))
            for _ in range(self.count - 1):
                yield self._drawn(pool, random)

    def _drawn(self, pool: Sequence[tuple[Tensor, Tensor]], random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A batch of crops from any batches of the pool, all turned the same way."""
        batch, eighth = len(pool[0][0]), int(random.integers(8))
        turn = Turn(eighth % 4, eighth >= 4)
        drawn = [(int(random.integers(len(pool))), number) for number in range(batch)]
        sides = (torch.stack([pool[made][side][number] for made, number in drawn]) for side in (0, 1))
        degraded, clean = (turn.apply(side).contiguous(memory_format=torch.channels_last) for side in sides)
        return degraded, clean


@dataclass(frozen=True)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Makes the (degraded, clean) batch of a request."""

    sampler: CropSampler
    """Makes the crops."""
    packed: bool
    """Whether to pack tensors for the transfer to another device."""

    def __getitem__(self, request: Request) -> tuple[Tensor, Tensor]:
        degraded, clean = self.sampler.batch(request.step, request.indices, request.crop)
        return (packed(degraded), packed(clean)) if self.packed else (degraded, clean)


def sampler_of(config: TrainConfig, data: TrainingSet) -> CropSampler:
    """The crops that a recipe trains on."""
    return CropSampler(
        data,
        config.degradation,
        config.scale,
        config.seed,
        dark=config.dark,
        drawn=config.drawn,
        shrunk=config.shrunk,
        sharpened=config.sharpened,
    )


def batches(run: Run, training: TrainingSet, budget: Budget) -> Iterator[tuple[Tensor, Tensor]]:
    """(degraded, clean) of the steps from the run's on, float32 on its device, without end."""
    config, on_gpu = run.config, run.device.torch_device.type == "cuda"
    loader = DataLoader(
        Batches(sampler_of(config, training), packed=on_gpu),
        batch_size=None,
        sampler=Requests(run, budget),
        num_workers=loaders(default_threads(), run.ranks.local_count) if on_gpu else 0,
        pin_memory=on_gpu,
        worker_init_fn=_prepare_loader,
    )
    yield from Echoes(config.echo, config.seed + run.step)(_moved(loader, run.device.torch_device))


def _moved(made: Iterable[Sequence[Tensor]], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    for sides in made:
        degraded, clean = (unpacked(side.to(device, non_blocking=True)) for side in sides)
        yield degraded, clean


def loaders(cores: int, processes: int) -> int:
    """Number of loaders for each process that trains on a machine: its cores, without one for each process."""
    return max(cores // processes - 1, 1)


def packed(side: Tensor) -> Tensor:
    """float32 (n, 3, h, w) as uint8 where that is exact, a quarter of the bytes; else as it is."""
    for part in (side[..., :CORNER, :CORNER], side):
        small = (part * 255).round().clamp(0, 255).to(torch.uint8)
        if not torch.equal(unpacked(small), part):
            return side
    return small


def unpacked(side: Tensor) -> Tensor:
    """float32 of a packed tensor."""
    return side.float() / 255 if side.dtype == torch.uint8 else side


def _prepare_loader(number: int) -> None:
    cv2.setNumThreads(1)
    if hasattr(os, "nice"):
        os.nice(LOADER_NICENESS)
