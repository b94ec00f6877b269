"""The paper's numbers (paper_tables.toml), and whether they may be compared with ours.

A table's row of the degraded pictures depends only on the protocol: if it differs from ours, so does the protocol.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

QUOTED = Path(__file__).parent / "paper_tables.toml"
TOLERANCE = 0.3  # dB by which the rows of the degraded pictures may differ
CHANNELS = {"psnr": ("psnr", "psnr_y"), "ssim": ("ssim", "ssim_y"), "lpips": ("lpips",)}  # our metrics by the paper's


@dataclass(frozen=True)
class Column:
    """One column of one table of the paper, quoted."""

    table: int
    """Number of the table."""
    title: str
    """Title of the column."""
    dataset: str
    """Data set that `hfpie eval --table` scores."""
    task: str
    """A key of TASKS."""
    input: str
    """Row of the degraded pictures, which shows whether our protocol is the paper's."""
    ours: str
    """Row of our table that `input` is compared with."""
    metrics: tuple[str, ...]
    """Names of the metrics."""
    rows: Mapping[str, tuple[float, ...]]
    """One value for each metric, by method."""
    degradation: str | None = None
    """Degradation that is scored; None for the task's published pairs."""
    also: tuple[str, ...] = ()
    """Other degradations of the set that the column may be compared with."""


@cache
def columns() -> tuple[Column, ...]:
    """Every column of the six tables."""
    entries = tomllib.loads(QUOTED.read_text(encoding="utf-8"))["column"]
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


def matching_metrics(column: Column, means: Mapping[str, float]) -> dict[str, str] | None:
    """For each of the paper's metrics ours, RGB or Y, with the nearest value in the input row.

    means: our row of the degraded pictures. None if the PSNR is further away than TOLERANCE in both.
    """
    printed = dict(zip(column.metrics, column.rows[column.input], strict=True))
    nearest = {
        metric: min(CHANNELS[metric], key=lambda ours: abs(means.get(ours, 0) - value))
        for metric, value in printed.items()
    }
    return nearest if abs(means[nearest["psnr"]] - printed["psnr"]) <= TOLERANCE else None


def quoted_rows(column: Column, names: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The quoted rows, their metrics under other names."""
    return {
        row: {names[metric]: value for metric, value in zip(column.metrics, values, strict=True)}
        for row, values in column.rows.items()
    }
