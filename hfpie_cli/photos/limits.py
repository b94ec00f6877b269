"""Limits of a picture's size: pixels, bytes of the file, memory of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..errors import HfpieError

MAX_PIXELS = 400_000_000  # larger than any camera's
FREE_PIXELS = 16_000_000  # allowed whatever the file's size: an empty scanned page
PIXELS_PER_BYTE = 1_000  # beyond that; a photograph has 10 at most, a drawing of one colour 500
BYTES_PER_PIXEL = 12  # of memory per pixel while an 8-bit picture is read and restored
MEMORY_SHARE = 0.9  # share of the machine's memory that one picture may take
LIMIT_VARIABLE = "HFPIE_MAX_PIXELS"  # set by --max-pixels, for all processes of a run


def check_size(name: str, width: int, height: int, size: int, *, bytes_each: float = BYTES_PER_PIXEL) -> None:
    """Raises HfpieError for more pixels than a file of `size` bytes, or this machine, can be expected to hold.

    bytes_each: memory that a pixel takes. --max-pixels overrides the check.
    """
    pixels = width * height
    if pixels <= 0:
        raise HfpieError(f"{name}: has no pixels ({width} x {height})")
    most = pixel_limit()
    hint = f"if that is right, use --max-pixels {pixels}" if pixels < 10 * MAX_PIXELS else ""
    if pixels > (most or MAX_PIXELS):
        allowed, megapixels = (most or MAX_PIXELS) / 1e6, f"{pixels / 1e6:.{0 if pixels >= 1e8 else 1}f}"
        raise HfpieError(f"{name}: {megapixels} megapixels, more than the {allowed:g} that hfpie opens", hint)
    if most:
        return
    if pixels > max(FREE_PIXELS, size * PIXELS_PER_BYTE):
        message = f"{name}: claims {pixels / 1e6:.0f} megapixels in {size:,} bytes, too few for a picture of that size"
        raise HfpieError(message, hint)
    check_memory(name, pixels * bytes_each)


def check_memory(name: str, wanted: float) -> None:
    """Raises HfpieError if a picture would need more than its share of this machine's memory."""
    room = machine_memory() * MEMORY_SHARE
    if wanted > room and not pixel_limit():
        message = f"{name}: would take {wanted / 2**30:.1f} GiB of memory, and only {room / 2**30:.1f} may be used"
        raise HfpieError(message, "cut it into parts, or use a machine with more memory")


def check_bytes(name: str, size: int) -> None:
    """Raises HfpieError for a file that would not fit in the memory."""
    room = machine_memory() * MEMORY_SHARE
    if size > room:
        raise HfpieError(f"{name}: its {size / 2**30:.1f} GiB do not fit in this machine's memory")


def pixel_limit() -> int:
    """The limit that --max-pixels has set; 0 without it."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    return int(text) if text.isdecimal() else 0


@contextmanager
def raised_limit(pixels: int | None) -> Iterator[None]:
    """Allow pictures of that many pixels within the block and in processes that it starts; None changes nothing."""
    before = os.environ.get(LIMIT_VARIABLE)
    if pixels is not None:
        os.environ[LIMIT_VARIABLE] = str(pixels)
    try:
        yield
    finally:
        if pixels is not None:
            os.environ.pop(LIMIT_VARIABLE)
            if before is not None:
                os.environ[LIMIT_VARIABLE] = before


@cache
def machine_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or its container's share."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else [2**63 - 1]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no such file, or `max`
            sizes.append(int(Path(limit).read_text(encoding="ascii")))
    return min(sizes)
