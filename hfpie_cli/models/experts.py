"""Experts: several networks of one shape, mixed into one for each photograph.

    sample -> first expert -> averages of its tail -> gate -> a share for each expert -> weights, mixed -> one network

Blur of different kinds asks for different kernels, but a photograph has one kind. What the first expert does to it
tells which. It is soft merging as in Muqeeth et al., "Soft merging of experts with adaptive routing" (2023), with one
gate for all layers. The experts are trained one by one; tools/join.py fits the gate.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .blocks import normalised
from .contract import Contract, Restoring
from .network import Network, NetworkConfig
from .pooling import SAMPLE_GRID, MeasuringPool, Pool, pool_each

MOST_EXPERTS = 8
SMALLEST = 64  # side of the smallest parts that a picture is cut into, pixels
SURE = 0.999  # share from which an expert restores alone


@dataclass(frozen=True)
class ExpertsConfig:
    """The shape of such a network, kept in every checkpoint. Raises ValueError for an impossible shape."""

    network: NetworkConfig
    """Shape of each expert."""
    experts: int
    """Number of experts."""

    def __post_init__(self) -> None:
        if isinstance(self.network, dict):
            object.__setattr__(self, "network", NetworkConfig(**self.network))
        if type(self.experts) is not int or not 2 <= self.experts <= MOST_EXPERTS:
            raise ValueError(f"experts must be a whole number from 2 to {MOST_EXPERTS}, not {self.experts!r}")
        if self.network.tails[0] == 0:
            raise ValueError("experts need a tail at full scale: the gate reads its averages")

    @property
    def scale(self) -> int:
        """Enlargement."""
        return self.network.scale

    @property
    def stride(self) -> int:
        """Tiles start at multiples of it, pixels."""
        return self.network.stride


class Experts(Restoring):
    """Restores a picture as Network does, with weights for that picture; not trained as a whole.

    (n, 3, h, w) RGB around [0, 1] -> (n, 3, scale h, scale w), not clamped, for any h and w; each picture of a batch by
    its own weights.
    """

    def __init__(self, config: ExpertsConfig) -> None:
        super().__init__()
        self.config = config
        self.experts = nn.ModuleList(Network(config.network) for _ in range(config.experts))
        self.gate = nn.Linear(config.network.widths[0] * config.network.tails[0], config.experts)

    @property
    def contract(self) -> Contract:
        return self._expert(0).contract

    def forward(self, picture: Tensor, pool: Pool = pool_each) -> Tensor:
        each = (picture[i : i + 1] for i in range(len(picture)))
        return torch.cat([self.mixed_for(one)(one, pool) for one in each])

    def mixed_for(self, sample: Tensor) -> Network:
        return self.mixed(self.shares(sample))

    def mixed(self, shares: Tensor) -> Network:
        """The network whose weights are the experts' by these shares, (experts,); an expert itself if it has all."""
        largest = int(shares.argmax())
        if shares[largest] > SURE:
            return self._expert(largest)
        network = copy.deepcopy(self._expert(0))
        sets = [expert.state_dict() for expert in self.experts]
        weights = {name: sum(share * each[name] for share, each in zip(shares, sets, strict=True)) for name in sets[0]}
        network.load_state_dict(weights)
        return network

    def shares(self, sample: Tensor) -> Tensor:
        """Each expert's share for the photograph of which (n, 3, h, w) is a sample: (experts,) float32, 1 in sum.

        Measured at fp32 if it is not finite at the precision of the autocast around it.
        """
        read = self.gate_input(sample)
        if not read.isfinite().all():
            with torch.autocast(sample.device.type, enabled=False):
                read = self.gate_input(sample)
        scores = (self.gate.weight.float() * read).sum(1)  # at fp32, whatever the precision
        return (scores + self.gate.bias.float()).softmax(-1)

    @torch.no_grad()
    def gate_input(self, sample: Tensor) -> Tensor:
        """What the gate reads of a sample: the first expert's averages of each block of its tail at full scale.

        (blocks x maps,) float32, the averages of each block divided by their root mean square, all of unit length.
        """
        pool = MeasuringPool()
        self._expert(0)(_part(sample), pool)
        tail = pool.averages[-self.config.network.tails[0] :]
        read = torch.cat([normalised(average.flatten(), (0,)) for average in tail])
        return read / len(read) ** 0.5

    def each(self) -> list[Network]:
        """The experts."""
        return [self._expert(number) for number in range(len(self.experts))]

    def _expert(self, number: int) -> Network:
        network = self.experts[number]
        assert isinstance(network, Network)
        return network


def expert_weights(weights: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The weights of one expert, counted from 0, as those of a network of its own."""
    start = f"experts.{number}."
    return {name.removeprefix(start): weight for name, weight in weights.items() if name.startswith(start)}


def _part(sample: Tensor) -> Tensor:
    """A part of a sample (n, 3, h, w) that is enough to tell the kind, about a quarter: the squares on a diagonal.

    A picture of its own is cut into 4 x 4 parts first, unless it is small.
    """
    if len(sample) == 1 and min(sample.shape[2:]) >= SMALLEST * SAMPLE_GRID:
        height, width = (side // SAMPLE_GRID for side in sample.shape[2:])
        parts = [sample[..., i * height : (i + 1) * height, i * width : (i + 1) * width] for i in range(SAMPLE_GRID)]
        return torch.cat(parts)
    return sample[:: SAMPLE_GRID + 1] if len(sample) >= SAMPLE_GRID**2 else sample
