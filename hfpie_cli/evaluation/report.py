"""The report page of an evaluation: one HTML file that works offline, with tables, pictures and protocols."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.benchmarks import Benchmark, Case
from ..pages.page import write_page
from ..pages.scene import LEAST_ROOM, PAGE_BYTES, Room, Scene, Version
from ..photos.photo import Photo
from ..photos.reader import read_photo
from ..tasks import TASKS
from .methods import TestedNetwork
from .quoted import TOLERANCE
from .score_cache import Row
from .scoring import Method, Scores, picture_path, unwatched
from .table import DIGITS, HEADINGS, LOWER_IS_BETTER, OTHER_PROTOCOL, Board, written

FEWEST, MOST = 3, 24  # pictures of a benchmark to look at
CLEAN = "clean"

Watch = Callable[[Sequence[Case]], Iterable[Case]]  # passes pictures on as they are taken


@dataclass(frozen=True)
class Subject:
    """Subject of a table in a report."""

    benchmark: Benchmark
    """What was scored."""
    networks: tuple[TestedNetwork, ...]
    """Networks among the rows, the one under test first."""
    methods: tuple[Method, ...]
    """All rows that were measured."""
    pictures: Path | None = None
    """Folder that already holds the restored pictures, if any."""


def write_report(boards: Sequence[Board], subjects: Sequence[Subject], path: Path, watch: Watch = iter) -> None:
    """Restore the pictures on the page again, unless they were saved, and write the page atomically."""
    scored = list(zip(boards, subjects, strict=True))
    write_page(
        "report.html",
        path,
        sections=[_section(board, subject, PAGE_BYTES // len(scored), watch) for board, subject in scored],
        subjects=list(dict.fromkeys(network.name for subject in subjects for network in subject.networks)),
        headings=HEADINGS,
        digits=DIGITS,
        falling=LOWER_IS_BETTER,
        other_protocol=OTHER_PROTOCOL,
        tolerance=TOLERANCE,
    )


def _section(board: Board, subject: Subject, room: int, watch: Watch) -> dict[str, Any]:
    """What the template needs for one table. room: characters that its pictures may take."""
    metric = "psnr_y" if TASKS[subject.benchmark.task].enlarges else "psnr"
    names = [method.name for method in subject.methods]
    return {
        "board": board,
        "rows": list(_rows(board)),
        "networks": subject.networks,
        "under_test": {network.name for network in subject.networks},
        "names": [*names, CLEAN],
        "first": names.index(subject.networks[0].name),
        "scenes": list(_scenes(board, subject, metric, room, watch)),
        "metric": metric,
        "pictures": _pictures(board.scores),
    }


def _rows(board: Board) -> Iterator[dict[str, Any]]:
    for line in board.lines:
        cells = []
        for metric in board.metrics:
            value = line.values.get(metric)
            cells.append((written(metric, value), not line.source and value == board.best(metric)))
        yield {"method": line.label, "source": line.source, "cells": cells}


def _scenes(board: Board, subject: Subject, metric: str, room: int, watch: Watch) -> Iterator[Scene]:
    """The pictures on the page, from the first network's best to its worst, in every row's version."""
    rows = {one.method: one.rows for one in board.scores}
    of_first = rows[subject.networks[0].name]
    ranked = sorted(board.benchmark.cases, key=lambda case: -of_first[case.name][metric])
    chosen = _spread(len(ranked), room // (LEAST_ROOM * (len(subject.methods) + 1)))
    marks = {len(ranked) // 2: "median", len(ranked) - 1: "worst", 0: "best"}
    free = Room(room, len(chosen))
    for rank, case in zip(chosen, watch([ranked[rank] for rank in chosen]), strict=True):
        pair = case.open()
        versions = [
            Version(
                method.name,
                _restored(subject, method, case, pair.degraded),
                _score(rows[method.name][case.name], metric),
            )
            for method in subject.methods
        ]
        scene = free.take(case.name, [*versions, Version(CLEAN, Photo(pair.clean))], marks.get(rank, ""))
        if scene:
            yield scene


def _spread(count: int, most: int) -> list[int]:
    """The ranks of pictures to look at: all, or some from the first to the last with the middle one."""
    most = max(FEWEST, min(most, MOST))
    if count <= most:
        return list(range(count))
    return sorted({count // 2, *(round(step * (count - 1) / (most - 2)) for step in range(most - 1))})


def _restored(subject: Subject, method: Method, case: Case, degraded: Photo) -> Photo:
    """A picture restored by a method, or read from where it was saved."""
    kept = picture_path(subject.pictures, method, case.name) if subject.pictures else None
    return read_photo(kept) if kept and kept.exists() else method.restore(degraded, unwatched)


def _score(row: Row, metric: str) -> str:
    """A picture's score for its label."""
    shown = (metric, metric.replace("psnr", "ssim"))
    return ", ".join(f"{HEADINGS[name]} {written(name, row[name])}" for name in shown)


def _pictures(scores: Sequence[Scores]) -> dict[str, Any]:
    """Every picture's scores, for the table that the page sorts: values[method][metric][picture]."""
    metrics = tuple(scores[0].means())
    values = [[[_as_json(row[metric]) for row in one.rows.values()] for metric in metrics] for one in scores]
    return {
        "names": list(scores[0].rows),
        "methods": [one.method for one in scores],
        "metrics": [
            {"name": HEADINGS[metric], "digits": DIGITS.get(metric, 4), "falling": metric in LOWER_IS_BETTER}
            for metric in metrics
        ],
        "values": values,
    }


def _as_json(value: float) -> float | str | None:
    """Convert infinity (of equal pictures) and NaN (of too small ones), which JSON lacks."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity"
