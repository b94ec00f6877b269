"""Pixels per second of `hfpie train` against a bare loop of forward, backward and optimiser step on random tensors.

    python benchmarks/throughput.py --data DATA/train [--recipe compact-denoise] [--steps 40] [--rounds 3]

The same network, optimiser and precision, in turns; the best round of each counts. What the first adds is reading,
degrading and cropping photographs, clipping the gradient and averaging the weights.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from hfpie_cli.console import Console
from hfpie_cli.data.sources import Opener
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.device import Device, choose_training_device
from hfpie_cli.files import cache_folder
from hfpie_cli.training.config import TrainConfig, load_config, recipe_path
from hfpie_cli.training.log import RunLog
from hfpie_cli.training.loop import fit
from hfpie_cli.training.losses import pixel_loss
from hfpie_cli.training.optim import make_optimizers
from hfpie_cli.training.run import setup
from hfpie_cli.weights.checkpoint import build

WARM_UP = 5  # steps that are not timed


class Stopwatch(RunLog):
    """Notes the speed of the last step before the validation."""

    speed = 0.0

    def step(self, step: int, progress: float, loss: float, pixels_per_second: float, waiting: float) -> None:
        self.speed = pixels_per_second


def of_training(config: TrainConfig, device: Device, data: TrainingSet) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = setup(config, Path(folder), device)
        with Stopwatch(Path(folder), Console(quiet=True)) as log:
            fit(run, *data.split(), log)
            return log.speed


def of_bare_loop(config: TrainConfig, device: Device) -> float:
    network = build(config.network).to(device.torch_device, memory_format=torch.channels_last)
    optimizers = make_optimizers(network, config.optimizer, config.rate, config.betas)
    small = config.crop // config.scale
    degraded = torch.rand(config.batch, 3, small, small).to(device.torch_device, memory_format=torch.channels_last)
    clean = torch.rand(config.batch, 3, config.crop, config.crop).to(device.torch_device)
    for step in range(config.steps + WARM_UP):
        if step == WARM_UP:
            started = time.perf_counter()
        with device.autocast():
            restored = network(degraded)
        pixel_loss(restored.float(), clean).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return config.steps * config.batch * config.crop**2 / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="compact-denoise")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    config = load_config(recipe_path(options.recipe, ""), [f"steps={options.steps}"])
    device = choose_training_device()
    config = replace(config, precision=device.precision, validation=config.validation[:1])
    data = Opener(config.task, config.scale, cache_folder() / "decoded", print).training_set(options.data, None, None)
    training = bare = 0.0
    for _ in range(options.rounds):
        bare = max(bare, of_bare_loop(config, device))
        training = max(training, of_training(config, device, data))
    print(f"{options.recipe}, {device.name}: training {training:,.0f} pixels a second, bare loop {bare:,.0f}")
    print(f"{training / bare:.1%}")


if __name__ == "__main__":
    main()
