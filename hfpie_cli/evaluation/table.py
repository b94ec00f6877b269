"""A table of scores: measured and quoted rows, for the terminal, programs and spreadsheets."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ..data.benchmarks import Benchmark
from ..files import atomic_path
from ..shown import counted, shown
from .quoted import Column, column_for, matching_metrics, quoted_rows
from .score_cache import Row
from .scoring import Scores

HEADINGS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "psnr_y": "PSNR Y",
    "ssim_y": "SSIM Y",
    "gmsd": "GMSD",
    "lpips": "LPIPS",
}
DIGITS = {"psnr": 2, "psnr_y": 2}  # of the others 4
LOWER_IS_BETTER = {"gmsd", "lpips"}
OTHER_PROTOCOL = "different protocol, not comparable"


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    method: str
    """Name of the method."""
    values: Row
    """Means over the pictures."""
    source: str = ""
    """Where it is quoted from; empty if measured."""
    identical: int = 0
    """Pictures that equal the clean ones; `values` leaves them out."""

    @property
    def label(self) -> str:
        """As tables call it."""
        return f"{self.method} ({self.identical} identical)" if self.identical else self.method


@dataclass(frozen=True)
class Board:
    """A benchmark's table."""

    benchmark: Benchmark
    """What was scored."""
    scores: tuple[Scores, ...]
    """Every method's scores by picture."""
    lines: tuple[Line, ...]
    """Its rows, measured and quoted."""
    apart: tuple[Line, ...] = ()
    """Quoted rows of another protocol, not comparable with ours."""
    column: Column | None = None
    """Column of the paper that is quoted, if any."""
    made_with: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Records of the networks by name: weights and device."""

    @property
    def title(self) -> str:
        return f"{self.benchmark.name}, {self.benchmark.task}"

    @property
    def protocol(self) -> str:
        """How it was measured, in words."""
        shaved = f", {counted(self.benchmark.border, 'pixel')} shaved" if self.benchmark.border else ""
        return f"{self.benchmark.protocol}{shaved}; {counted(len(self.benchmark.cases), 'picture')}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Its columns: the metrics of any row."""
        return tuple(metric for metric in HEADINGS if any(metric in line.values for line in self.lines))

    def best(self, metric: str) -> float:
        """The best measured mean."""
        values = [line.values.get(metric, math.nan) for line in self.lines if not line.source]
        best = min if metric in LOWER_IS_BETTER else max
        return best((value for value in values if not math.isnan(value)), default=math.nan)


def make_board(benchmark: Benchmark, scores: Sequence[Scores]) -> Board:
    """The table of a benchmark, with the paper's rows for these pictures, if any.

    They are shown apart if some pictures were left out, or if the row of degraded ones differs from the paper's.
    """
    measured = tuple(Line(one.method, one.means(), identical=one.identical) for one in scores)
    column = column_for(benchmark.name, benchmark.task, benchmark.degradation)
    if column is None:
        return Board(benchmark, tuple(scores), measured)
    source = f"paper, table {column.table}"
    ours = next(line.values for line in measured if line.method == column.ours)
    names = matching_metrics(column, ours) if benchmark.is_whole else None
    rows = quoted_rows(column, names or {metric: metric for metric in column.metrics})
    quoted = tuple(Line(name, row, source) for name, row in rows.items())
    if names is None:
        return Board(benchmark, tuple(scores), measured, quoted, column)
    return Board(benchmark, tuple(scores), measured + quoted, (), column)


def written(metric: str, value: float | None) -> str:
    """A value as a table prints it; empty if it is missing."""
    return "" if value is None or math.isnan(value) else f"{value:.{DIGITS.get(metric, 4)}f}"


def as_tables(board: Board) -> Iterator[Table]:
    """For the terminal: the table, the best of each column bold, and quoted rows of another protocol apart."""
    table = _empty_table(board.title, board.metrics, board.protocol)
    for number, line in enumerate(board.lines):
        ends = number + 1 < len(board.lines) and not line.source and bool(board.lines[number + 1].source)
        table.add_row(*_cells(board, line), end_section=ends)
    yield table
    if board.apart and board.column:
        metrics = tuple(board.apart[0].values)
        apart = _empty_table(f"Quoted: the paper's table {board.column.table}", metrics, OTHER_PROTOCOL)
        for line in board.apart:
            apart.add_row(_plain(line.method), *(written(metric, line.values[metric]) for metric in metrics))
        yield apart


def _empty_table(title: str, metrics: Sequence[str], caption: str) -> Table:
    table = Table(title=_plain(title), caption=_plain(caption))
    table.add_column("method")
    for metric in metrics:
        table.add_column(HEADINGS[metric], justify="right")
    return table


def _plain(name: str) -> Text:
    """A name as it is: its brackets are no markup, and invisible characters are escaped."""
    return Text(shown(name))


def _cells(board: Board, line: Line) -> list[Text]:
    name = f"{line.method} (quoted)" if line.source else line.label
    cells = [Text(shown(name), "dim" if line.source else "")]
    for metric in board.metrics:
        value = line.values.get(metric)
        leads = not line.source and value == board.best(metric)
        cells.append(Text(written(metric, value), "dim" if line.source else "bold" if leads else ""))
    return cells


def records(board: Board) -> Iterator[dict[str, Any]]:
    """For programs: one record a row; quoted ones state their source and whether they are comparable."""
    for line in (*board.lines, *board.apart):
        known = {metric: value if math.isfinite(value) else None for metric, value in line.values.items()}
        quoted = {"quoted": line.source, "comparable": line not in board.apart} if line.source else {}
        yield {
            "dataset": board.benchmark.name,
            "task": board.benchmark.task,
            "degradation": board.benchmark.degradation,
            "protocol": board.protocol,
            "method": line.method,
            **({} if line.source else board.made_with.get(line.method, {})),
            **quoted,
            **({} if line.source else {"identical": line.identical}),
            **known,
        }


def write_csv(boards: Sequence[Board], path: Path) -> None:
    """For spreadsheets: one line a picture and method, then the means and the quoted rows (picture `mean`)."""
    fields = ["dataset", "task", "degradation", "method", "source", "picture", *HEADINGS, "identical"]
    escaped = "surrogateescape"  # file names need not be UTF-8: their own bytes are written
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8", errors=escaped) as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        for board in boards:
            benchmark = board.benchmark
            scored = {"dataset": benchmark.name, "task": benchmark.task, "degradation": benchmark.degradation}
            for one in board.scores:
                for picture, row in one.rows.items():
                    writer.writerow({**scored, "method": one.method, "source": "hfpie eval", "picture": picture, **row})
            for line in (*board.lines, *board.apart):
                source = line.source or "hfpie eval"
                source = f"{source}: {OTHER_PROTOCOL}" if line in board.apart else source
                means = {"picture": "mean", **line.values} | ({} if line.source else {"identical": line.identical})
                writer.writerow({**scored, "method": line.method, "source": source, **means})
