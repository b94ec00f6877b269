"""How fast recipes train here: pixels, TFLOP and the share of waiting, and the same network in a bare loop.

    python benchmarks/throughput.py --data DATA/train [--device cuda] [--recipe compact-denoise] [--steps 40]

For each recipe (by default all that train without an adversary; on a CPU the compact ones) `hfpie train` runs twice as
many steps, the first half to warm up. TFLOP count a multiply-add as two and the backward pass as two forward ones; only
the network's count. The bare loop is forward, backward and optimiser step on random tensors, its first half to warm up:
what training adds to it is reading, degrading and cropping photographs, clipping gradients and averaging weights.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import hfpie_cli
from hfpie_cli.device import Device, choose_training_device
from hfpie_cli.training.config import Finish, TrainConfig, load_config
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.losses import pixel_loss
from hfpie_cli.training.muon import make_optimizers
from hfpie_cli.weights.checkpoint import build

BACKWARD = 3  # times the forward pass, that included


@dataclass(frozen=True)
class Speed:
    """pixels: clean ones a second. waiting: share of the time that steps wait for their batches."""

    pixels: float
    waiting: float = 0.0


def of_training(config: TrainConfig, device: Device, data: Path) -> Speed:
    with tempfile.TemporaryDirectory() as folder:
        hfpie_cli.train(config, data, f"{folder}/run", device=str(device.torch_device))
        with Path(folder, "run/log.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
    return Speed(float(last["mp_per_second"]) * 1e6, float(last["waiting"]))


def of_bare_loop(config: TrainConfig, device: Device) -> Speed:
    network = build(config.network)
    network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizers = make_optimizers(network, config.optimizer, config.rate, decay=config.weight_decay, betas=config.betas)
    degraded, clean = random_batch(config, device)
    for step in range(config.steps):
        if step == config.steps // 2:
            device.wait()
            started = time.perf_counter()
        with device.autocast():
            restored = network(degraded)
        pixel_loss(restored.float(), clean).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    device.wait()
    return Speed((config.steps - config.steps // 2) * config.batch * config.crop**2 / (time.perf_counter() - started))


def random_batch(config: TrainConfig, device: Device) -> tuple[Tensor, Tensor]:
    small = config.crop // config.scale
    degraded = torch.rand(config.batch, 3, small, small).to(device.torch_device, memory_format=torch.channels_last)
    return degraded, torch.rand(config.batch, 3, config.crop, config.crop).to(device.torch_device)


def flop_a_pixel(config: TrainConfig, device: Device) -> float:
    """Of a step, forward and backward, by clean pixel."""
    network = build(config.network)
    network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    one = replace(config, batch=1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(random_batch(one, device)[0])
    return BACKWARD * counter.get_total_flops() / config.crop**2


def recipes(device: Device) -> list[str]:
    """Those that this device can train from random weights."""
    names = sorted(path.stem for path in recipe_path("compact", "denoise").parent.glob("*.toml"))
    if device.torch_device.type == "cpu":
        names = [name for name in names if name.startswith("compact-")]
    return [name for name in names if not load_config(recipe_path(name, "")).losses.is_adversarial]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--recipe", action="append", help="as often as needed")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the recipes")
    options = parser.parse_args(arguments)
    device = choose_training_device(options.device)
    print(f"{'recipe':24}{'MP/s':>9}{'TFLOP/s':>10}{'waiting':>9}{'bare MP/s':>11}{'of it':>7}   {device.name}")
    for name in options.recipe or recipes(device):
        lengths = [f"steps={2 * options.steps}", f"validate_every={options.steps}"]
        config = load_config(recipe_path(name, ""), [*lengths, *options.set])
        config = replace(config, precision=device.precision, validation=config.validation[:1], finish=Finish())
        bare, trained = of_bare_loop(config, device), of_training(config, device, options.data)
        teraflops = trained.pixels * flop_a_pixel(config, device) / 1e12
        print(
            f"{name:24}{trained.pixels / 1e6:9.3f}{teraflops:10.3f}{trained.waiting:9.1%}{bare.pixels / 1e6:11.3f}"
            f"{trained.pixels / bare.pixels:7.0%}"
        )


if __name__ == "__main__":
    main()
