"""How much there is to do, in megapixels: from the headers of some files and the sizes of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..jobs import Job
from ..pace import covered_pixels
from ..photos.sizes import Size, read_size
from ..restore import Restorer

SAMPLED = 500  # files whose headers are read before a run; others are estimated from their size


@dataclass(frozen=True)
class Amount:
    """How much there is to restore in one file."""

    pixels: float = 0.0
    """Pixels of the input; 0 if unknown before decoding."""
    size: Size | None = None
    """Size from the file's header, if it was read."""

    @property
    def held_bytes(self) -> float:
        """Bytes of pixels in memory at the same time; one 8-bit picture if the size is unknown."""
        return self.size.held_bytes if self.size else 3 * self.pixels


def measure_amounts(jobs: Sequence[Job], *, heads: int = SAMPLED) -> list[Amount]:
    """One for each job, in order; fast even for many. heads: the most files whose headers are read."""
    amounts = [Amount()] * len(jobs)
    ratios: dict[str, list[float]] = defaultdict(list)
    bytes_of = [_bytes_of(job.source) for job in jobs]
    for number in range(0, len(jobs), -(-len(jobs) // heads) or 1):
        source = jobs[number].source
        if source is not None and bytes_of[number] and (size := read_size(source)):
            amounts[number] = Amount(size.pixels, size)
            ratios[source.suffix.lower()].append(size.pixels / bytes_of[number])
    for number, job in enumerate(jobs):
        known = ratios.get(job.source.suffix.lower()) if job.source else None
        if amounts[number].size is None and known:
            amounts[number] = Amount(bytes_of[number] * sum(known) / len(known))
    return amounts


def covered_by(restorer: Restorer, amounts: Sequence[Amount]) -> float:
    """The pixels of all tiles over the files. Files of unknown size count in proportion to the others."""
    covered = known = 0.0
    for size in filter(None, (amount.size for amount in amounts)):
        tiles = covered_pixels(restorer, size.height, size.width)
        covered += tiles * size.pixels / (size.height * size.width)
        known += size.pixels
    return covered / known * sum(amount.pixels for amount in amounts) if known else 0.0


def _bytes_of(path: Path | None) -> int:
    """Size of an ordinary file; 0 for special files, which must not be opened."""
    try:
        return path.stat().st_size if path and path.is_file() else 0
    except OSError:
        return 0
