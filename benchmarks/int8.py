"""How far int8 would move the pixels: the blocks at full resolution with weights and inputs rounded to 8 bits.

    python benchmarks/int8.py PHOTOGRAPH ... [--weights compact.denoise] [--degradation awgn-25-8bit]

Simulated at float32, so that it tells of accuracy alone: each kernel has a scale for every output, each layer's input
one scale, its largest value in the photograph's own sample. Clean and degraded photographs, their central 256 x 256
pixels; differences from the same network at float32, in 1/255.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hfpie_cli.data.degradations import DEGRADATIONS
from hfpie_cli.models.fold import fold
from hfpie_cli.models.network import Network
from hfpie_cli.models.pooling import MeasuringPool
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.tensors import to_tensor
from hfpie_cli.weights.checkpoint import load_checkpoint
from hfpie_cli.weights.table import resolve

SIDE = 256
LEVELS = 127  # of a signed int8


def rounded(values: Tensor, scale: Tensor) -> Tensor:
    return (values / scale).round().clamp(-LEVELS, LEVELS) * scale


class Rounding:
    """The convolutions of the blocks at full resolution, at int8 once their inputs' ranges were seen."""

    def __init__(self, network: nn.Module) -> None:
        self.seen: dict[nn.Module, Tensor] = {}
        self.quantised = False
        blocks = [*network.bodies[0], *network.tails[0]]  # type: ignore[index, misc]
        for conv in (layer for block in blocks for layer in (block.conv1, block.conv2)):
            conv.register_forward_pre_hook(self._input)
            conv.exact = conv.weight.detach().clone()
            scale = conv.exact.abs().amax((1, 2, 3), keepdim=True) / LEVELS
            conv.rounded = rounded(conv.exact, scale)

    def _input(self, conv: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        conv.weight.data.copy_(conv.rounded if self.quantised else conv.exact)  # type: ignore[operator, arg-type, union-attr]
        if not self.quantised:
            self.seen[conv] = inputs[0].abs().max() / LEVELS
            return None
        return (rounded(inputs[0], self.seen[conv]),)


def difference(network: Network, picture: Tensor, exact: Tensor | None = None) -> Tensor:
    """|int8 - float32| of a picture (1, 3, h, w), 1/255."""
    pool = MeasuringPool()
    network(picture, pool)
    folded = fold(network, pool.averages).network
    rounding = Rounding(folded)
    plain = folded(picture).clamp(0, 1)
    rounding.quantised = True
    return 255 * (folded(picture).clamp(0, 1) - plain).abs()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--weights", default="compact.denoise")
    parser.add_argument("--degradation", default="awgn-25-8bit")
    options = parser.parse_args()
    network = load_checkpoint(resolve(options.weights).path).network()
    worst = {"clean": [], options.degradation: []}
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
