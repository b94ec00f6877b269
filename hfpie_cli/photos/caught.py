"""Captures what C libraries write to descriptor 2 while they decode a file, to report it with the file's name."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
MAX_LINE = 200  # characters kept of a line
_ONE_AT_A_TIME = threading.RLock()  # the descriptor belongs to the whole process


@contextmanager
def caught() -> Iterator[list[str]]:
    """A list that holds the lines after the block; only one thread at a time enters such a block.

    In the program `hfpie`, what Python prints meanwhile is not caught: its standard error has its own descriptor.
    """
    lines: list[str] = []
    with _ONE_AT_A_TIME:
        try:
            before = os.dup(STDERR)
        except OSError:  # the process has no standard error
            yield lines
            return
        try:
            with tempfile.TemporaryFile() as file:
                os.dup2(file.fileno(), STDERR)
                try:
                    yield lines
                finally:
                    os.dup2(before, STDERR)
                    file.seek(0)
                    text = file.read().decode("utf-8", "replace")
                    lines += dict.fromkeys(line.strip()[:MAX_LINE] for line in text.splitlines() if line.strip())
        finally:
            os.close(before)


def summed_up(lines: list[str]) -> str:
    """The lines in one: the first and the number of others; empty if there are none."""
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"{lines[0]}{more}" if lines else ""
