"""Tiled processing with overlap blending: a plan of equal tiles, windows that add up to one, rows as they are finished.

    |-------- tile 0 --------|
                    |-------- tile 1 --------|
                    |.ooRRRRoo.|                 overlap: outer quarters thrown away, the middle half a ramp

Tiles start at multiples of the network's stride, so that a strided network sees every
pixel in the same phase as in the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .settings import check_tiles
from .streams import side_by_side

Read = Callable[[int, int, int, int], Tensor]  # (top, left, height, width) -> (3, height, width)
Process = Callable[[Tensor], Tensor]  # (n, 3, height, width) -> (n, 3, scale height, scale width)


@dataclass(frozen=True)
class Axis:
    """The tiles along one side of a picture; the last may reach over its end."""

    length: int
    """The side, pixels."""
    tile: int
    """Tile side, pixels."""
    starts: tuple[int, ...]
    """First pixel of each tile."""

    def windows(self, scale: int) -> Tensor:
        """Each tile's weights along this axis, (tiles, scale tile); over every pixel they add up to one."""
        size = self.tile * scale
        at = torch.arange(size, dtype=torch.float64) + 0.5
        windows = torch.ones(len(self.starts), size, dtype=torch.float64)
        for i in range(1, len(self.starts)):
            step = (self.starts[i] - self.starts[i - 1]) * scale
            overlap = size - step
            rise = ((at - overlap / 4) / (overlap / 2)).clamp(0, 1)  # 0 in the outer quarter, 1 in the inner
            windows[i] *= rise
            windows[i - 1, step:] *= 1 - rise[:overlap]
        total = torch.zeros((self.starts[-1] + self.tile) * scale, dtype=torch.float64)
        for start, window in zip(self.starts, windows, strict=True):
            total[start * scale : start * scale + size] += window
        for i, start in enumerate(self.starts):
            windows[i] /= total[start * scale : start * scale + size]
        return windows.float()


def plan_axis(length: int, *, tile: int, overlap: int, stride: int) -> Axis:
    """Cover `length` pixels with as few tiles of at most `tile` pixels as overlap by at least `overlap`.

    Tiles and starts are multiples of `stride`; the tiles are as small as their number allows. A side that fits in one
    tile gets one. Raises UsageError as `check_tiles` does.
    """
    check_tiles(tile, overlap, stride)
    cells, overlap_cells, most = -(-length // stride), -(-overlap // stride), tile // stride
    if cells <= most:
        return Axis(length, cells * stride, (0,))
    count = -(-(cells - overlap_cells) // (most - overlap_cells))
    size = -(-(cells + (count - 1) * overlap_cells) // count)
    starts = tuple(i * (cells - size) // (count - 1) * stride for i in range(count))
    return Axis(length, size * stride, starts)


@dataclass(frozen=True)
class Plan:
    """The grid of tiles over a picture."""

    rows: Axis
    """Tiles from top to bottom."""
    columns: Axis
    """Tiles from left to right."""

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.columns.starts)


def plan_tiles(height: int, width: int, *, tile: int, overlap: int, stride: int) -> Plan:
    """The plan for a picture; see `plan_axis`."""
    rows = plan_axis(height, tile=tile, overlap=overlap, stride=stride)
    return Plan(rows, plan_axis(width, tile=tile, overlap=overlap, stride=stride))


def process_tiles(
    plan: Plan,
    read: Read,
    process: Process,
    *,
    scale: int,
    batch: int,
    progress: Callable[[int], None],
    streams: int = 1,
) -> Iterator[tuple[int, Tensor]]:
    """Process every tile and blend: yields (top, rows (3, h, scale width) float32) as rows of the result are finished.

    Only a strip one tile high is in memory: its rows are valid until the next are requested. `progress` gets the number
    of tiles done after each batch. streams: batches that are processed at the same time, each in its own thread.
    """
    rows, columns = plan.rows, plan.columns
    row_windows, column_windows = rows.windows(scale), columns.windows(scale)
    strip = torch.zeros(3, rows.tile * scale, columns.length * scale)
    groups = [columns.starts[first : first + batch] for first in range(0, len(columns.starts), batch)]
    batches = (
        torch.stack([_read_padded(plan, read, top, left) for left in lefts]) for top in rows.starts for lefts in groups
    )
    results = side_by_side(process, batches, streams)
    for i, top in enumerate(rows.starts):
        for first, lefts in zip(range(0, len(columns.starts), batch), groups, strict=True):
            for j, (left, tile) in enumerate(zip(lefts, next(results), strict=True), start=first):
                window = row_windows[i, :, None] * column_windows[j]
                end = min(left + columns.tile, columns.length) * scale
                strip[..., left * scale : end].addcmul_(
                    tile[..., : end - left * scale], window[:, : end - left * scale]
                )
            progress(len(lefts))
        finished = (rows.starts[i + 1] if i + 1 < len(rows.starts) else rows.length) - top
        yield top * scale, strip[:, : finished * scale]
        shared = strip[:, finished * scale :].clone()
        strip[:, : shared.shape[1]] = shared
        strip[:, shared.shape[1] :] = 0


def _read_padded(plan: Plan, read: Read, top: int, left: int) -> Tensor:
    """A whole tile; beyond the picture its last row and column are repeated."""
    height, width = min(plan.rows.tile, plan.rows.length - top), min(plan.columns.tile, plan.columns.length - left)
    tile = read(top, left, height, width)
    beyond = (0, plan.columns.tile - width, 0, plan.rows.tile - height)
    return torch.nn.functional.pad(tile[None], beyond, mode="replicate")[0] if any(beyond) else tile
