"""Starts and ends a command's process quickly: torch creates a million objects that live until its end."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import HfpieError


def open_streams() -> None:
    """Connect standard streams that the caller has closed (`hfpie ... >&-`) to the null device.

    Otherwise Python has None for them, and the next files to be opened, outputs among them, get their descriptors.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  # as long as the process lives


def drop_output() -> None:
    """Connect standard output to the null device: what it could not take is not written again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def full_output(error: OSError) -> HfpieError | None:
    """`lost_output` if `error` came from printing, for then standard output cannot be flushed either; else None."""
    try:
        sys.stdout.flush()
    except OSError:
        return lost_output(error)
    return None


def lost_output(error: OSError) -> HfpieError:
    """Drop standard output, which failed with `error`; what to tell of it."""
    drop_output()
    return HfpieError(f"standard output: cannot write it ({error.strerror})")


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
    except (OSError, ValueError):
        return
    os._exit(code)
