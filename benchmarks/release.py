"""Two releases side by side: whole commands on photographs of several sizes, and networks against their peers.

    python -m benchmarks.release --before CHECKOUT [--rounds 3] [--megapixels 0.25 1 4 12] [--threads 2]

CHECKOUT is another working copy of this repository (`git worktree add CHECKOUT COMMIT`); this one is compared with it.
The two take turns, after a round that does not count; ratios are those of the shortest times, by the clock and by
processor time, which depends less on what else the machine does. Each command runs in a process of its own, from start
to written file, on seeded photograph-like pictures with noise. The ceiling is what a 3x3 convolution of 64 to 64 maps
does in the same run at the same precision: the share of it is the FLOP that the network needs for the photograph, over
its time. The peers are plain stacks of random weights, of the shapes that FFDNet and RLFN-S publish, on one tile.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from hfpie_cli.device import PRECISIONS, choose_device
from hfpie_cli.models.contract import Restoring
from hfpie_cli.models.fold import fold
from hfpie_cli.models.network import Network
from hfpie_cli.models.pooling import MeasuringPool
from hfpie_cli.settings import default_threads
from hfpie_cli.weights.checkpoint import load_checkpoint
from hfpie_cli.weights.registry import known_weights, resolve

HERE = Path(__file__).parent.parent
LARGEST_SR = 1.0  # megapixels of input: x4 makes 16 times as many
CEILING_MAPS, CEILING_SIDE = 64, 512
TILE = 256


def photograph(megapixels: float) -> np.ndarray:
    """Smooth shapes with noise, (h, w, 3) uint8."""
    generator, height = np.random.default_rng(0), int((megapixels * 1e6 / 1.5) ** 0.5)
    size = (height * 3 // 2, height)
    coarse = generator.integers(0, 256, (height // 24 + 2, height // 16 + 2, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(smooth + 15 * generator.standard_normal(smooth.shape), 0, 255).astype(np.uint8)


def command(checkout: Path, task: str, photo: Path, threads: int) -> np.ndarray:
    """Seconds that the command takes: by the clock, of processor time."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": str(threads)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "hfpie_cli", task, str(photo), "-o", f"{folder}/out.png", "--quiet"]
        started = time.perf_counter()
        process = subprocess.Popen(line, env=environment, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(line)} failed")
        return np.array([time.perf_counter() - started, usage.ru_utime + usage.ru_stime])


def ceiling(precision: str) -> float:
    """FLOP a second of the best-fed layer."""
    conv = nn.Conv2d(CEILING_MAPS, CEILING_MAPS, 3, padding=1)
    conv = conv.to(dtype=PRECISIONS[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.rand(1, CEILING_MAPS, CEILING_SIDE, CEILING_SIDE).to(PRECISIONS[precision])
    x = x.contiguous(memory_format=torch.channels_last)
    flop = 2 * 9 * CEILING_MAPS**2 * CEILING_SIDE**2
    return flop / min(timed(lambda: conv(x)) for _ in range(5))


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        run()
    return time.perf_counter() - started


class Ffdnet(nn.Sequential):
    """12 layers of 96 maps at half the size: FFDNet for colour pictures (Zhang et al., 2018)."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, 96, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(10):
            layers += [nn.Conv2d(96, 96, 3, padding=1), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Conv2d(96, 12, 3, padding=1), nn.PixelShuffle(2))


class RlfnBlock(nn.Module):
    """Three 3x3 layers and a 1x1 one of 48 maps, with RLFN's enhanced spatial attention of 16 maps."""

    def __init__(self, maps: int = 48, attention: int = 16) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(maps, maps, 3, padding=1) for _ in range(3))
        self.mix = nn.Conv2d(maps, maps, 1)
        self.enter, self.skip = nn.Conv2d(maps, attention, 1), nn.Conv2d(attention, attention, 1)
        self.stride = nn.Conv2d(attention, attention, 3, stride=2)
        self.group = nn.Conv2d(attention, attention, 3, padding=1)
        self.leave = nn.Conv2d(attention, maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers:
            y = nn.functional.leaky_relu_(layer(y), 0.05)
        y = self.mix(y.add_(x))
        entered = self.enter(y)
        pooled = self.group(nn.functional.max_pool2d(self.stride(entered), 7, stride=3))
        spread = nn.functional.interpolate(pooled, size=y.shape[-2:], mode="bilinear")
        return y * self.leave(spread + self.skip(entered)).sigmoid()


class Rlfn(nn.Module):
    """RLFN-S for x4 (Kong et al., 2022): 6 blocks of 48 maps."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 48, 3, padding=1)
        self.blocks = nn.Sequential(*(RlfnBlock() for _ in range(6)))
        self.join = nn.Conv2d(48, 48, 3, padding=1)
        self.tail = nn.Sequential(nn.Conv2d(48, 48, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, picture: Tensor) -> Tensor:
        low = self.head(picture)
        raised: Tensor = self.tail(self.join(self.blocks(low)) + low)
        return raised


def ours(name: str, precision: str, tile: Tensor) -> nn.Module:
    """The network as the Restorer runs it on a photograph."""
    network = load_checkpoint(resolve(name).path).network()
    assert isinstance(network, Restoring)
    pool = MeasuringPool()
    with torch.inference_mode():
        network = network.mixed_for(tile)
        assert isinstance(network, Network)
        network(tile, pool)
    return fold(network, pool.averages, PRECISIONS[precision])


def networks(precision: str, rounds: int) -> None:
    tile = torch.rand(1, 3, TILE, TILE).contiguous(memory_format=torch.channels_last)
    low = tile.to(PRECISIONS[precision])
    for name, peer in (("compact.denoise", Ffdnet()), ("compact.sr-x4-bicubic", Rlfn())):
        other = peer.eval().to(dtype=PRECISIONS[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
        mine = ours(name, precision, tile)
        pairs = [(timed(lambda: other(low)), timed(lambda: mine(tile))) for _ in range(rounds + 2)][2:]  # noqa: B023
        ratio = statistics.median(theirs / own for theirs, own in pairs)
        print(
            f"{name:24} {1e3 * statistics.median(own for _, own in pairs):7.1f} ms a tile of {TILE}, "
            f"{ratio:.2f} times as fast as a stack of {type(peer).__name__}'s shape"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.25, 1, 4, 12])
    parser.add_argument("--threads", type=int, default=default_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    precision = choose_device("cpu", residual=True).precision
    networks(precision, options.rounds)
    limit = ceiling(precision)
    print(f"ceiling: {limit / 1e9:.0f} GFLOP/s ({precision}, {options.threads} threads)")
    for task in ("denoise", "sr"):
        flop = known_weights()[f"compact.{'sr-x4' if task == 'sr' else task}"].flop
        for size in options.megapixels:
            if task == "sr" and size > LARGEST_SR:
                continue
            with tempfile.TemporaryDirectory() as folder:
                photo = Path(folder) / "photo.png"
                cv2.imwrite(str(photo), photograph(size))
                rounds = [
                    [command(tree, task, photo, options.threads) for tree in (options.before.resolve(), HERE)]
                    for _ in range(options.rounds + 1)
                ]
            before, now = np.min(rounds[1:], 0)
            wall, processor = before / now
            share = flop * size * 1e6 / limit / now[0]
            print(
                f"{task:8} {size:5} MP  {now[0]:6.2f} s, {wall:4.2f} times as fast as before; "
                f"{now[1]:6.2f} s of processor time, {processor:4.2f} times; {share:4.0%} of ceiling",
                flush=True,
            )


if __name__ == "__main__":
    main()
