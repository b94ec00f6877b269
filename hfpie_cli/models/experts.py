"""Experts: several networks, mixed into one for each photograph.

    sample -> first expert -> averages of its tail ---+
           -> spectra, traces of JPEG ----------------+-> gate -> shares -> weights, mixed -> one network

Blur of different kinds asks for different kernels, but a photograph has one kind. What the first expert does to it
tells which. It is soft merging as in Muqeeth et al., "Soft merging of experts with adaptive routing" (2023), with one
gate for all layers. The experts are trained one by one; tools/join.py fits the gate.

Only networks of one shape can be mixed. Of experts of several shapes, those of the shape with the largest share are:
JPEG asks for wide views, clean reductions for more convolutions at full scale, in the same time.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .blocks import TINY, normalised
from .contract import Contract, Restoring
from .network import Network, NetworkConfig
from .pooling import SAMPLE_GRID, MeasuringPool, Pool, pool_each
from .quantisation import READS, jpeg_traces
from .spectrum import BANDS, CHROMA_BANDS, log_chroma_spectrum, log_spectrum

MOST_EXPERTS = 8
SMALLEST_READ = 48  # side of the squares that the gate reads, pixels; of a smaller picture, all
SURE = 0.8  # share from which an expert restores alone: on crops 0.004 to 0.016 dB better than 0.98, and sooner


@dataclass(frozen=True)
class ExpertsConfig:
    """The shape of such a network, kept in every checkpoint. Raises ValueError for an impossible shape."""

    network: NetworkConfig
    """Shape of the first expert, and of all that `others` leaves."""
    experts: int
    """Number of experts."""
    others: tuple[NetworkConfig, ...] = ()
    """Shapes of the last experts, where they differ."""

    def __post_init__(self) -> None:
        network, *others = (
            NetworkConfig(**shape) if isinstance(shape, dict) else shape for shape in (self.network, *self.others)
        )
        object.__setattr__(self, "network", network)
        object.__setattr__(self, "others", tuple(others))
        if type(self.experts) is not int or not 2 <= self.experts <= MOST_EXPERTS:
            raise ValueError(f"experts must be a whole number from 2 to {MOST_EXPERTS}, not {self.experts!r}")
        if not all(isinstance(shape, NetworkConfig) for shape in (network, *others)):
            raise ValueError("network and others must be shapes of networks")
        if len(others) >= self.experts:
            raise ValueError(f"others must be fewer than the {self.experts} experts, not {len(others)}")
        if any(_outside(shape) != _outside(network) for shape in others):
            raise ValueError("experts must be alike in scale, stride and sample_side")
        if network.tails[0] == 0:
            raise ValueError("experts need a tail at full scale: the gate reads its averages")

    @property
    def shapes(self) -> tuple[NetworkConfig, ...]:
        """The shape of each expert."""
        return (self.network,) * (self.experts - len(self.others)) + self.others

    @property
    def reads(self) -> int:
        """Numbers that the gate reads: see Experts.gate_input."""
        return (self.network.widths[0] + 1) * self.network.tails[0] + 2 * (BANDS + CHROMA_BANDS) - 2 + READS

    @property
    def scale(self) -> int:
        """Enlargement."""
        return self.network.scale

    @property
    def stride(self) -> int:
        """Tiles start at multiples of it, pixels."""
        return self.network.stride


def _outside(shape: NetworkConfig) -> tuple[int, int, int]:
    """What a network's shape means to the code that runs it."""
    return shape.scale, shape.stride, shape.sample_side


class Experts(Restoring):
    """Restores a picture as Network does, with weights for that picture; not trained as a whole.

    (n, 3, h, w) RGB around [0, 1] -> (n, 3, scale h, scale w), not clamped, for any h and w; each picture of a batch by
    its own weights.
    """

    def __init__(self, config: ExpertsConfig) -> None:
        super().__init__()
        self.config = config
        self.experts = nn.ModuleList(Network(shape) for shape in config.shapes)
        self.gate = nn.Linear(config.reads, config.experts)

    @property
    def contract(self) -> Contract:
        return self._expert(0).contract

    def forward(self, picture: Tensor, pool: Pool = pool_each) -> Tensor:
        each = (picture[number : number + 1] for number in range(len(picture)))
        return torch.cat([self.mixed_for(one)(one, pool) for one in each])

    def mixed_for(self, sample: Tensor) -> Network:
        return self.mixed(self.shares(sample))

    def mixed(self, shares: Tensor) -> Network:
        """The network whose weights are the experts' by these shares, (experts,); an expert itself if it has all.

        Of experts of several shapes, those of the shape with the largest share, by their shares of it.
        """
        shares = shares.detach()
        alike = self._alike(shares)
        of_shape = shares[alike] / shares[alike].sum()
        largest = int(of_shape.argmax())
        if of_shape[largest] > SURE:
            return self._expert(alike[largest])
        sets = [list(self._expert(number).parameters()) for number in alike]
        first, *others = of_shape.tolist()
        mixed = torch._foreach_mul([weight.detach() for weight in sets[0]], first)
        for share, each in zip(others, sets[1:], strict=True):
            torch._foreach_add_(mixed, [weight.detach() for weight in each], alpha=share)
        memo = {id(old): nn.Parameter(new, requires_grad=False) for old, new in zip(sets[0], mixed, strict=True)}
        return copy.deepcopy(self._expert(alike[0]), memo)  # with the mixed weights instead of copies

    def _alike(self, shares: Tensor) -> list[int]:
        """The experts of the shape with the largest share."""
        members: dict[NetworkConfig, list[int]] = {}
        for number, shape in enumerate(self.config.shapes):
            members.setdefault(shape, []).append(number)
        return max(members.values(), key=lambda numbers: float(shares[numbers].sum()))

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

        (ExpertsConfig.reads,) float32: the averages of each block divided by their root mean square, all together of
        unit length; the logarithms of these root mean squares, which tell how much there is to restore; the logarithmic
        spectra of the sample, luma and chroma, and their steps from band to band; what JPEG left in it. A quarter of a
        grid of squares is enough, those on its diagonal, and of a single picture `diagonal`.
        """
        pool = MeasuringPool()
        if len(sample) >= SAMPLE_GRID**2:
            sample = sample[:: SAMPLE_GRID + 1]
        elif len(sample) == 1:
            sample = diagonal(sample)
        self._expert(0)(sample, pool)
        tail = [average.flatten().float() for average in pool.averages[-self.config.network.tails[0] :]]
        read = torch.cat([normalised(average, (0,)) for average in tail])
        levels = torch.stack([(average.square().mean() + TINY).log() / 2 for average in tail])
        spectra = [log_spectrum(sample), log_chroma_spectrum(sample)]
        steps = [spectrum.diff() for spectrum in spectra]
        return torch.cat([read / len(read) ** 0.5, levels, *spectra, *steps, jpeg_traces(sample)])

    def each(self) -> list[Network]:
        return [self._expert(number) for number in range(len(self.experts))]

    def _expert(self, number: int) -> Network:
        network = self.experts[number]
        assert isinstance(network, Network)
        return network


def diagonal(picture: Tensor) -> Tensor:
    """What the gate reads of a picture (1, c, h, w): the squares on the diagonal of a grid over it, (n, c, h/n, w/n).

    A quarter of the picture; half of a small one, n = 2, for the borders of smaller squares weigh too much; all of one
    that is smaller yet.
    """
    for count in (SAMPLE_GRID, 2):
        height, width = (side // count for side in picture.shape[-2:])
        if min(height, width) >= SMALLEST_READ:
            rows = picture.unfold(2, height, height).unfold(3, width, width).diagonal(dim1=2, dim2=3)  # (1, c, h, w, n)
            return rows.movedim(-1, 1)[0, :count].contiguous(memory_format=torch.channels_last)
    return picture


def expert_weights(weights: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The weights of one expert, counted from 0, as those of a network of its own."""
    start = f"experts.{number}."
    return {name.removeprefix(start): weight for name, weight in weights.items() if name.startswith(start)}
