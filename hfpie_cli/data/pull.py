"""Data sets from the Hub: which archives a set is made of, where they lie, and what is missing here."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnavailableError
from ..hub.client import HubFile
from .datasets import Archive, DataSet


def wanted_archives(entry: DataSet, *, train: bool) -> dict[Archive, HubFile]:
    """What a set is pulled from, with or without the archives that are for training only, and where each lies.

    Raises UnavailableError, with where its files are to be had, for a set that no data repository holds.
    """
    if entry.hub is None:
        hint = f"fetch it from {entry.source} by hand, then check it with: hfpie data verify {entry.name}"
        raise UnavailableError(f"{entry.name}: hfpie knows no repository to download it from", hint)
    repo, revision = entry.hub.repo, entry.hub.revision
    wanted = [archive for archive in entry.hub.archives if train or not archive.train]
    return {archive: HubFile(repo, archive.file, revision, "dataset") for archive in wanted}


def missing_folders(archive: Archive, folder: Path) -> list[str]:
    """What an archive gives that a set's folder does not have yet."""
    return [name for name in archive.gives if not (folder / name).exists()]
