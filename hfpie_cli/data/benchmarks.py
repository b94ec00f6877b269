"""Benchmarks: named sets of degraded and clean pictures in their published layouts, and any folder of photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnavailableError, UsageError
from ..formats import is_photo
from ..photo import Photo, to_8bit
from ..photo_reader import read_photo
from .degradations import DEGRADATIONS

SR_SCALE = 4
DEFAULT_DEGRADATION = {"denoise": "awgn-25", "deblur": "gaussian-blur", "sr": "bicubic-x4"}


@dataclass(frozen=True)
class Pair:
    """degraded: a photo as the network gets it (float32 where noise is not clipped). clean: (h, w, 3) uint8."""

    name: str
    degraded: Photo
    clean: NDArray[np.uint8]


@dataclass(frozen=True)
class Benchmark:
    """A set to score on. protocol: how its pairs are made, in words, for the report."""

    name: str
    task: str
    protocol: str
    pairs: Callable[[], Iterator[Pair]]


@dataclass(frozen=True)
class Layout:
    """How a published set lies under the data root. clean, degraded: patterns below its folder; task: what it is for.

    Without `degraded` the pairs are made from the clean pictures.
    """

    clean: str
    degraded: str = ""
    task: str = ""
    source: str = ""


LAYOUTS = {
    "SIDD": Layout(
        "ValidationGtBlocksSrgb.mat",
        "ValidationNoisyBlocksSrgb.mat",
        "denoise",
        "the form at https://abdokamel.github.io/sidd/ (validation data and ground truth, sRGB)",
    ),
    "REDS": Layout(
        "val/val_sharp/*/*", "val/val_blur_jpeg/*/*", "deblur", "https://seungjunnah.github.io/Datasets/reds"
    ),
    "GoPro": Layout("test/*/sharp/*", "test/*/blur/*", "deblur", "https://seungjunnah.github.io/Datasets/gopro"),
    "DIV2K": Layout("DIV2K_valid_HR/*", source="https://data.vision.ee.ethz.ch/cvl/DIV2K/"),
    "Flickr2K": Layout("Flickr2K_HR/*", source="https://github.com/limbee/NTIRE2017"),
    **{name: Layout("*") for name in ("Set5", "Set14", "BSD100", "CBSD68", "Kodak24", "McMaster", "Urban100")},
}


def open_benchmark(name: str, root: Path, task: str | None = None, degradation: str | None = None) -> Benchmark:
    """The benchmark of a name in LAYOUTS under the data root, or any folder of clean photographs.

    Raises UnavailableError with what to fetch and where to put it; UsageError for a task or degradation it lacks.
    """
    known = {key.lower(): key for key in LAYOUTS}.get(name.lower())
    folder = root / known if known else Path(name)
    layout = LAYOUTS[known] if known else Layout("*")
    if not folder.is_dir():
        raise UnavailableError(f"the data set {name} is not at {folder}", _advice(layout, folder))
    if layout.degraded and degradation is None and task in (None, layout.task):
        return _paired(known or name, folder, layout)
    return _synthetic(known or folder.name, folder, layout, task, degradation)


def _advice(layout: Layout, folder: Path) -> str:
    fetch = f"fetch it from {layout.source} and put it" if layout.source else "put its pictures"
    return f"{fetch} there, so that {folder / layout.clean} exists; or name another --data-root"


def _synthetic(name: str, folder: Path, layout: Layout, task: str | None, degradation: str | None) -> Benchmark:
    if task is None:
        raise UsageError(f"{name} has clean pictures only", "say which to score: --task denoise, deblur or sr")
    degradation = degradation or DEFAULT_DEGRADATION[task]
    if degradation not in DEGRADATIONS:
        raise UsageError(f"no degradation {degradation!r}", f"there are {', '.join(DEGRADATIONS)}")
    paths = _photos(folder, layout.clean)

    def pairs() -> Iterator[Pair]:
        for index, path in enumerate(paths):
            pixels = _rgb(read_photo(path))
            height, width = (n // SR_SCALE * SR_SCALE if task == "sr" else n for n in pixels.shape[:2])
            clean = pixels[:height, :width]
            picture = clean.astype(np.float32) / np.float32(255)
            degraded = DEGRADATIONS[degradation](picture, np.random.default_rng(index))
            yield Pair(path.name, Photo(degraded), clean)

    return Benchmark(name, task, f"{degradation}, random generator seeded by the picture's number", pairs)


def _paired(name: str, folder: Path, layout: Layout) -> Benchmark:
    if layout.clean.endswith(".mat"):
        return Benchmark(name, layout.task, "sRGB validation blocks", lambda: _sidd_blocks(folder, layout))
    clean, degraded = _photos(folder, layout.clean), _photos(folder, layout.degraded)
    if [p.stem for p in clean] != [p.stem for p in degraded]:
        raise UnavailableError(f"{folder}: {layout.clean} and {layout.degraded} do not hold the same pictures")

    def pairs() -> Iterator[Pair]:
        for sharp, blurred in zip(clean, degraded, strict=True):
            yield Pair(f"{sharp.parent.name}/{sharp.name}", read_photo(blurred), _rgb(read_photo(sharp)))

    return Benchmark(name, layout.task, f"published pairs, {layout.degraded}", pairs)


def _sidd_blocks(folder: Path, layout: Layout) -> Iterator[Pair]:
    from scipy.io import loadmat

    blocks = {}
    for side in (layout.degraded, layout.clean):
        if not (folder / side).is_file():
            raise UnavailableError(f"{folder / side} is not there", _advice(layout, folder))
        blocks[side] = loadmat(folder / side)[Path(side).stem]  # (40, 32, 256, 256, 3) uint8
    noisy, clean = (blocks[side].reshape(-1, *blocks[side].shape[2:]) for side in (layout.degraded, layout.clean))
    for index in range(len(noisy)):
        yield Pair(f"block {index // 32:02}-{index % 32:02}", Photo(noisy[index]), clean[index])


def _photos(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file() and is_photo(path))
    if not paths:
        raise UnavailableError(f"{folder / pattern}: no photographs there", "the folder is not laid out as published")
    return paths


def _rgb(photo: Photo) -> NDArray[np.uint8]:
    pixels = to_8bit(photo.pixels)
    return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
