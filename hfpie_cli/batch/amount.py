"""How much there is to do, in megapixels: from the heads of some files and the sizes of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..jobs import Job
from ..photos.sizes import read_size

SAMPLED = 500  # files whose heads are read; the pixels of the others follow from their bytes


@dataclass(frozen=True)
class Amount:
    """Of one file. pixels: of the input, 0 where nothing tells before it is decoded. is_exact: read from its head."""

    pixels: float = 0.0
    is_exact: bool = False


def measure_amounts(jobs: Sequence[Job]) -> list[Amount]:
    """For each job, in order, at once even for many."""
    amounts = [Amount()] * len(jobs)
    ratios: dict[str, list[float]] = defaultdict(list)
    bytes_of = [_bytes_of(job.source) for job in jobs]
    for number in range(0, len(jobs), -(-len(jobs) // SAMPLED) or 1):
        source = jobs[number].source
        if source is not None and bytes_of[number] and (size := read_size(source)):
            amounts[number] = Amount(size.pixels, True)
            ratios[source.suffix.lower()].append(size.pixels / bytes_of[number])
    for number, job in enumerate(jobs):
        known = ratios.get(job.source.suffix.lower()) if job.source else None
        if not amounts[number].is_exact and known:
            amounts[number] = Amount(bytes_of[number] * sum(known) / len(known))
    return amounts


def _bytes_of(path: Path | None) -> int:
    """Of an ordinary file; 0 for others, which are not to be opened."""
    try:
        return path.stat().st_size if path and path.is_file() else 0
    except OSError:
        return 0
