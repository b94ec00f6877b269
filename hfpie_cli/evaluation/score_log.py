"""Scores that outlive a run: one JSON line for each picture and method, appended as soon as it is known.

A line is found again by a key made of everything that its scores depend on, so that stale ones are never mixed in.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, float]  # a metric's name, its value


@dataclass(frozen=True)
class ScoreLog:
    """A file of scores. known: the rows that it held when it was opened, by key."""

    path: Path
    known: dict[str, Row] = field(default_factory=dict)

    def add(self, key: str, row: Row) -> None:
        """Append one line in a single write, which several processes may do at once."""
        line = json.dumps({"key": key, "scores": row}) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def open_log(path: Path, *, resume: bool) -> ScoreLog:
    """The log of a file that may not exist yet; nothing is known from it unless a run is resumed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return ScoreLog(path)
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):  # a run was killed in the middle of a line
        with path.open("ab") as file:
            file.write(b"\n")
    return ScoreLog(path, _parse(data) if resume else {})


def _parse(data: bytes) -> dict[str, Row]:
    rows = {}
    for line in data.splitlines():
        try:
            record = json.loads(line)
            rows[str(record["key"])] = {str(name): float(value) for name, value in record["scores"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):  # the torn line
            continue
    return rows


def key_of(parts: Sequence[Any], sources: Sequence[Path]) -> str:
    """A key of all that scores depend on, and of the size and the time of the files that a picture is made from."""
    stamps = [(source.name, source.stat().st_size, source.stat().st_mtime_ns) for source in sources]
    return hashlib.sha256(json.dumps([list(parts), stamps]).encode()).hexdigest()[:32]
