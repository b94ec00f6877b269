"""Training: `fit` a run to its last step, `train_step` by step, and `validate` it on the way.

    RUN/config.toml   the resolved configuration        RUN/state.pt            weights, EMA, optimisers, step
    RUN/log.csv       one line per validation           RUN/best.safetensors    the best (--gan: latest) EMA weights
    RUN/samples/      pictures of each validation       RUN/tensorboard/        if TensorBoard is installed

A sample depends on (seed, step, index) alone, so that resuming needs only the step, and a process only its indices.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..data.degrade import Picture
from ..data.pairs import CropSampler, validation_pairs
from ..data.training_set import TrainingSet
from ..errors import HfpieError
from ..interruption import Interruption
from ..photos.photo import to_8bit
from ..ranks import Ranks
from .config import TrainConfig
from .log import RunLog
from .run import Run, keep_best, save_state

CHECK_EVERY = 20  # steps between two looks at the loss, which make a GPU wait
SAMPLES = 4  # held-out pictures that every validation writes
MAX_LOADERS = 8  # processes that make batches for one GPU


@dataclass(frozen=True)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """This process's share of the batch of every step."""

    sampler: CropSampler
    config: TrainConfig
    ranks: Ranks

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        crop, batch = self.config.crops_at(step)
        return self.sampler.batch(step, self.ranks.share(range(batch)), crop)


def fit(run: Run, training: TrainingSet, held_out: TrainingSet, log: RunLog) -> None:
    """Train to the configured number of steps, validating and saving on the way.

    Raises HfpieError when the loss is not finite. Interrupted (SIGINT, SIGTERM), it ends the step, saves, and raises
    KeyboardInterrupt.
    """
    pace = Pace(run)
    with Interruption() as interruption:
        for degraded, clean in _batches(run, training):
            pace.count(*train_step(run, degraded, clean), clean)
            run.step += 1
            last = run.step == run.config.steps
            stop = not last and _agreed(interruption, run)
            if run.step % CHECK_EVERY == 0 or last:
                log.step(run.step, pace.loss(), pace.pixels_per_second())
            validated = run.step % run.config.validate_every == 0 or last
            if validated:
                _report(run, held_out, pace, log)
            if run.ranks.leads and (validated or stop or pace.save_is_due()):
                pace.check()  # a state that is not finite is not kept
                save_state(run)
            if stop:
                raise KeyboardInterrupt


def train_step(run: Run, degraded: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """One step of optimisation on a batch: (loss, norm of its gradient before it is clipped)."""
    rate = run.config.rate_at(run.step)
    with run.device.autocast():
        restored = run.trained(degraded)
    loss = run.objective.loss(restored.float(), clean, run.step)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(run.network.parameters(), run.config.clip or math.inf)
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        optimizer.step()
        optimizer.zero_grad()
    decay = min(run.config.ema, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        torch._foreach_lerp_(list(run.average.parameters()), list(run.network.parameters()), 1 - decay)
    return loss.detach(), norm


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


@torch.inference_mode()
def restore(run: Run, degraded: Picture) -> Tensor:
    """What the averaged weights make of a picture (h, w, 3): (3, scale h, scale w) float32 on the CPU."""
    batch = as_tensor(degraded)[None].to(run.device.torch_device, memory_format=torch.channels_last)
    with run.device.autocast():
        return run.average(batch)[0].float().cpu()


def as_tensor(picture: Picture) -> Tensor:
    """(h, w, 3) to (3, h, w)."""
    return torch.from_numpy(picture).permute(2, 0, 1)


class Pace:
    """Loss, speed and time since the last validation. `run.seconds` counts all the time of the run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._started = time.monotonic() - run.seconds
        self._saved = time.monotonic()
        self.restart()

    def restart(self) -> None:
        """Count anew."""
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._pixels, self._since = 0, time.monotonic()

    def count(self, loss: Tensor, norm: Tensor, clean: Tensor) -> None:
        """A step is done."""
        self._losses.append(loss)
        self._norms.append(norm)
        self._pixels += clean.shape[0] * clean.shape[2] * clean.shape[3] * self._run.ranks.count
        self._run.seconds = time.monotonic() - self._started

    def loss(self) -> float:
        """The mean loss of all processes, which must all ask at the same step. Raises HfpieError as `check` does."""
        self.check()
        ranks = self._run.ranks
        return float(ranks.total(torch.stack(self._losses).mean()) / ranks.count)

    def check(self) -> None:
        """Raises HfpieError if a loss or a gradient was not finite: the weights are not either, then."""
        if self._losses and not bool(torch.stack(self._losses + self._norms).isfinite().all()):
            raise HfpieError(
                f"{self._run.folder}: the loss or its gradient is no longer finite (step {self._run.step})",
                f"go on from the last saved state with --resume {self._run.folder} and a lower --rate, "
                "--precision fp32, or a stronger --set clip=0.1",
            )

    def pixels_per_second(self) -> float:
        """Of clean pixels trained on, by all processes."""
        return self._pixels / max(time.monotonic() - self._since, 1e-6)

    def save_is_due(self) -> bool:
        """True once every `save_seconds`."""
        due = time.monotonic() - self._saved > self._run.config.save_seconds
        if due:
            self._saved = time.monotonic()
        return due


def _batches(run: Run, training: TrainingSet) -> Iterable[tuple[Tensor, Tensor]]:
    """The batches of the steps that are left, on the run's device."""
    config, on_gpu = run.config, run.device.torch_device.type == "cuda"
    sampler = CropSampler(training, config.degradation, config.scale, config.seed)
    loader = DataLoader(
        Batches(sampler, config, run.ranks),
        batch_size=None,
        sampler=range(run.step, config.steps),
        num_workers=min((os.cpu_count() or 1) - 1, MAX_LOADERS) if on_gpu else 0,
        pin_memory=on_gpu,
    )
    for sides in loader:
        degraded, clean = (side.to(run.device.torch_device, non_blocking=True) for side in sides)
        yield degraded, clean


def _agreed(interruption: Interruption, run: Run) -> bool:
    """Whether to stop now: several processes ask each other, and do so only now and then."""
    if run.ranks.count == 1:
        return interruption.asked
    if run.step % CHECK_EVERY:
        return False
    return bool(run.ranks.total(torch.tensor(float(interruption.asked), device=run.device.torch_device)) > 0)


def _report(run: Run, held_out: TrainingSet, pace: Pace, log: RunLog) -> None:
    loss, scores = pace.loss(), validate(run, held_out)
    if run.ranks.leads:
        log.report(run.step, run.seconds / 3600, loss, scores)
        log.sample(run.step, [_sample(run, pair) for pair in islice(_first_pairs(run, held_out), SAMPLES)])
        keep_best(run, sum(scores.values()) / len(scores))
    pace.restart()


def _first_pairs(run: Run, held_out: TrainingSet) -> Iterator[tuple[Picture, Picture]]:
    return validation_pairs(held_out, run.config.validation[0], run.config.scale)


def _sample(run: Run, pair: tuple[Picture, Picture]) -> list[NDArray[np.uint8]]:
    """Degraded, restored, clean, 8 bits each."""
    degraded, clean = pair
    restored = restore(run, degraded).permute(1, 2, 0).numpy()
    return [to_8bit(side) for side in (degraded, restored, clean)]
