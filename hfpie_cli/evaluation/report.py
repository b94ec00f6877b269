"""The page of an evaluation: one HTML file that needs no network, with tables, pictures and how they came about."""

from __future__ import annotations

import math
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__
from ..data.benchmarks import Benchmark
from ..files import atomic_path
from .methods import Network
from .paper import TOLERANCE
from .report_pictures import MAP_GAIN, Crop, make_crop
from .score import Scores
from .scoreboard import DIGITS, HEADINGS, LOWER_IS_BETTER, OTHER_PROTOCOL, Board, written


@dataclass(frozen=True)
class Subject:
    """What a table is about: its networks, the one under test first."""

    benchmark: Benchmark
    networks: tuple[Network, ...]


@dataclass(frozen=True)
class Example:
    """A picture that stands for many. rank: best, median or worst. scores: of the method under test, as printed."""

    rank: str
    picture: str
    scores: dict[str, str]
    crop: Crop


def write_report(boards: Sequence[Board], subjects: Sequence[Subject], path: Path) -> None:
    """Restore the example pictures once more and write the page, whole or not at all."""
    template = Environment(
        loader=PackageLoader(__package__, "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("report.html")
    page = template.render(
        title=", ".join(dict.fromkeys(board.title for board in boards)),
        subjects=", ".join(dict.fromkeys(subject.networks[0].name for subject in subjects)),
        sections=[_section(board, subject) for board, subject in zip(boards, subjects, strict=True)],
        command=shlex.join(["hfpie", *sys.argv[1:]]),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions=_versions(),
        headings=HEADINGS,
        digits=DIGITS,
        falling=LOWER_IS_BETTER,
        other_protocol=OTHER_PROTOCOL,
        tolerance=TOLERANCE,
        map_gain=MAP_GAIN,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _section(board: Board, subject: Subject) -> dict[str, Any]:
    """What the template needs to know of one table."""
    metric = "psnr_y" if subject.benchmark.task == "sr" else "psnr"
    return {
        "board": board,
        "rows": list(_rows(board)),
        "networks": subject.networks,
        "under_test": subject.networks[0].name,
        "before": "bicubic" if subject.benchmark.task == "sr" else "input",
        "examples": list(_examples(board, subject, metric)),
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


def _examples(board: Board, subject: Subject, metric: str) -> Iterator[Example]:
    """The best, the median and the worst picture of the network under test; fewer where there are fewer."""
    method = subject.networks[0].method
    rows = next(one.rows for one in board.scores if one.method == method.name)
    ranked = sorted(board.benchmark.cases, key=lambda case: -rows[case.name][metric])
    ranks = {len(ranked) // 2: "median", len(ranked) - 1: "worst", 0: "best"}
    for place in sorted(ranks):
        case = ranked[place]
        scores = {HEADINGS[name]: written(name, value) for name, value in rows[case.name].items()}
        yield Example(ranks[place], case.name, scores, make_crop(case.open(), method))


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
    """JSON has no infinity, which equal pictures score, and no NaN, which too small ones do."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity"


def _versions() -> dict[str, str]:
    packages = {"torch": torch, "numpy": np, "OpenCV": cv2, "Pillow": PIL}
    versions = {name: str(package.__version__) for name, package in packages.items()}
    return {"hfpie": __version__, "Python": platform.python_version(), **versions, "machine": platform.platform()}
