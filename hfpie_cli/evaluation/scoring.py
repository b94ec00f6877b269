"""Scores of methods over the pictures of a benchmark, as the field reports them: per picture, then the mean."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import __version__
from ..console import FileProgress
from ..data.benchmarks import Benchmark, Case, Pair
from ..distributed import Ranks
from ..errors import HfpieError, UsageError
from ..outcome import Progress
from ..photos.formats import OutputStyle
from ..photos.photo import FULL_SCALE, Photo, Pixels, to_8bit
from ..photos.quality import PEAK, psnr
from ..photos.writer import write_photo
from .metrics import Samples, gmsd, luma, shave, ssim, to_8bit_range, to_16bit_range
from .score_cache import Row, ScoreLog, key_of

METRICS = ("psnr", "ssim", "psnr_y", "ssim_y", "gmsd")  # RGB, then Matlab's Y channel, then the gradients
LPIPS = "lpips"  # if available

Distance = Callable[[Samples, Samples], float]
Restore = Callable[[Photo, Progress], Photo]


def as_file_name(label: str) -> str:
    """A label with `_` for characters that are unusual in file names."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in label).strip("_")


def _save(path: Path | None, pixels: Pixels) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_photo(Photo(to_8bit(pixels)), path, OutputStyle("PNG"))


def as_file(pixels: Pixels, clean: Pixels) -> Samples:
    """Pixels as in a file of the clean picture's depth, from 0 to 255."""
    return to_16bit_range(pixels) if clean.dtype == np.uint16 else to_8bit_range(pixels)


@dataclass(frozen=True)
class Method:
    """A row of a table: a way to restore pictures."""

    name: str
    """Name of the row."""
    restore: Restore
    """Degraded photo to restored photo; reports its progress."""
    made_of: str = ""
    """Text that changes whenever the results may."""
    samples: Callable[[Pixels, Pixels], Samples] = as_file
    """Converts its pixels, given the clean ones, to numbers from 0 to 255."""

    @property
    def folder(self) -> str:
        """Folder of its pictures; the name changes when its results may."""
        mark = f"-{hashlib.sha256(self.made_of.encode()).hexdigest()[:8]}" if self.made_of else ""
        return as_file_name(self.name) + mark


@dataclass(frozen=True)
class Scores:
    """One method's scores by picture, in the benchmark's order."""

    method: str
    """Name of the method."""
    rows: dict[str, Row]
    """Metrics of each picture, by its name."""

    @property
    def identical(self) -> int:
        """How many pictures came out equal to the clean ones; their PSNR is infinite."""
        return sum(math.isinf(row["psnr"]) for row in self.rows.values())

    def means(self) -> Row:
        """The mean of each metric over pictures with a finite value, without identical ones.

        If all are identical, their metrics.
        """
        different = [row for row in self.rows.values() if not math.isinf(row["psnr"])] or list(self.rows.values())
        return {metric: _mean([row[metric] for row in different]) for metric in different[0]}


@dataclass(frozen=True)
class Scoring:
    """How a benchmark is scored, beyond its own protocol."""

    lpips: Distance | None = None
    """LPIPS distance, if available."""
    log: ScoreLog | None = None
    """Where scores are saved as they come."""
    pictures: Path | None = None
    """Folder to save the restored pictures to."""
    ranks: Ranks = field(default_factory=Ranks)
    """Processes that share the pictures."""
    peak: int | None = None
    """White of 16-bit pictures, if below 65535."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is measured."""
        return (*METRICS, LPIPS) if self.lpips else METRICS


def input_method() -> Method:
    """The row of the degraded pictures, neither clipped nor rounded."""
    return Method("input", at_once(lambda photo: photo), samples=_as_given)


def at_once(restore: Callable[[Photo], Photo]) -> Restore:
    """Adapt a function that reports no progress."""
    return lambda photo, progress: restore(photo)


def unwatched(done: int, total: int) -> None:
    """A progress callback that does nothing."""


def score(
    benchmark: Benchmark, methods: Sequence[Method], scoring: Scoring | None = None, bar: FileProgress | None = None
) -> list[Scores]:
    """Score every method on every picture; each process does its share and gets all results.

    Scores in the log are not computed again, unless a picture to save is missing.
    """
    scoring = scoring or Scoring()
    mine: dict[tuple[str, str], Row] = {}
    for case in scoring.ranks.share(benchmark.cases):
        mine |= {(method.name, case.name): row for method, row in _score_case(benchmark, case, methods, scoring, bar)}
    everyone = {key: row for part in scoring.ranks.gather(mine) for key, row in part.items()}
    return [
        Scores(method.name, {case.name: everyone[method.name, case.name] for case in benchmark.cases})
        for method in methods
    ]


def check_pictures(benchmark: Benchmark, methods: Sequence[Method], folder: Path, *, replace: bool) -> None:
    """Raise UsageError if saving restored pictures would replace the benchmark's, or, without `replace`, any file."""
    sources = {source.resolve() for case in benchmark.cases for source in case.sources}
    for path in (picture_path(folder, method, case.name) for method in methods for case in benchmark.cases):
        if path.resolve() in sources:
            raise UsageError(
                f"{path}: would overwrite a picture of the benchmark", "use another folder for --save-images"
            )
        if path.exists() and not replace:
            hint = "use --overwrite, --resume to keep it, or name another folder with --save-images"
            raise UsageError(f"{path}: already exists", hint)


def count_of(benchmark: Benchmark, methods: Sequence[Method], ranks: Ranks) -> int:
    """Number of results that this process has to compute or look up."""
    return len(ranks.share(benchmark.cases)) * len(methods)


def _score_case(
    benchmark: Benchmark, case: Case, methods: Iterable[Method], scoring: Scoring, bar: FileProgress | None
) -> Iterable[tuple[Method, Row]]:
    pair: Pair | None = None
    for method in methods:
        protocol = (benchmark.name, benchmark.task, benchmark.protocol, benchmark.border, case.name, case.number)
        key = key_of((__version__, *scoring.metrics, *protocol, method.name, method.made_of), case.sources)
        path = picture_path(scoring.pictures, method, case.name) if scoring.pictures else None
        row = scoring.log.known.get(key) if scoring.log else None
        if row is None or (path and not path.exists()):
            pair = pair or case.open()
            if bar:
                bar.start(f"{case.name} {method.name}", pair.degraded.height * pair.degraded.width / 1e6)
            restored = method.restore(pair.degraded, bar.tiles if bar else unwatched).pixels
            _check_size(restored, pair, f"{case.name}, {method.name}")
            gain = _gain(pair.clean, scoring.peak, case.name)
            samples, clean = gain * method.samples(restored, pair.clean), gain * in_range(pair.clean)
            row = measure(samples, clean, benchmark.border, scoring.lpips)
            _save(path, restored)
            if scoring.log:
                scoring.log.add(key, row)
        if bar:
            bar.finish()
        yield method, row


def measure(restored: Samples, clean: Samples, border: int = 0, lpips: Distance | None = None) -> Row:
    """Every metric of a restored picture (h, w, 3) against the clean one, `border` pixels shaved from each side."""
    x, y = shave(restored, border), shave(clean, border)
    grey_x, grey_y = luma(x), luma(y)
    values = (psnr(x, y), ssim(x, y), psnr(grey_x, grey_y), ssim(grey_x, grey_y), gmsd(x, y))
    row = dict(zip(METRICS, values, strict=True))
    return row | {LPIPS: lpips(x, y)} if lpips else row


def _check_size(restored: Pixels, pair: Pair, name: str) -> None:
    if restored.shape != pair.clean.shape:
        sizes = f"{restored.shape[1]} x {restored.shape[0]} instead of {pair.clean.shape[1]} x {pair.clean.shape[0]}"
        raise HfpieError(f"{name}: restored to {sizes} pixels", "choose weights for this task")


def picture_path(folder: Path, method: Method, case: str) -> Path:
    """Path of a restored picture: `non-local_means/000/00000012.png`; a.jpg and a.png stay two files."""
    return folder / method.folder / (case if case.endswith(".png") else f"{case}.png")


def _as_given(pixels: Pixels, clean: Pixels) -> Samples:
    return in_range(pixels)


def _gain(clean: Pixels, peak: int | None, name: str) -> float:
    """The factor that brings pictures with white at `peak` to 0..255."""
    if peak is None:
        return 1.0
    if clean.dtype != np.uint16:
        raise HfpieError(f"{name}: --peak is for 16-bit pictures, but this one has 8 bits", "remove --peak")
    return FULL_SCALE["uint16"] / peak


def in_range(pixels: Pixels) -> Samples:
    """Full scale as 255."""
    return pixels.astype(np.float64) * (PEAK / FULL_SCALE[pixels.dtype.name])


def _mean(values: list[float]) -> float:
    numbers = np.array(values)[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")
