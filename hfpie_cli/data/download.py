"""Data sets from the Hub: archives are unpacked completely or not at all."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from ..console import FileProgress
from ..errors import UnavailableError
from ..files import temporary_folder
from ..hub.client import HubFile
from .catalogue import Archive, DataSet

MAX_ENTRIES = 500_000
MAX_RATIO = 50  # largest ratio of unpacked to packed bytes; archives of pictures have about 1
SMALL = 64 << 20  # bytes that may be unpacked at any ratio

Progress = Callable[[int], AbstractContextManager[FileProgress]]  # files from which a bar is shown


def unpack(archive: Path, folder: Path, wanted: Sequence[str], progress: Progress) -> None:
    """Put the folders `wanted` of a zip file below `folder`: unpacked beside, then renamed.

    An archive may lack the outer folders (`val_sharp/` for `val/val_sharp`). Raises UnavailableError for a file that is
    no archive, that lacks what is wanted, holds a link or a path that leads outside, or unpacks to absurdly much.
    """
    try:
        with temporary_folder(folder) as partial, zipfile.ZipFile(archive) as file:
            prefix_of = {name: _prefix(archive, file, name) for name in wanted}
            prefixes = tuple(f"{prefix}/" for prefix in prefix_of.values())
            entries = [entry for entry in _checked(archive, file) if entry.filename.startswith(prefixes)]
            _check_room(archive, entries, folder)
            with progress(len(entries)) as bar:
                bar.start(f"unpacking {archive.name}", 0)
                for entry in entries:
                    file.extract(entry, partial)
                    bar.finish()
            for name, prefix in prefix_of.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (partial / prefix).rename(folder / name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnavailableError(f"{archive}: damaged archive ({error})", "download it again") from None
    except OSError as error:
        raise UnavailableError(
            f"{archive}: cannot unpack it to {folder} ({error.strerror})", "free disk space"
        ) from None


def _prefix(archive: Path, file: zipfile.ZipFile, wanted: str) -> str:
    """Prefix of a wanted folder in the archive: its whole name, or its last part."""
    for prefix in dict.fromkeys((wanted, PurePosixPath(wanted).name)):
        if any(name.startswith(f"{prefix}/") for name in file.namelist()):
            return prefix
    raise UnavailableError(f"{archive}: has no folder {wanted}", "the archive's layout is not the published one")


def _checked(archive: Path, file: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The entries that are files. Raises UnavailableError for a harmful one."""
    for entry in file.infolist():
        path = PurePosixPath(entry.filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        outside = path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename
        if outside or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            message = f"{archive}: {entry.filename!r} points outside the folder or is not a regular file"
            raise UnavailableError(message, "do not use this archive")
        if not entry.is_dir():
            yield entry


def _check_room(archive: Path, entries: Sequence[zipfile.ZipInfo], folder: Path) -> None:
    """Raise UnavailableError, before anything is written, for an absurd size or a full disk."""
    unpacked, packed = sum(entry.file_size for entry in entries), archive.stat().st_size
    if len(entries) > MAX_ENTRIES or unpacked > max(SMALL, MAX_RATIO * packed):
        message = f"{archive}: unpacks to {len(entries):,} files of {unpacked / 1e9:.1f} GB, which is far too large"
        raise UnavailableError(message, "do not use this archive")
    free = shutil.disk_usage(folder).free
    if unpacked > free:
        message = f"{folder}: {unpacked / 1e9:.1f} GB to unpack, {free / 1e9:.1f} GB free"
        raise UnavailableError(message, "free disk space, or use another --data-root")


def wanted_archives(entry: DataSet, *, train: bool) -> dict[Archive, HubFile]:
    """The archives of a set and where each is, with or without those only for training.

    Raises UnavailableError, with the set's source, if no data repository has it.
    """
    if entry.hub is None:
        hint = f"download it from {entry.source} yourself, then check it with: hfpie data verify {entry.name}"
        raise UnavailableError(f"{entry.name}: hfpie knows no repository to download it from", hint)
    repo, revision = entry.hub.repo, entry.hub.revision
    wanted = [archive for archive in entry.hub.archives if train or not archive.train]
    return {archive: HubFile(repo, archive.file, revision, "dataset") for archive in wanted}


def missing_folders(archive: Archive, folder: Path) -> list[str]:
    """The folders of an archive that the set's folder does not have yet."""
    return [name for name in archive.gives if not (folder / name).exists()]
