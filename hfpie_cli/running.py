"""How a network runs on the tiles of a photograph: averages measured once, attention folded, in reduced precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .device import PRECISIONS, Device
from .errors import HfpieError
from .models.contract import Restoring, UnsteadyError
from .models.fold import fold
from .models.network import Network
from .models.pooling import SAMPLE_GRID, MeasuringPool, RecalledPool
from .photos.photo import Pixels
from .streams import Streams
from .tensors import Turn

Forward = Callable[[Tensor], Tensor]  # (n, 3, h, w) on the device -> (n, 3, scale h, scale w)


@dataclass(frozen=True)
class Pass:
    """The network for one turn of the ensemble."""

    turn: Turn
    """Turn and flip."""
    reduced: Forward
    """At the device's precision."""
    exact: Forward
    """At fp32, for what is not finite otherwise."""


class Runner:
    """Runs a network on a device, averaged over the turns of an ensemble.

    network: (n, 3, h, w) -> (n, 3, scale h, scale w).
    """

    def __init__(self, network: Restoring, device: Device, turns: Sequence[Turn]) -> None:
        self.network = network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device, self._turns = device, turns
        self.streams = Streams(device.torch_device)

    @torch.inference_mode()
    def prepare(self, sample: Tensor | None, noise: float | None = None) -> Forward:
        """What restores the tiles of one photograph, whose averages are those of `sample`, (n, 3, h, w) on the CPU.

        Without a sample, and for networks that take no averages, every tile is restored by itself. noise: its standard
        deviation in [0, 1], for networks that take it.
        """
        if sample is not None and self.network.contract.shares_averages:
            sample = self.to_device(sample)
            with self.device.autocast():
                network = self.network.mixed_for(sample)
            passes = [self._fixed(network, turn, turn.apply(sample)) for turn in self._turns]
        else:
            exact: Forward = self.network if noise is None else partial(self.network, noise=noise)
            passes = [Pass(turn, partial(self._reduce, exact), exact) for turn in self._turns]
        return partial(self._run, passes)

    def to_device(self, tiles: Tensor) -> Tensor:
        """Move tiles from the CPU to the device, in the network's memory layout."""
        target = self.device.torch_device
        if target.type == "cuda":
            tiles = tiles.pin_memory()
        return tiles.to(target, non_blocking=True).contiguous(memory_format=torch.channels_last)

    def _fixed(self, network: Restoring, turn: Turn, sample: Tensor) -> Pass:
        """The pass with the averages of a sample, (n, 3, h, w) on the device."""
        averages = self._measure(network, sample)

        def exact(tiles: Tensor) -> Tensor:
            return network(tiles, RecalledPool(averages))

        return Pass(turn, fold(cast(Network, network), averages, PRECISIONS[self.device.precision]), exact)

    def _measure(self, network: Restoring, sample: Tensor) -> list[Tensor]:
        """The averages of a sample, at fp32 if they are not finite at the device's precision."""
        pool = MeasuringPool()
        with self.device.autocast():
            network(sample, pool)
        if not all(average.isfinite().all() for average in pool.averages):
            pool = MeasuringPool()
            network(sample, pool)
        return pool.averages

    def _reduce(self, exact: Forward, tiles: Tensor) -> Tensor:
        with self.device.autocast():
            return exact(tiles)

    def _run(self, passes: list[Pass], tiles: Tensor) -> Tensor:
        """Restore tiles on the device.

        Raises HfpieError if pixels are not finite even at fp32, and UnsteadyError if the output is not a picture.
        """
        try:
            restored = _average(tiles, [(each.turn, each.reduced) for each in passes])
        except UnsteadyError:
            if self.device.precision == "fp32":
                raise
            restored = tiles.new_tensor(torch.nan)
        if not restored.isfinite().all():
            restored = _average(tiles, [(each.turn, each.exact) for each in passes])
            if not restored.isfinite().all():
                raise HfpieError("the network's output is not finite", "try other weights")
        return restored


def _average(tiles: Tensor, ways: list[tuple[Turn, Forward]]) -> Tensor:
    """The mean over the turns, each undone."""
    results = [turn.undo(forward(turn.apply(tiles)).float()) for turn, forward in ways]
    return torch.stack(results).mean(0) if len(results) > 1 else results[0]


def sample_parts(pixels: Pixels, side: int) -> list[Pixels]:
    """Parts of at most `side` pixels a side on an even grid over (h, w, c) pixels, or all where they are few.

    They depend on the picture alone, never on tiles.
    """
    if pixels.shape[0] * pixels.shape[1] <= (SAMPLE_GRID * side) ** 2:
        return [pixels]
    last = (max(n - side, 0) for n in pixels.shape[:2])
    tops, lefts = (sorted({int(at) for at in np.linspace(0, end, SAMPLE_GRID)}) for end in last)
    return [pixels[top : top + side, left : left + side] for top in tops for left in lefts]
