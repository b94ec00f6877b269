"""The batches of a run: made by loaders a few steps ahead where a GPU trains, by the process itself on a CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..data.pairs import CropSampler
from ..data.training_set import TrainingSet
from .budget import Budget
from .run import Run

CORNER = 4  # side of the crops' corner that is looked at first, pixels


@dataclass(frozen=True)
class Request:
    """This process's share of a step's batch: crops of `crop` pixels, by their numbers."""

    step: int
    crop: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Requests:
    """What the steps from the run's on train on, without end; loaders ask some steps ahead."""

    run: Run
    budget: Budget

    def __iter__(self) -> Iterator[Request]:
        for step in count(self.run.step):
            crop, batch = self.run.config.crops_at(self.budget.progress(step))
            yield Request(step, crop, tuple(self.run.ranks.share(range(batch))))


@dataclass(frozen=True)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """(degraded, clean) of a request; `packed` for a device that is far from the CPU."""

    sampler: CropSampler
    packed: bool

    def __getitem__(self, request: Request) -> tuple[Tensor, Tensor]:
        degraded, clean = self.sampler.batch(request.step, request.indices, request.crop)
        return (packed(degraded), packed(clean)) if self.packed else (degraded, clean)


def batches(run: Run, training: TrainingSet, budget: Budget) -> Iterator[tuple[Tensor, Tensor]]:
    """(degraded, clean) of the steps from the run's on, float32 on its device, without end."""
    config, on_gpu = run.config, run.device.torch_device.type == "cuda"
    sampler = CropSampler(training, config.degradation, config.scale, config.seed, config.dark, config.drawn)
    loader = DataLoader(
        Batches(sampler, packed=on_gpu),
        batch_size=None,
        sampler=Requests(run, budget),
        num_workers=loaders(os.cpu_count() or 1, run.ranks.local_count) if on_gpu else 0,
        pin_memory=on_gpu,
        worker_init_fn=_alone_on_its_core,
    )
    for sides in loader:
        degraded, clean = (unpacked(side.to(run.device.torch_device, non_blocking=True)) for side in sides)
        yield degraded, clean


def loaders(cores: int, processes: int) -> int:
    """How many of a machine's cores make batches for each of the processes that train there: all but their own."""
    return max(cores // processes - 1, 1)


def packed(side: Tensor) -> Tensor:
    """float32 (n, 3, h, w) as uint8 where that is exact, a quarter of the bytes; else as it is."""
    for part in (side[..., :CORNER, :CORNER], side):
        small = (part * 255).round().clamp(0, 255).to(torch.uint8)
        if not torch.equal(unpacked(small), part):
            return side
    return small


def unpacked(side: Tensor) -> Tensor:
    """float32 of what `packed` made."""
    return side.float() / 255 if side.dtype == torch.uint8 else side


def _alone_on_its_core(number: int) -> None:
    cv2.setNumThreads(1)
