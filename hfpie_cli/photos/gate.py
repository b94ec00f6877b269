"""Checks before decoding: the kind of a file, its size, its pictures, and whether its bytes can hold them.

Restoring, training and evaluation all pass through it. It reads only headers, in time proportional to the file, so that
a few bytes cannot cost minutes or gigabytes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import HfpieError
from ..files import check_ordinary, kind_of
from . import headers, raw, tiff_layout
from .headers import Facts
from .limits import BYTES_PER_PIXEL, MEMORY_SHARE, check_bytes, check_size, machine_memory

USUAL_PASSES = 20  # passes over the pixels of a progressive JPEG; 10 are usual
MAX_VISITS = 1_000_000_000  # pixels times passes, with more passes than that: some seconds
NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: Path) -> bytes:
    """All bytes of an ordinary file.

    Raises HfpieError for any other, without opening pipes and devices, and for a file that does not fit in memory.
    """
    try:
        check_ordinary(path)  # before it is opened: opening a device may have effects
        with os.fdopen(os.open(path, os.O_RDONLY | NO_WAITING), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise HfpieError(f"{path}: is {kind_of(status.st_mode)}, not a file")
            check_bytes(str(path), status.st_size)
            data = file.read()
    except FileNotFoundError:
        raise HfpieError(f"{path}: no such file") from None
    except OSError as error:
        raise HfpieError(f"{path}: cannot be read ({error.strerror})") from None
    return data


def read_stream(stream: BinaryIO, name: str) -> bytes:
    """All bytes of a stream; raises HfpieError if they do not fit in memory."""
    most = int(machine_memory() * MEMORY_SHARE)
    data = stream.read(most + 1)
    check_bytes(name, len(data))
    return data


def inspect(data: bytes, name: str) -> Facts | None:
    """The facts in a file's headers; None for a kind that only its decoder knows, whose size is checked later.

    Raises HfpieError for a picture too large for its bytes or this machine, ValueError for broken headers.
    """
    if raw.is_raw(data):
        return None
    if data[:4] in tiff_layout.SIGNATURES:
        layout = tiff_layout.Layout(data)
        page = layout.page(layout.full[0])
        check_size(name, page.width, page.height, len(data), bytes_each=page.bytes_each)
        return Facts("TIFF", page.width, page.height, len(layout.full))
    facts = headers.read_header(data)
    if facts is not None:
        check_size(name, facts.width, facts.height, len(data), bytes_each=BYTES_PER_PIXEL)
        if facts.passes > USUAL_PASSES and facts.width * facts.height * facts.passes > MAX_VISITS:
            message = (
                f"{name}: its {facts.passes:,} scans of {facts.width} x {facts.height} pixels take too long to decode"
            )
            raise HfpieError(message, "open and save it with another program")
        if facts.fault:
            raise ValueError(facts.fault)
    return facts


def check_parts(data: bytes, name: str) -> None:
    """Raises HfpieError for a TIFF with missing strips or tiles on any page that is not a smaller copy."""
    if data[:4] not in tiff_layout.SIGNATURES:
        return
    layout = tiff_layout.Layout(data)
    for page in map(layout.page, layout.full):
        check_size(name, page.width, page.height, len(data), bytes_each=page.bytes_each)
        if missing := page.missing(data):
            raise HfpieError(f"{name}: {missing}, so part of its picture is missing", "export or copy it again")
        check_size(name, *page.segment_size, len(data), bytes_each=page.bytes_each)
