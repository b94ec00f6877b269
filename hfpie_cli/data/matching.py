"""Finds files by a data set's patterns, and pairs by file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from ..errors import UnavailableError, UsageError
from ..photos.formats import is_hidden, is_photo
from .catalogue import TRAINING_SETS, DataSet, data_sets, numbered

RUN_MARKS = ("config.toml", "data.json")  # files that tell the folder of a training run
SAMPLES = "samples"  # folder in it, of the pictures of each validation
SCALE_ENDING = re.compile(r"x[234]$")  # of reduced pictures' names, such as 0801x4


def find_photos(folder: Path, pattern: str) -> list[Path]:
    """The files that a pattern names, sorted; a pattern that ends in .mat names one file.

    Raises UnavailableError if there are none.
    """
    if pattern.endswith(".mat"):
        paths = [folder / pattern] if (folder / pattern).is_file() else []
    else:
        paths = sorted(path for path in folder.glob(f"{pattern}.*") if path.is_file() and is_photo(path))
    if not paths:
        raise UnavailableError(f"{folder / pattern}: no files found", "the folder is not laid out as published")
    return paths


def training_photos(entry: DataSet, folder: Path) -> list[Path]:
    """A set's clean pictures to train on, without those held out for scoring. Raises UnavailableError if none is there.

    Their published degraded counterparts, where there are any, are found by `find_pairs`.
    """
    photos = find_photos(folder, entry.train)
    return photos[: len(photos) - entry.held_out] if entry.train == entry.clean else photos


def find_pairs(folder: Path, degraded: str, clean: str) -> list[tuple[Path, Path]]:
    """(degraded, clean) for two patterns: files whose stars match the same text are a pair.

    Raises UnavailableError for a pattern without files, and if one side has pictures that the other lacks.
    """
    small, large = (
        _by_key((star_text(path, folder, side), path) for path in find_photos(folder, side))
        for side in (degraded, clean)
    )
    return _matched(small, large, f"{folder}: {degraded} and {clean}")


def pair_folders(degraded: Path, clean: Path) -> list[tuple[Path, Path]]:
    """(degraded, clean) for all photographs below two folders, matched by their names without suffixes.

    A reduced picture may have x2, x3 or x4 behind its name. Raises UnavailableError as `find_pairs` does.
    """
    small, large = (
        _by_key((path.relative_to(folder).with_suffix("").as_posix(), path) for path in photos_below(folder))
        for folder in (degraded, clean)
    )
    named = _by_key((key if key in large else SCALE_ENDING.sub("", key), path) for key, path in small.items())
    return _matched(named, large, f"{degraded} and {clean}")


def go_together(degraded: tuple[int, int], clean: tuple[int, int], scale: int) -> bool:
    """Whether pictures of these sizes (h, w) are a pair: the clean one `scale` times as large, or up to scale - 1 more.

    The reduction cut the rest off at the lower and right edge.
    """
    return all(0 <= large - small * scale < scale for small, large in zip(degraded, clean, strict=True))


def photos_below(folder: Path) -> list[Path]:
    """Every photograph in a folder and in those below it, sorted, but no samples of training runs.

    Raises UnavailableError if there are none.
    """
    photos = sorted(_below(folder))
    if not photos:
        raise _no_photos(folder)
    return photos


def _below(folder: Path) -> Iterator[Path]:
    left_out = cache(lambda parent: is_hidden(parent) or _is_samples(folder / parent))
    found = (path for path in folder.rglob("*") if is_photo(path) and path.is_file())
    return (path for path in found if not any(map(left_out, path.relative_to(folder).parents)))


def _is_samples(folder: Path) -> bool:
    return folder.name == SAMPLES and all((folder.parent / name).is_file() for name in RUN_MARKS)


def _no_photos(folder: Path) -> UnavailableError:
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "no such folder"
        return UnavailableError(f"{folder}: {what}", "name a folder of photographs")
    return UnavailableError(f"{folder}: no photographs found", "name a folder of PNG, JPEG, WebP or TIFF files")


def holds(folder: Path, pattern: str) -> bool:
    """Whether a pattern of pictures finds anything in a set's folder."""
    return any(folder.glob(f"{pattern}.*"))


def check_sides(degraded: Path | None, clean: Path | None) -> None:
    """Raises UsageError if only one side of pairs is named."""
    if (degraded is None) != (clean is None):
        raise UsageError("--degraded and --clean must be used together", "name both folders")


def check_folder(folder: Path) -> None:
    """Raises UnavailableError for a missing folder, or one without pictures in it or below it."""
    if next(_below(folder), None) is None:
        raise _no_photos(folder)


def training_folder(task: str, root: Path) -> Path:
    """Folder below `root` of the data set that a task of TRAINING_SETS is trained on.

    Raises UnavailableError, with where to get it, if it is missing.
    """
    entry = data_sets()[TRAINING_SETS[task]]
    folder = root / entry.name
    if not holds(folder, entry.train):
        command = f"hfpie train --task {task}"
        own = ["put them in a folder", f"{command} --data FOLDER"]
        published = [*entry.steps(folder, entry.train), command]
        hint = f"train on your own photographs:\n{numbered(own)}\nor on {entry.name}:\n{numbered(published)}"
        raise UnavailableError(f"{entry.name}, the data set for {task}, is not in {root}", hint)
    return folder


def star_text(path: Path, folder: Path, pattern: str) -> str:
    """What the stars of a pattern stand for in a path, joined by slashes: `000/00000012`."""
    stars = re.escape(pattern).replace(r"\*", "([^/]*)")
    found = re.fullmatch(stars, path.relative_to(folder).with_suffix("").as_posix())
    return "/".join(found.groups()) if found else path.stem


def _by_key(named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Files by their key. Raises UnavailableError if two have the same key."""
    files: dict[str, Path] = {}
    for key, path in named:
        if (other := files.setdefault(key, path)) != path:
            raise UnavailableError(
                f"{path}: has the same name as {other}", "each pair needs exactly one file on each side"
            )
    return files


def _matched(degraded: dict[str, Path], clean: dict[str, Path], where: str) -> list[tuple[Path, Path]]:
    if lonely := sorted(degraded.keys() ^ clean.keys()):
        message = f"{where} do not hold the same pictures (first without a partner: {lonely[0]})"
        raise UnavailableError(message, "each degraded picture needs a clean one with the same name")
    return [(degraded[key], clean[key]) for key in sorted(clean)]
