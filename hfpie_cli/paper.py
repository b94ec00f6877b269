"""What the paper printed (paper_tables.toml), and whether it may stand beside what was measured here.

A table's row of the degraded pictures depends on the protocol alone: where it differs from ours, so does the protocol.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "paper_tables.toml"
TOLERANCE = 0.3  # dB that the rows of the degraded pictures may differ by
CHANNELS = {"psnr": "", "psnr_y": "_y"}  # what the paper's PSNR may have been measured on: RGB, or Matlab's Y


@dataclass(frozen=True)
class Column:
    """One column of one table, as `paper_tables.toml` explains. rows: a value for each of the metrics."""

    table: int
    title: str
    dataset: str
    task: str
    input: str
    ours: str
    metrics: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    degradation: str | None = None
    also: tuple[str, ...] = ()


@cache
def columns() -> tuple[Column, ...]:
    """Every column of the six tables."""
    entries = tomllib.loads(TABLE.read_text(encoding="utf-8"))["column"]
    for entry in entries:
        entry["metrics"], entry["also"] = tuple(entry["metrics"]), tuple(entry.get("also", ()))
        entry["rows"] = {name: tuple(values) for name, values in entry["rows"].items()}
    return tuple(Column(**entry) for entry in entries)


def column_for(dataset: str, task: str, degradation: str) -> Column | None:
    """The column that was measured on these pictures, if there is one."""
    for column in columns():
        if (column.dataset, column.task) == (dataset, task) and degradation in (column.degradation, *column.also):
            return column
    return None


def matching_channel(column: Column, means: Mapping[str, float]) -> str | None:
    """The metric of ours, psnr or psnr_y, that the paper's input row agrees with; None for another protocol.

    means: of our row of the degraded pictures, by metric.
    """
    printed = column.rows[column.input][0]
    nearest = min(CHANNELS, key=lambda metric: abs(means[metric] - printed))
    return nearest if abs(means[nearest] - printed) <= TOLERANCE else None


def as_ours(column: Column, channel: str) -> dict[str, dict[str, float]]:
    """The quoted rows under our metrics' names, given the channel that they were measured on."""
    ending = CHANNELS[channel]
    names = [metric if metric == "lpips" else metric + ending for metric in column.metrics]
    return {row: dict(zip(names, values, strict=True)) for row, values in column.rows.items()}
