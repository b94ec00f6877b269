"""Data sets from the Hub: their archives are downloaded, unpacked and left as the benchmarks read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .datasets import Archive, DataSet
from .errors import UnavailableError
from .hub import Hub, HubFile, fetch
from .unpack import Advance, unpack


@dataclass(frozen=True)
class Pulled:
    """An archive that was asked for. fetched: where it lies in the Hub's cache; None if its folders were there."""

    archive: Archive
    fetched: Path | None


def wanted_archives(entry: DataSet, *, train: bool) -> list[Archive]:
    """What a set is pulled from, with or without the archives that are for training only.

    Raises UnavailableError, with where its files are to be had, for one that no data repository holds.
    """
    if entry.hub is None:
        hint = f"fetch it from {entry.source} by hand; hfpie data verify {entry.name} then checks it"
        raise UnavailableError(f"{entry.name}: no public data repository is known to hold it", hint)
    return [archive for archive in entry.hub.archives if train or not archive.train]


def pull(entry: DataSet, folder: Path, archives: list[Archive], hub: Hub, advance: Advance) -> Iterator[Pulled]:
    """Download and unpack, archive by archive; one whose folders are there already is passed over.

    Raises UnavailableError for what cannot be had or is not what it should be.
    """
    assert entry.hub is not None
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        missing = [name for name in archive.gives if not (folder / name).exists()]
        if not missing:
            yield Pulled(archive, None)
            continue
        found = fetch(HubFile(entry.hub.repo, archive.file, entry.hub.revision, "dataset"), hub).path
        unpack(found, folder, missing, advance)
        yield Pulled(archive, found)
