"""Training: `setup` a run, `fit` it, validate it; everything a run needs to go on lies in its folder.

    RUN/config.toml   the resolved configuration        RUN/state.pt            weights, EMA, optimisers, step
    RUN/log.csv       one line per validation           RUN/best.safetensors    the best EMA weights so far

A sample depends on (seed, step, index) alone, so that resuming needs only the step.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import Checkpoint, build, load_checkpoint, save_checkpoint
from .config import TrainConfig, write_config
from .data.degradations import degradation_named
from .data.pairs import CropSampler, held_out, validation_pairs
from .data.store import PhotoStore
from .errors import HfpieError
from .files import atomic_path
from .models.highpass import HighpassConfig
from .objectives import Adversary, HighpassExtraction, Objective, Restoration
from .optim import make_optimizers

Say = Callable[[str], None]


@dataclass
class Run:
    """A training run under way: everything that changes, and the folder that keeps it."""

    folder: Path
    config: TrainConfig
    network: nn.Module
    average: nn.Module  # exponential moving average of the weights: what is validated and shipped
    optimizers: list[torch.optim.Optimizer]
    objective: Objective
    step: int = 0
    best: float = float("-inf")
    seconds: float = 0.0

    @property
    def adversary(self) -> Adversary | None:
        """The discriminator, if the objective has one."""
        return self.objective.adversary if isinstance(self.objective, Restoration) else None


def setup(config: TrainConfig, folder: Path, init: Path | None = None) -> Run:
    """A new run in `folder`, or the one that the folder holds, at the step it had reached.

    init: a checkpoint whose weights start a new run; weights of other shapes (another scale's output) are left out.
    """
    torch.manual_seed(config.seed)
    network = build(config.network)
    if init is not None:
        _warm_start(network, load_checkpoint(init))
    average = build(config.network)
    average.load_state_dict(network.state_dict())
    for model in (network, average):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizers = make_optimizers(network, config.optimizer, config.rate)
    run = Run(folder, config, network, average, optimizers, _objective(config))
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "state.pt").exists():
        _load_state(run)
    else:
        write_config(config, folder / "config.toml")
    return run


def fit(run: Run, photos: PhotoStore, say: Say) -> None:
    """Train to the configured number of steps, validating and saving on the way.

    Raises HfpieError when the loss is not finite. KeyboardInterrupt saves the state and goes on upwards.
    """
    config = run.config
    names = held_out(photos.entries)
    kept_out = photos.subset(lambda entry: entry.name in names)
    training = photos.subset(lambda entry: entry.name not in names)
    sampler = CropSampler(training, config.degradation, config.crop, config.scale, config.seed)
    started, saved = time.monotonic() - run.seconds, time.monotonic()
    losses: list[Tensor] = []
    try:
        while run.step < config.steps:
            losses.append(train_step(run, *sampler.batch(run.step, range(config.batch))))
            run.step += 1
            run.seconds = time.monotonic() - started
            if run.step % config.validate_every == 0 or run.step == config.steps:
                _report(run, _mean_loss(losses), validate(run, kept_out), say)
                losses.clear()
                run.seconds = time.monotonic() - started
            if time.monotonic() - saved > config.save_seconds or run.step == config.steps:
                _save_state(run)
                saved = time.monotonic()
    except KeyboardInterrupt:
        _save_state(run)
        raise


def train_step(run: Run, degraded: Tensor, clean: Tensor) -> Tensor:
    """One step of optimisation on a batch; the loss, detached."""
    rate = run.config.rate_at(run.step)
    with precision(run.config.precision):
        restored = run.network(degraded)
        loss = run.objective.loss(restored.float(), clean)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.network.parameters(), run.config.clip)
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group.setdefault("share", group["lr"] / run.config.rate)
        optimizer.step()
        optimizer.zero_grad()
    decay = min(run.config.ema, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        torch._foreach_lerp_(list(run.average.parameters()), list(run.network.parameters()), 1 - decay)
    return loss.detach()


def validate(run: Run, photos: PhotoStore) -> dict[str, float]:
    """Mean score in dB of the averaged weights over the photographs, for every degradation of the configuration."""
    scores = {}
    for name in run.config.validation:
        values = []
        for pair in validation_pairs(photos, degradation_named(name), run.config.scale):
            degraded, clean = (torch.from_numpy(side.transpose(2, 0, 1).copy()) for side in pair)
            batch = degraded[None].contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), precision(run.config.precision):
                restored = run.average(batch)[0].float()
            values.append(run.objective.score(restored, clean))
        scores[name] = sum(values) / len(values)
    return scores


def _objective(config: TrainConfig) -> Objective:
    if isinstance(config.network, HighpassConfig):
        return HighpassExtraction(config.network)
    return Restoration(config.losses)


def precision(name: str) -> AbstractContextManager[Any]:
    """Autocast for `bf16`, nothing for `fp32`."""
    return torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16")


def _warm_start(network: nn.Module, checkpoint: Checkpoint) -> None:
    shapes = {name: weight.shape for name, weight in network.state_dict().items()}
    fitting = {name: weight for name, weight in checkpoint.weights.items() if shapes.get(name) == weight.shape}
    network.load_state_dict(fitting, strict=False)


def _mean_loss(losses: list[Tensor]) -> float:
    mean = float(torch.stack(losses).mean())
    if not math.isfinite(mean):
        raise HfpieError("the loss is no longer finite", "resume with a lower --rate, or a stronger --clip")
    return mean


def _report(run: Run, loss: float, scores: dict[str, float], say: Say) -> None:
    mean = sum(scores.values()) / len(scores)
    row = {"step": run.step, "hours": run.seconds / 3600, "loss": loss, "mean": mean, **scores}
    log = run.folder / "log.csv"
    fresh = not log.exists()
    with log.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow({key: f"{value:.5g}" if isinstance(value, float) else value for key, value in row.items()})
    shown = "  ".join(f"{name} {score:.2f}" for name, score in scores.items())
    say(f"step {run.step}/{run.config.steps}  {run.seconds / 60:.1f} min  loss {loss:.5f}  {shown}")
    if mean > run.best or run.adversary:  # invented detail lowers the PSNR: there the latest counts
        run.best = mean
        info = {"task": run.config.task, "steps": str(run.step)}
        save_checkpoint(run.folder / "best.safetensors", Checkpoint(run.config.network, run.average.state_dict(), info))


def _save_state(run: Run) -> None:
    state = {
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in run.optimizers],
        "adversary": run.adversary.state() if run.adversary else None,
        "step": run.step,
        "best": run.best,
        "seconds": run.seconds,
    }
    with atomic_path(run.folder / "state.pt") as temporary:
        torch.save(state, temporary)


def _load_state(run: Run) -> None:
    state = torch.load(run.folder / "state.pt", weights_only=True)
    run.network.load_state_dict(state["network"])
    run.average.load_state_dict(state["average"])
    for optimizer, saved in zip(run.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    if run.adversary:
        run.adversary.load(state["adversary"])
    run.step, run.best, run.seconds = state["step"], state["best"], state["seconds"]
