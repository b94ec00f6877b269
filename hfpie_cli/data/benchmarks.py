"""Benchmarks: named sets of degraded and clean pictures in their published layouts, any folder, and drawn pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..degradations.named import DEGRADATIONS
from ..errors import HfpieError, UnavailableError, UsageError
from ..photos.photo import FULL_SCALE, Photo, Pixels, to_16bit
from ..photos.reader import read_photo
from ..shown import either
from ..suggest import did_you_mean
from ..tasks import TASKS
from .catalogue import DataSet, Track, data_sets, find
from .drawn import BENCHMARK_COUNT, DRAWN_SETS
from .matching import find_pairs, find_photos, go_together, pair_folders


@dataclass(frozen=True)
class Pair:
    """A degraded picture and its clean original."""

    degraded: Photo
    """The network's input; float32 if its noise is not clipped."""
    clean: Pixels
    """(h, w, 3), 8 or 16 bits; in training float32 instead of 16 bits."""


@dataclass(frozen=True)
class Case:
    """One picture of a benchmark, opened only when it is scored."""

    name: str
    """Name in the report."""
    number: int
    """Index in the whole benchmark; seeds its random numbers."""
    sources: tuple[Path, ...]
    """Files that it is made from."""
    open: Callable[[], Pair]
    """Opens the pair."""


@dataclass(frozen=True)
class Benchmark:
    """A set of pictures to score on."""

    name: str
    """Name in the report."""
    task: str
    """A key of TASKS."""
    degradation: str
    """A published track's name, a key of DEGRADATIONS, or empty for a user's own pairs."""
    protocol: str
    """How its pairs are made, in words, for the report."""
    cases: tuple[Case, ...]
    """Its pictures."""

    @property
    def border(self) -> int:
        """Pixels shaved from each side before scoring."""
        return _border(self.task)

    @property
    def is_whole(self) -> bool:
        """Whether it has as many pictures as the published set is scored on."""
        entry = find(self.name)
        return entry is None or len(self.cases) == (entry.held_out or entry.pictures)

    def pairs(self) -> Iterator[Pair]:
        """Every pair, in order."""
        return (case.open() for case in self.cases)

    def first(self, limit: int | None) -> Benchmark:
        """The benchmark with its first pictures only; all of them for None."""
        return replace(self, cases=self.cases[:limit])


def open_benchmark(name: str, root: Path, task: str | None = None, degradation: str | None = None) -> Benchmark:
    """The benchmark of a name in datasets.toml under the data root, a drawn one, or any folder of clean photographs.

    degradation: a published track of the set, or a key of DEGRADATIONS that is applied to its clean pictures. Raises
    UnavailableError that states what to get and where to put it; UsageError for a task or degradation that the set
    lacks.
    """
    if name in DRAWN_SETS:
        return _drawn(name, task or "denoise", degradation)
    entry, folder = _locate(name, root)
    task = task or _task_of(entry, degradation)
    track = _choose_track(entry, folder, task, degradation)
    if track is not None:
        return _published(entry, folder, track)
    return _degraded_here(entry, folder, task, degradation)


def open_folders(degraded: Path, clean: Path, task: str | None) -> Benchmark:
    """The pairs of a user's two folders. Raises UnavailableError for folders that do not match."""
    if task is None:
        raise UsageError("two folders do not say what the task is", f"use --task {either(list(TASKS))}")
    cases = [
        Case(path.relative_to(clean).as_posix(), number, (small, path), partial(_read_pair, small, path, task))
        for number, (small, path) in enumerate(pair_folders(degraded, clean))
    ]
    return Benchmark(degraded.resolve().name, task, "", f"pairs of {degraded} and {clean}", tuple(cases))


def _locate(name: str, root: Path) -> tuple[DataSet, Path]:
    """The entry of a named set or of a folder of clean photographs, and its existing folder."""
    entry = find(name)
    if entry is None:
        if not Path(name).is_dir():
            message = f"{name}: neither a known data set nor a folder"
            raise UnavailableError(message, did_you_mean(name, (*data_sets(), *DRAWN_SETS)))
        return DataSet(Path(name).resolve().name, "your own photographs", "", "", "", clean="*"), Path(name)
    return entry, scored_folder(entry, root)


def scored_folder(entry: DataSet, root: Path) -> Path:
    """A named set's folder below the data root. Raises UnavailableError, with what to do, if it is missing."""
    try:
        return entry.folder_below(root)
    except UnavailableError as error:
        own = f"hfpie eval --task {entry.task or 'TASK'} --degraded FOLDER --clean FOLDER"
        raise UnavailableError(error.message, f"{error.hint}\nor score your own pairs: {own}") from None


def _task_of(entry: DataSet, degradation: str | None) -> str:
    named = {track.name: track.task for track in entry.tracks}
    task = named.get(degradation or "") or entry.task
    if task is None:
        raise UsageError(f"{entry.name}: has no default task", f"use --task {either(list(TASKS))}")
    return task


def _choose_track(entry: DataSet, folder: Path, task: str, degradation: str | None) -> Track | None:
    """The requested published pairs, or the task's first ones; None for synthetic pairs."""
    for track in entry.tracks:
        if degradation == track.name and task != track.task:
            raise UsageError(f"{track.name} of {entry.name} is for {track.task}", f"use --task {track.task}")
        if degradation == track.name or (degradation is None and task == track.task):
            there = any(folder.glob(track.degraded if track.degraded.endswith(".mat") else f"{track.degraded}.*"))
            return track if there or degradation or not track.stand_in else None
    return None


def _published(entry: DataSet, folder: Path, track: Track) -> Benchmark:
    for side in (track.degraded, track.clean):
        try:
            find_photos(folder, side)
        except UnavailableError as error:
            raise UnavailableError(error.message, entry.advice(folder, side)) from None
    if track.clean.endswith(".mat"):
        protocol, cases = "sRGB validation blocks", _blocks(folder / track.degraded, folder / track.clean)
    else:
        protocol = f"published pairs, {track.degraded}"
        cases = [
            Case(_name(path, folder, track.clean), number, (small, path), partial(_read_pair, small, path, track.task))
            for number, (small, path) in enumerate(find_pairs(folder, track.degraded, track.clean))
        ]
    return Benchmark(entry.name, track.task, track.name, protocol, tuple(cases))


def _degraded_here(entry: DataSet, folder: Path, task: str, degradation: str | None) -> Benchmark:
    degradation = degradation or TASKS[task].degradation
    _check_degradation(degradation, task, [track.name for track in entry.tracks])
    if not entry.clean:
        raise UsageError(f"{entry.name} has no clean pictures to degrade", entry.about)
    try:
        paths = find_photos(folder, entry.clean)[-entry.held_out :]  # -0 selects all
    except UnavailableError as error:
        raise UnavailableError(error.message, entry.advice(folder, entry.clean)) from None
    last = f"the last {entry.held_out} pictures, " if entry.held_out else ""
    cases = [
        Case(_name(path, folder, entry.clean), number, (path,), partial(_degrade_file, path, task, degradation, number))
        for number, path in enumerate(paths)
    ]
    return Benchmark(entry.name, task, degradation, last + _seeded(degradation), tuple(cases))


def _drawn(name: str, task: str, degradation: str | None) -> Benchmark:
    """Drawn pictures, unchanged unless a degradation or a reduction is asked for."""
    degradation = degradation or ("clean" if TASKS[task].scale == 1 else TASKS[task].degradation)
    _check_degradation(degradation, task, [])
    cases = [
        Case(f"{number:02}", number, (), partial(_degrade_drawing, name, task, degradation, number))
        for number in range(BENCHMARK_COUNT)
    ]
    return Benchmark(name, task, degradation, f"drawn pictures, {_seeded(degradation)}", tuple(cases))


def _check_degradation(degradation: str, task: str, tracks: list[str]) -> None:
    """Raises UsageError for an unknown degradation or one of another task. tracks: further names for the hint."""
    if degradation not in DEGRADATIONS:
        raise UsageError(f"no degradation {degradation!r}", did_you_mean(degradation, [*tracks, *DEGRADATIONS]))
    if DEGRADATIONS[degradation].scale != TASKS[task].scale:
        raise UsageError(f"{degradation} is not a degradation for {task}", "use another --degradation or --task")


def _seeded(degradation: str) -> str:
    return f"{degradation}, random generator seeded by the picture's number"


def _name(path: Path, folder: Path, pattern: str) -> str:
    """A picture's name: its path from the first folder that is not the same for all."""
    fixed = Path(pattern.split("*", maxsplit=1)[0] + "*").parent
    return path.relative_to(folder / fixed).as_posix()


def _degrade_file(path: Path, task: str, degradation: str, seed: int) -> Pair:
    return _degrade(_scorable(_whole_pixels(_rgb(read_photo(path)), task), path, task), degradation, seed)


def _degrade_drawing(name: str, task: str, degradation: str, seed: int) -> Pair:
    return _degrade(_whole_pixels(DRAWN_SETS[name].picture(seed), task), degradation, seed)


def _whole_pixels(clean: Pixels, task: str) -> Pixels:
    """Cut to a multiple of the scale."""
    height, width = (n // TASKS[task].scale * TASKS[task].scale for n in clean.shape[:2])
    return clean[:height, :width]


def _degrade(clean: Pixels, degradation: str, seed: int) -> Pair:
    picture = clean.astype(np.float32) / np.float32(FULL_SCALE[clean.dtype.name])
    degraded = DEGRADATIONS[degradation](picture, np.random.default_rng(seed))
    return Pair(Photo(clean if degraded is picture else degraded), clean)  # unchanged, as in the file


def _scorable(clean: Pixels, path: Path, task: str) -> Pixels:
    """The clean pixels. Raises HfpieError if none would be left without the border."""
    if min(clean.shape[:2]) <= 2 * _border(task):
        message = f"{path}: {clean.shape[1]} x {clean.shape[0]} pixels, too small to score after shaving the border"
        raise HfpieError(message, "remove it from the folder")
    return clean


def _border(task: str) -> int:
    return TASKS[task].scale if TASKS[task].enlarges else 0


def _read_pair(degraded: Path, clean: Path, task: str) -> Pair:
    """Both pictures in colour; a clean one up to three pixels larger than `scale` times its reduced one is cut."""
    scale = TASKS[task].scale
    photo, pixels = read_photo(degraded), _rgb(read_photo(clean))
    height, width = photo.height * scale, photo.width * scale
    if not go_together((photo.height, photo.width), (pixels.shape[0], pixels.shape[1]), scale):
        sizes = f"{photo.width} x {photo.height} and {pixels.shape[1]} x {pixels.shape[0]}"
        raise HfpieError(
            f"{degraded}: {sizes} pixels do not match", f"for {task} the clean picture must be {scale} times as large"
        )
    colours = np.repeat(photo.pixels, 3, 2) if photo.pixels.shape[2] == 1 else photo.pixels
    return Pair(Photo(colours), _scorable(pixels[:height, :width], clean, task))


def _blocks(degraded: Path, clean: Path) -> list[Case]:
    """The blocks of two .mat files of arrays (pictures, blocks, 256, 256, 3) uint8, named as the files are."""
    shape = _mat_shape(clean)
    if len(shape) != 5 or shape != _mat_shape(degraded):
        raise UnavailableError(f"{clean} and {degraded} do not hold the published arrays", "download them again")
    return [
        Case(f"{row:02}-{column:02}", number, (degraded, clean), partial(_read_block, degraded, clean, row, column))
        for number, (row, column) in enumerate(np.ndindex(*shape[:2]))
    ]


def _mat_shape(path: Path) -> tuple[int, ...]:
    """Shape of the array named like the file; empty if there is none."""
    from scipy.io import whosmat

    try:
        return next((tuple(shape) for name, shape, _ in whosmat(path) if name == path.stem), ())
    except (ValueError, NotImplementedError, OSError) as error:
        raise UnavailableError(f"{path}: not a .mat file of version 5 ({error})", "download it again") from None


def _read_block(degraded: Path, clean: Path, picture: int, block: int) -> Pair:
    return Pair(Photo(_load_mat(degraded)[picture, block]), _load_mat(clean)[picture, block])


@cache
def _load_mat(path: Path) -> NDArray[np.uint8]:
    from scipy.io import loadmat

    return np.asarray(loadmat(path)[path.stem], np.uint8)


def _rgb(photo: Photo) -> Pixels:
    """(h, w, 3) of 8 bits, or of 16 if the file has more."""
    pixels = to_16bit(photo.pixels) if photo.pixels.dtype == np.float32 else photo.pixels
    return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
