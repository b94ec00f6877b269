"""Announces a command's work: weights, device, and the time and memory of a large job."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import Console, in_words
from ..errors import UsageError
from ..hub.client import SCHEME
from ..settings import Setting, check_tiles, choose_setting
from ..shown import counted
from ..weights.kinds import FORMAT
from ..weights.registry import find_entry

if TYPE_CHECKING:
    from ..batch.amount import Amount
    from ..restore import Restorer

WORTH_MEASURING = 4e6  # pixels of all photographs; fewer are not announced
SECONDS_TOLD, SECONDS_ASKED = 30, 600  # thresholds: a job is announced, and needs --yes on a terminal
ASSUMED_TILE, ASSUMED_OVERLAP = 256, 32  # pixels, for files outside the registry
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Request:
    """Options of a network's run, as on the command line; None leaves the default."""

    device: str
    """auto, cpu, cuda, cuda:N or mps."""
    precision: str
    """auto, fp32, bf16 or fp16."""
    tile: int | None = None
    """Tile side, pixels."""
    overlap: int | None = None
    """Tile overlap, pixels."""
    threads: int | None = None
    """CPU threads."""


def check_network(name: str, request: Request) -> tuple[str, Setting]:
    """(name of the weights, their setting), without loading torch.

    Raises UsageError for an impossible device, precision or tile size.
    """
    entry = find_entry(name)
    tile, overlap = (entry.tile, entry.overlap) if entry else (ASSUMED_TILE, ASSUMED_OVERLAP)
    asked = request.overlap if request.overlap is not None else overlap
    check_tiles(request.tile or tile, asked, entry.stride if entry else 1)
    ours = not entry.source if entry else _is_ours(Path(name))
    setting = choose_setting(request.device, request.precision, residual=ours, threads=request.threads)
    return entry.name if entry else name if name.startswith(SCHEME) else Path(name).stem, setting


def _is_ours(path: Path) -> bool:
    """Whether the header of a safetensors file says that it is in our layout. Errors are reported when it is loaded."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 10**8)))
        return bool(head.get("__metadata__", {}).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
        return False


def announce_large(amounts: Sequence[Amount], restorer: Restorer, *, yes: bool, console: Console) -> None:
    """Announce time and memory of a large job. On a terminal, raise UsageError for a very large one unless `yes`."""
    import numpy as np

    from ..batch.amount import covered_by
    from ..pace import measure_pace

    pixels = sum(amount.pixels for amount in amounts)
    if pixels < WORTH_MEASURING:
        return
    seconds = measure_pace(restorer, np.random.default_rng(0)) * covered_by(restorer, amounts)
    sizes = filter(None, (amount.size for amount in amounts))
    memory = max(size.held_bytes for size in sizes) * (1 + restorer.scale**2)
    enlarged = f" -> {pixels * restorer.out_scale**2 / 1e6:,.0f} MP" if restorer.out_scale > 1 else ""
    count = f"{counted(len(amounts), 'photograph')}, " if len(amounts) > 1 else ""
    text = f"{count}{pixels / 1e6:,.0f} MP{enlarged}, about {in_words(seconds)}, {memory / 1e6:,.0f} MB of memory"
    free = _free_memory()
    is_huge = seconds >= SECONDS_ASKED or (free is not None and memory > free)
    if is_huge and not yes and sys.stderr.isatty():
        raise UsageError(text, "use --yes to continue")
    if is_huge or seconds >= SECONDS_TOLD:
        console.say(text)


def _free_memory() -> int | None:
    """Available memory in bytes; None if the system does not report it."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
