"""Measures each part of a network: the size of its maps, its share in the next join, the loss without it.

A part that dies in training, through a saturated attention or blocks whose output is unused, shows nowhere else: the
others still train, and the score only ends lower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..data.benchmarks import Pair
from ..errors import UnavailableError
from ..models.blocks import Blocks, FeatureAttention
from ..models.experts import Experts
from ..models.network import Network
from ..models.pooling import pool_each
from ..photos.quality import psnr
from ..tensors import as_hwc, to_tensor
from ..weights.checkpoint import load_checkpoint
from ..weights.registry import Weights
from .metrics import to_8bit_range

PEAK_LIMIT = 1e3  # larger values mean that a map is not bounded; fp16 ends at 65,504
WORTH_LIMIT = 0.01  # dB; a part worth less does nothing


@dataclass(frozen=True)
class Part:
    """One part of a network."""

    name: str
    """Where it is, such as "body 1/2"."""
    peak: float
    """Largest absolute value of its maps."""
    share: float | None = None
    """Its share of the sum at the join that it feeds, by root mean square; None if it feeds none."""
    worth: float | None = None
    """PSNR that the score loses without it, dB; None if it was not measured."""

    def faults(self) -> list[str]:
        """Its faults, a line each."""
        lines = []
        if not self.peak <= PEAK_LIMIT:
            lines.append(f"{self.name}: its maps are not bounded: they reach {self.peak:.3g} (limit {PEAK_LIMIT:g})")
        if self.worth is not None and self.worth < WORTH_LIMIT:
            lines.append(f"{self.name}: does nothing: without it the score changes by {-self.worth:+.3f} dB")
        return lines


def examine(network: Network, score: Callable[[], float], *, worth: bool = True) -> list[Part]:
    """Examine every body, every tail with blocks, and the input from smaller scales.

    score: runs the network on some pictures and returns their mean score in dB; called once, and with `worth` again
    without each part.
    """
    parts = _parts(network)
    seen = {name: Seen() for name in parts}
    with torch.inference_mode(), ExitStack() as stack:
        for name, module in parts.items():
            for block in module if isinstance(module, Blocks) else [module]:
                stack.enter_context(_hooked(block, seen[name].look))
        for level, join in enumerate(network.leaves):
            stack.enter_context(_hooked(join, _Shares(seen, level, len(network.leaves)).look))
        whole = score()
    found = []
    for name in parts:
        lost = None
        if worth:
            with torch.inference_mode(), without(network, name):
                lost = whole - score()
        found.append(Part(name, seen[name].peak, seen[name].share, lost))
    return found


@contextmanager
def without(network: Network, name: str) -> Iterator[None]:
    """Leave a part out: a body or tail passes its input on; input from a smaller scale is zero. name: as in `Part`."""
    module = _parts(network)[name]
    with _hooked(module, _passed_on if isinstance(module, Blocks) else _nothing):
        yield


def examine_weights(weights: Weights, pairs: Iterable[Pair]) -> list[Part]:
    """The parts of a checkpoint of ours, of each expert alone, by RGB PSNR over the pairs of a benchmark.

    Raises UnavailableError for weights of another kind of network.
    """
    network = load_checkpoint(weights.path).network()
    if not isinstance(network, Network | Experts):
        raise UnavailableError(f"{weights.name}: not a restoration network")
    sides = [(to_tensor(as_hwc(pair.degraded.pixels))[None], to_8bit_range(pair.clean)) for pair in pairs]

    def score(one: Network) -> float:
        restored = (one(degraded)[0].permute(1, 2, 0).numpy() for degraded, _ in sides)
        return sum(psnr(to_8bit_range(a), clean) for a, (_, clean) in zip(restored, sides, strict=True)) / len(sides)

    found, each = [], network.each()
    for number, one in enumerate(each, start=1):
        assert isinstance(one, Network)
        of = f"expert {number}, " if len(each) > 1 else ""
        found += [replace(part, name=of + part.name) for part in examine(one, partial(score, one))]
    return found


def _parts(network: Network) -> dict[str, nn.Module]:
    """The parts by name; scales are those of the picture."""
    parts: dict[str, nn.Module] = {}
    for kind, modules in (("body", network.bodies), ("tail", network.tails)):
        for level, module in enumerate(modules):
            if isinstance(module, Blocks) and len(module):
                parts[f"{kind} {_scale(level)}"] = module
    return parts | {f"up from {_scale(level + 1)}": module for level, module in enumerate(network.ups)}


def _scale(level: int) -> str:
    return f"1/{2**level}" if level else "1"


@dataclass
class Seen:
    """Statistics of a part's output."""

    peak: float = 0.0
    """Largest absolute value."""
    shares: list[float] = field(default_factory=list)
    """Share of its join, one for each picture."""

    @property
    def share(self) -> float | None:
        return sum(self.shares) / len(self.shares) if self.shares else None

    def look(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        """A forward hook."""
        self.peak = max(self.peak, float(output.abs().max()))


@dataclass(frozen=True)
class _Shares:
    """Hook on a join: maps of the body, head, edges, and the smaller scale, in this order."""

    seen: dict[str, Seen]
    level: int
    levels: int

    def look(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        maps = inputs[0]
        weights = module.weigh(maps, pool_each) if isinstance(module, FeatureAttention) else torch.ones(len(maps))
        sizes = [float((m * weights[..., k]).float().square().mean().sqrt()) for k, m in enumerate(maps)]
        total = sum(sizes) or 1.0
        body, up = f"body {_scale(self.level)}", f"up from {_scale(self.level + 1)}"
        if body in self.seen:
            self.seen[body].shares.append(sizes[0] / total)
        if self.level + 1 < self.levels:
            self.seen[up].shares.append(sizes[-1] / total)


def _passed_on(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    passed: Tensor = inputs[0]
    return passed


def _nothing(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return torch.zeros_like(output)


@contextmanager
def _hooked(module: nn.Module, look: Callable[..., Any]) -> Iterator[None]:
    handle = module.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()
