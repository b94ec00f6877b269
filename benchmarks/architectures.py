"""Costs of the networks of weights.toml: parameters, FLOP per input pixel, seconds per megapixel of input.

    python benchmarks/architectures.py [--rounds 2]

Our networks have their own weights; other people's are built by spandrel in the published shapes, with random weights,
which cost the same. Each restores one tile at float32 in one thread, by processor time, as on a photograph whose
averages have been measured. All take turns; the best round counts.
Names of one architecture and shape share a row's measurement. Compare the rows of one run: machines differ.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hfpie_cli.device import choose_device
from hfpie_cli.models.contract import Restoring
from hfpie_cli.running import Runner
from hfpie_cli.tasks import TASKS
from hfpie_cli.tensors import AS_IT_IS
from hfpie_cli.vision import import_beside_torchvision
from hfpie_cli.weights.checkpoint import load_checkpoint
from hfpie_cli.weights.foreign import ForeignNetwork
from hfpie_cli.weights.registry import Entry, list_weights, resolve

SIDES = {1: 128, 4: 64}  # pixels of the tile, by scale
NOISE = 25.0  # of 255, for networks that take it
FLOP_SIDE = 256  # pixels of the picture whose cost is counted
DENOISING = {"middle_blk_num": 12, "enc_blk_nums": [2, 2, 4, 8], "dec_blk_nums": [2, 2, 2, 2]}
DEBLURRING = {"middle_blk_num": 1, "enc_blk_nums": [1, 1, 1, 28], "dec_blk_nums": [1, 1, 1, 1]}


@dataclass(frozen=True, eq=False)
class Shape:
    """An architecture of spandrel's. package: its module. kind: its class. options: of that, as published."""

    package: str
    kind: str
    options: dict[str, Any]

    def build(self) -> nn.Module:
        """The module with random weights, on the CPU."""
        import_beside_torchvision("spandrel")
        return getattr(import_beside_torchvision(f"spandrel.architectures.{self.package}"), self.kind)(**self.options)


RRDBNET = Shape("ESRGAN", "ESRGAN", {"num_filters": 64, "num_blocks": 23, "scale": 4})
WIDE_DEBLURRING = Shape("NAFNet", "NAFNet", {"width": 64, **DEBLURRING})
SHAPES = {
    "4x-UltraSharp": RRDBNET,
    "drunet": Shape("DRUNet", "DRUNet", {"in_nc": 4, "out_nc": 3, "nc": [64, 128, 256, 512], "nb": 4}),
    "nafnet-gopro-w32": Shape("NAFNet", "NAFNet", {"width": 32, **DEBLURRING}),
    "nafnet-gopro-w64": WIDE_DEBLURRING,
    "nafnet-reds-w64": WIDE_DEBLURRING,
    "nafnet-sidd-w32": Shape("NAFNet", "NAFNet", {"width": 32, **DENOISING}),
    "nafnet-sidd-w64": Shape("NAFNet", "NAFNet", {"width": 64, **DENOISING}),
    "nomos-webphoto": Shape("PLKSR", "RealPLKSR", {"dim": 64, "n_blocks": 28, "upscaling_factor": 4}),
    "realesrgan-x4plus": RRDBNET,
    "scunet-psnr": Shape("SCUNet", "SCUNet", {"config": [4] * 7, "dim": 64}),
    "4x-UltraSharpV2": Shape(
        "DAT",
        "DAT",
        {
            "upscale": 4,
            "img_size": 64,
            "embed_dim": 180,
            "split_size": [8, 32],
            "depth": [6] * 6,
            "num_heads": [6] * 6,
            "expansion_factor": 2,
        },
    ),
}


def network_of(entry: Entry) -> Restoring:
    """Ours with its weights, of experts the first; somebody else's with random ones."""
    if entry.name not in SHAPES:
        network = load_checkpoint(resolve(entry.name).path).network()
        assert isinstance(network, Restoring)
        return network.each()[0]
    spandrel = import_beside_torchvision("spandrel")
    weights = SHAPES[entry.name].build().state_dict()
    network = ForeignNetwork(spandrel.ModelLoader(device="cpu").load_from_state_dict(weights)).eval()
    network.model._forward_hooks.clear()  # the output of random weights need not be a picture
    return network


def flop_a_pixel(network: Restoring) -> int:
    """Of the input; counted without computing anything."""
    inner = network.model if isinstance(network, ForeignNetwork) else network
    counted = copy.deepcopy(inner).to("meta").eval()
    channels = 4 if network.contract.takes_noise else 3
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        counted(torch.empty(1, channels, FLOP_SIDE, FLOP_SIDE, device="meta"))
    return counter.get_total_flops() // FLOP_SIDE**2


class Timed:
    """A network's turns at one tile. seconds: of the best, of processor time for a megapixel of input."""

    def __init__(self, entry: Entry, rng: np.random.Generator) -> None:
        network, side = network_of(entry), SIDES[entry.scale]
        self.parameters = sum(p.numel() for p in network.parameters())
        self.flop, self.seconds = flop_a_pixel(network), float("inf")
        runner = Runner(network, choose_device("cpu", "fp32"), AS_IT_IS)
        self._tile = runner.to_device(torch.from_numpy(rng.random((1, 3, side, side), dtype=np.float32)))
        self._forward = runner.prepare(self._tile, NOISE if network.contract.takes_noise else None)

    @torch.inference_mode()
    def turn(self) -> None:
        started = time.process_time()
        self._forward(self._tile)
        megapixels = self._tile[0, 0].numel() / 1e6
        self.seconds = min(self.seconds, (time.process_time() - started) / megapixels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    entries = [entry for entry in list_weights() if entry.task in TASKS]
    timed: dict[Shape | str, Timed] = {}  # by what is run, which several names may share
    for entry in entries:
        key = SHAPES.get(entry.name, entry.name)
        timed[key] = timed.get(key) or Timed(entry, rng)
    for _ in range(options.rounds):
        for each in timed.values():
            each.turn()
    print(f"{choose_device('cpu').name}, one thread, fp32")
    print(f"{'name':24} {'parameters':>11} {'FLOP/px':>11} {'s/MP':>8}")
    for entry in entries:
        found = timed[SHAPES.get(entry.name, entry.name)]
        print(f"{entry.name:24} {found.parameters:11} {found.flop:11} {found.seconds:8.2f}")


if __name__ == "__main__":
    main()
