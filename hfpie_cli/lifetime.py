"""Starts and ends a command's process quickly: torch creates a million objects that live until its end."""

from __future__ import annotations

import atexit
import gc
import io
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .errors import HfpieError


def open_streams() -> None:
    """Connect standard streams that the caller has closed (`hfpie ... >&-`) to the null device.

    Otherwise Python has None for them, and the next files to be opened, outputs among them, get their descriptors.
    Standard output escapes what it cannot write otherwise, such as file names that are not UTF-8.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode)  # noqa: SIM115  # as long as the process lives
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # keeps the descriptor when the stream is replaced
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


class Output(io.FileIO):
    """Standard output that tells in one line when it is full, and takes nothing more from then on."""

    def write(self, data: Any) -> int:
        """As FileIO. Raises HfpieError where that raises OSError, but for a reader that has gone."""
        try:
            while (written := super().write(data)) is None:  # a pipe that does not block, and is full
                select.select([], [self], [])
            return written
        except BrokenPipeError:
            raise
        except OSError as error:
            drop_output()
            raise HfpieError(f"standard output: cannot write it ({error.strerror})") from None


def watch_output() -> None:
    """Put an Output under standard output, unless that is a terminal, which cannot be full."""
    old = sys.stdout
    if old.isatty():
        return
    old.flush()
    below = io.BufferedWriter(Output(old.fileno(), "w", closefd=False))
    at_once = bool(old.line_buffering or getattr(old, "write_through", False))
    sys.stdout = io.TextIOWrapper(below, old.encoding, old.errors, line_buffering=at_once)


def drop_output(stream: TextIO | None = None) -> None:
    """Connect standard output, or another stream, to the null device.

    What it could not take is not written again when the process ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


@contextmanager
def uncollected() -> Iterator[None]:
    """Within the block, import torch without garbage collection of its objects, then or later."""
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave(code: int) -> None:
    """End the process as the interpreter does, without tearing down its modules, which takes a tenth of a second.

    Returns if that is not safe and the interpreter has to do it: other threads are running, or standard output is
    closed.
    """
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, HfpieError):
        return
    os._exit(code)
