"""Low-frequency corrections, applied band by band to the rows of a restored photograph.

    rows -> bands of cells -> a value for every cell -> values between the cells' centres -> corrected rows

The cells form a grid over the whole photograph, independent of the tiles, so that tiles do not show.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ..models.enlarging import enlarge

BICUBIC_REACH = 2  # rows above and below that affect a row of a bicubic enlargement

Rows = Iterator[tuple[int, Tensor]]  # (top, (3, h, w) float32), from top to bottom
ReadRows = Callable[[int, int], Tensor]  # (top, height) -> (3, height, width) of the degraded photograph


@dataclass(frozen=True)
class Grid:
    """The cells along one side of a picture; the last has half to one and a half times the size."""

    length: int
    """The side, pixels."""
    cell: int
    """Side of a cell, pixels."""

    @cached_property
    def edges(self) -> list[int]:
        """First pixel of each cell, and the end of the last."""
        return [self.cell * i for i in range(max(1, round(self.length / self.cell)))] + [self.length]

    @cached_property
    def centres(self) -> Tensor:
        """Centres of the cells, pixels."""
        edges = torch.tensor(self.edges, dtype=torch.float64)
        return (edges[1:] + edges[:-1]) / 2

    @cached_property
    def weights(self) -> Tensor:
        """(length, cells): the weight of each cell at each pixel; linear between the centres, constant outside."""
        return linear_weights(torch.arange(self.length) + 0.5, self.centres)

    def sums(self, maps: Tensor, reduced: int = 1) -> Tensor:
        """The sums of (c, h, length / reduced, rounded up) maps over each cell and all rows: (c, cells) float64.

        `reduced` divides `cell`.
        """
        upto = maps.sum(1, dtype=torch.float64).cumsum(-1)
        ends = [edge // reduced - 1 for edge in self.edges[1:-1]] + [-1]
        return upto[:, ends].diff(prepend=torch.zeros(len(maps), 1, dtype=torch.float64))


def linear_weights(at: Tensor, centres: Tensor) -> Tensor:
    """(positions, centres): the weights of linear interpolation between centres that ascend."""
    weights = torch.zeros(len(at), len(centres))
    if len(centres) == 1:
        return weights + 1
    right = torch.searchsorted(centres, at.double()).clamp(1, len(centres) - 1)
    share = ((at - centres[right - 1]) / (centres[right] - centres[right - 1])).clamp(0, 1).float()
    each = torch.arange(len(at))
    weights[each, right - 1] = 1 - share
    weights[each, right] = share
    return weights


class Rule(Protocol):
    """A rule for `correct`. cell: the side of a cell, pixels of the restored photograph."""

    @property
    def cell(self) -> int: ...

    def measure(self, degraded: Tensor, restored: Tensor, columns: Grid) -> Tensor:
        """Measurements of each cell of a band: (j, cells), from its pixels before and after the network."""

    def nodes(self, above: Tensor, here: Tensor, below: Tensor) -> Tensor:
        """(2, k, cells), from three bands: k corrections of each cell times their weights, and the weights."""

    def apply(self, restored: Tensor, field: Tensor) -> Tensor:
        """The corrected band, from (k, h, w) corrections for every pixel."""


def correct(rows: Rows, read: ReadRows, rule: Rule, *, height: int, width: int) -> Rows:
    """The rows of a restored photograph of height x width pixels, corrected; three bands of cells are held.

    `read` gives rows of the degraded one in the same size.
    """
    columns, down = Grid(width, rule.cell), Grid(height, rule.cell)
    # in one tensor: small tensors allocated between large temporary ones would fragment the heap
    measured, known = torch.empty(0), 0
    waiting: deque[tuple[int, Tensor]] = deque()

    def finish() -> tuple[int, Tensor]:
        top, band = waiting.popleft()
        here, last = known - len(waiting) - 1, known - 1
        near = range(max(here - 1, 0), min(here + 1, last) + 1)
        nodes = torch.stack([rule.nodes(*(measured[min(max(i + d, 0), last)] for d in (-1, 0, 1))) for i in near], 2)
        if not nodes[0].any():
            return top, band
        weights = linear_weights(torch.arange(top, top + band.shape[1]) + 0.5, down.centres[near.start : near.stop])
        corrections, counts = weights @ (nodes.float() @ columns.weights.T)
        return top, rule.apply(band, corrections / counts.clamp(min=1e-3))

    for top, band in regroup(rows, down.edges):
        found = rule.measure(read(top, band.shape[1]), band, columns)
        if known == 0:
            measured = found.new_empty(len(down.edges) - 1, *found.shape)
        measured[known] = found
        known += 1
        waiting.append((top, band))
        if len(waiting) > 2:
            yield finish()
    while waiting:
        yield finish()


def regroup(rows: Rows, edges: list[int]) -> Rows:
    """The same rows in bands from edge to edge, each a tensor of its own; the rows themselves are not kept."""
    held: list[Tensor] = []
    ends = iter(edges[1:])
    top, end = edges[0], next(ends)
    for start, strip in rows:
        taken = 0
        while start + strip.shape[1] >= end:
            yield top, torch.cat([*held, strip[:, taken : end - start]], 1)
            held, taken, top = [], end - start, end
            end = next(ends, edges[-1] + 1)
        if taken < strip.shape[1]:
            held.append(strip[:, taken:].clone())


def enlarged_rows(read: ReadRows, height: int, scale: int, top: int, rows: int) -> Tensor:
    """`rows` rows from `top` on of the bicubic enlargement of a photograph of `height` rows, which `read` reads."""
    if scale == 1:
        return read(top, rows)
    first = max(top // scale - BICUBIC_REACH, 0)
    last = min(-(-(top + rows) // scale) + BICUBIC_REACH, height)
    enlarged = enlarge(read(first, last - first)[None], scale)[0]
    return enlarged[:, top - first * scale :][:, :rows]
