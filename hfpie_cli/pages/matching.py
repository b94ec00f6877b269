"""Finds the files that are versions of one picture: the named files, or files of folders by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import HfpieError, UsageError
from ..photos.formats import is_hidden, is_photo
from ..tasks import OUTPUT_SUFFIXES


@dataclass(frozen=True)
class Match:
    """A picture and its versions."""

    name: str
    """Name that the versions have in common."""
    files: tuple[Path, ...]
    """One file for each version."""


@dataclass(frozen=True)
class Matches:
    """The pictures that several folders have in common."""

    versions: tuple[str, ...]
    """Names of the versions."""
    pictures: tuple[Match, ...]
    """Pictures that all versions have."""
    alone: int
    """Number of files without a partner."""


def match_versions(paths: Sequence[Path], *, recursive: bool = False) -> Matches:
    """Match files with each other, or the pictures of folders by their names.

    File suffixes and those that hfpie adds are ignored: photo.jpg and photo_denoised.png match.
    Raises HfpieError for missing files, UsageError for versions that do not match.
    """
    if len(paths) < 2:
        raise UsageError("nothing to compare", "give two files or two folders, such as a.png b.png")
    for path in paths:
        if not path.exists():
            raise HfpieError(f"{path}: no such file or folder", "check the name and the current folder")
    twice = [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]}: given twice", "give each version once")
    folders = sum(path.is_dir() for path in paths)
    if folders not in (0, len(paths)):
        raise UsageError("cannot compare files with folders", "give only files or only folders")
    versions = _names(paths)
    if not folders:
        return Matches(versions, (Match(paths[0].name, tuple(paths)),), 0)
    listed = [_by_key(path, recursive=recursive) for path in paths]
    common = sorted(set.intersection(*(set(files) for files in listed)))
    if not common:
        hint = "pictures match by file name without extension" + (
            "" if recursive else "; --recursive searches subfolders"
        )
        raise HfpieError(f"{', '.join(map(str, paths))}: no picture is in all of these folders", hint)
    pictures = tuple(Match(_shown(paths[0], listed[0][key]), tuple(files[key] for files in listed)) for key in common)
    return Matches(versions, pictures, sum(len(files) - len(common) for files in listed))


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """The last part of each path if all differ, else the whole."""
    short = [path.name or str(path) for path in paths]
    return tuple(short if len(set(short)) == len(short) else map(str, paths))


def _by_key(folder: Path, *, recursive: bool) -> dict[str, Path]:
    """A folder's photographs by the part of their names that versions share."""
    files = folder.rglob("*") if recursive else folder.iterdir()
    photos = sorted(path for path in files if is_photo(path) and path.is_file() and not _is_below_hidden(path, folder))
    stems = Counter(_stem(path, folder) for path in photos)
    keys = {path: _stem(path, folder) if stems[_stem(path, folder)] == 1 else _shown(folder, path) for path in photos}
    bare = Counter(_without_suffix(key) for key in keys.values())
    return {_without_suffix(key) if bare[_without_suffix(key)] == 1 else key: path for path, key in keys.items()}


def _is_below_hidden(path: Path, folder: Path) -> bool:
    return any(is_hidden(parent) for parent in path.relative_to(folder).parents if parent.name)


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _shown(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _without_suffix(key: str) -> str:
    """The name without hfpie's suffix."""
    return next((key.removesuffix(suffix) for suffix in OUTPUT_SUFFIXES if key.endswith(suffix)), key)
