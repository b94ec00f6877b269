"""Gain and cost of int8: the blocks at full resolution with weights and inputs rounded to 8 bits.

    python benchmarks/int8.py PHOTOGRAPH ... [--weights compact.denoise] [--degradation awgn-25-8bit]

Simulated at float32, so that it tells of accuracy alone: each kernel has a scale for every output, each layer's input
one scale, its largest value in the photograph's own sample. Clean and degraded photographs, their central 256 x 256
pixels; differences from the same network at float32, in 1/255. The gain is an upper bound: the speed of one convolution
by torch's private onednn operators over bf16, and the share of a tile's time that those blocks take, with the time to
round their inputs left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.models.blocks import Blocks
from hfpie_cli.models.contract import Restoring
from hfpie_cli.models.fold import fold
from hfpie_cli.models.network import Network
from hfpie_cli.models.pooling import MeasuringPool
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.tensors import to_tensor
from hfpie_cli.weights.checkpoint import load_checkpoint
from hfpie_cli.weights.registry import resolve

SIDE = 256
LEVELS = 127  # of a signed int8


def rounded(values: Tensor, scale: Tensor) -> Tensor:
    return (values / scale).round().clamp(-LEVELS, LEVELS) * scale


class Rounding:
    """The convolutions of the blocks at full resolution, at int8 once their inputs' ranges were seen."""

    def __init__(self, network: nn.Module) -> None:
        assert isinstance(network, Network)
        self.seen: dict[nn.Module, Tensor] = {}
        self.kernels: dict[nn.Module, tuple[Tensor, Tensor]] = {}  # exact, rounded
        self.quantised = False
        blocks = [block for blocks in (network.bodies[0], network.tails[0]) for block in blocks.children()]
        for conv in (layer for block in blocks for layer in block.children() if isinstance(layer, nn.Conv2d)):
            conv.register_forward_pre_hook(self._input)
            exact = conv.weight.detach().clone()
            scale = exact.abs().amax((1, 2, 3), keepdim=True) / LEVELS
            self.kernels[conv] = exact, rounded(exact, scale)

    def _input(self, conv: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        conv.get_parameter("weight").data.copy_(self.kernels[conv][self.quantised])
        if not self.quantised:
            self.seen[conv] = inputs[0].abs().max() / LEVELS
            return None
        return (rounded(inputs[0], self.seen[conv]),)


def difference(network: Network, picture: Tensor) -> Tensor:
    """|int8 - float32| of a picture (1, 3, h, w), 1/255."""
    pool = MeasuringPool()
    network(picture, pool)
    folded = fold(network, pool.averages)
    rounding = Rounding(folded.network)
    plain = folded(picture).clamp(0, 1)
    rounding.quantised = True
    return 255 * (folded(picture).clamp(0, 1) - plain).abs()


def seconds(run: Callable[[], object], rounds: int = 15) -> float:
    """The median, of processor time."""
    found = []
    for _ in range(rounds):
        started = time.process_time()
        run()
        found.append(time.process_time() - started)
    return sorted(found)[rounds // 2]


def convolution_gain(maps: int, side: int) -> float:
    """How many times as fast one 3x3 convolution is at int8 as at bf16."""
    x = torch.rand(1, maps, side, side).contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(maps, maps, 3, padding=1, dtype=torch.bfloat16)
    conv.weight.data = conv.weight.contiguous(memory_format=torch.channels_last)
    scales, plain = torch.full((maps,), 0.001), [1, 1]
    weight = torch.randint(-LEVELS, LEVELS, (maps, maps, 3, 3), dtype=torch.int8)
    small = (x * 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
    packed = torch.ops.onednn.qconv_prepack(weight, scales, 1 / 255, 0, plain, plain, plain, 1, list(small.shape))
    zeros, bias = torch.zeros(maps, dtype=torch.int64), torch.zeros(maps)

    def quantised() -> Tensor:
        layer = (packed, scales, zeros, bias, plain, plain, plain, 1)
        return torch.ops.onednn.qconv2d_pointwise(small, 1 / 255, 0, *layer, 1.0, 0, torch.bfloat16, "none", [], "")

    exact = x.bfloat16()
    return seconds(lambda: conv(exact)) / seconds(quantised)


def share_of_blocks(network: Network) -> float:
    """Of the time of a tile at bf16 that goes into the blocks at full resolution."""
    tile, pool = torch.rand(1, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last), MeasuringPool()
    network(tile, pool)
    folded = fold(network, pool.averages, torch.bfloat16)
    whole = seconds(lambda: folded(tile))
    folded.network.bodies[0], folded.network.tails[0] = Blocks(1, 0), Blocks(1, 0)
    return 1 - seconds(lambda: folded(tile)) / whole


def speed(network: Network) -> str:
    config = network.config
    gain, share = convolution_gain(config.widths[0], SIDE // config.unshuffle), share_of_blocks(network)
    most = 1 / (1 - share + share / gain)
    return f"one convolution {gain:.2f} times as fast, blocks {share:.0%} of a tile: at most {most:.2f} times as fast"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--weights", default="compact.denoise")
    parser.add_argument("--degradation", default="awgn-25-8bit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_checkpoint(resolve(options.weights).path).network()
    assert isinstance(network, Restoring)
    network = network.each()[0]
    assert isinstance(network, Network)
    with torch.inference_mode():
        print(speed(network), flush=True)
    worst: dict[str, list[Tensor]] = {"clean": [], options.degradation: []}
    for number, path in enumerate(options.photographs):
        pixels = read_photo(path).pixels
        top, left = ((n - SIDE) // 2 for n in pixels.shape[:2])
        clean = to_tensor(pixels[top : top + SIDE, left : left + SIDE]).permute(1, 2, 0).numpy()
        for name, found in worst.items():
            picture = clean if name == "clean" else DEGRADATIONS[name](clean, np.random.default_rng(number))
            with torch.inference_mode():
                found.append(
                    difference(network, torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None])
                )
    for name, found in worst.items():
        print(
            f"{name}: {len(found)} photographs, largest {max(float(d.max()) for d in found):.1f}/255, "
            f"mean {sum(float(d.mean()) for d in found) / len(found):.3f}/255"
        )


if __name__ == "__main__":
    main()
