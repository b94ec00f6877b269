"""Scores kept between runs: a JSON line for each picture and method, appended as soon as it is known.

A line's key covers the files, the degradation, the weights and the version of hfpie, so that stale ones are never used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..files import sha256_of

Row = dict[str, float]  # a metric's name, its value


@dataclass(frozen=True)
class ScoreLog:
    """A file of scores, to resume an evaluation from."""

    path: Path
    """The file."""
    known: dict[str, Row] = field(default_factory=dict)
    """Rows that it held when it was opened, by key."""

    def add(self, key: str, row: Row) -> None:
        """Append one line in a single write, which several processes may do at once."""
        line = json.dumps({"key": key, "scores": row, "check": _check(key, row)}) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def open_log(path: Path, *, resume: bool) -> ScoreLog:
    """Open the log of a file that may not exist yet; its rows are used only if a run is resumed.

    Raises OSError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        data = file.read()
        if data and not data.endswith(b"\n"):  # a run was killed while writing a line
            file.write(b"\n")
    return ScoreLog(path, _parse(data) if resume else {})


def _parse(data: bytes) -> dict[str, Row]:
    rows = {}
    for line in data.splitlines():
        try:
            record = json.loads(line)
            row = {str(name): float(value) for name, value in record["scores"].items()}
            if record["check"] == _check(record["key"], row):
                rows[str(record["key"])] = row
        except (ValueError, TypeError, KeyError, AttributeError):  # a truncated or changed line
            continue
    return rows


def _check(key: str, row: Row) -> str:
    """A digest of a line, which must match for the line to count."""
    return hashlib.sha256(json.dumps([key, row], sort_keys=True).encode()).hexdigest()[:16]


def key_of(parts: Sequence[Any], sources: Sequence[Path]) -> str:
    """A key of everything that scores depend on, including the content of a picture's files."""
    files = [(source.name, _digest(source)) for source in sources]
    return hashlib.sha256(json.dumps([list(parts), files]).encode()).hexdigest()[:32]


def _digest(source: Path) -> str:
    """The SHA-256 of a file, which may be large: computed again only if its size or time has changed."""
    stamp = source.stat()
    return _digest_at(source, stamp.st_size, stamp.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest_at(source: Path, size: int, changed: int) -> str:
    return sha256_of(source)
