"""The lock file: what a file of the Hub was when it was first used, where weights.toml knows no hash of it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UnavailableError
from ..files import atomic_path, cache_folder
from .client import COMMIT, SHA256, Fetched, Hub, HubFile, fetch


@dataclass(frozen=True)
class Locked:
    """The commit (40 hex digits) and the SHA-256 that hold from now on."""

    commit: str
    sha256: str


def lock_path() -> Path:
    """Where the lock file is; it belongs to hfpie, not to the cache that all Hub tools share."""
    return cache_folder() / "weights.lock.json"


def locked(file: HubFile) -> Locked | None:
    """What is recorded of a file, None if it was never used. Raises UnavailableError for a lock file that is broken."""
    return _read().get(str(file))


def pinned_file(file: HubFile) -> HubFile:
    """The file at the commit that is recorded, as it is if none is."""
    known = locked(file)
    return replace(file, revision=known.commit) if known else file


def fetch_locked(file: HubFile, hub: Hub) -> Fetched:
    """A file of a branch, as it was when first used: at that commit, with the SHA-256 that the Hub then published.

    The first use needs the Hub and records both. Raises UnavailableError if the file has become another since.
    """
    known = locked(file)
    if known is not None:
        return fetch(pinned_file(file), hub, sha256=known.sha256)
    fetched = fetch(file, hub)
    if not fetched.published:
        message = f"{file}: nobody vouches for its content: no SHA-256 is known, and the Hub did not give one"
        raise UnavailableError(message, "go online once, so that it can be compared with what the Hub publishes")
    _record(file, Locked(fetched.commit, fetched.published))
    return fetched


def _read() -> dict[str, Locked]:
    path = lock_path()
    try:
        entries = {name: Locked(**entry) for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}
        if not all(COMMIT.fullmatch(e.commit) and SHA256.fullmatch(e.sha256) for e in entries.values()):
            raise ValueError("a commit or a hash is none")
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        hint = "remove it: files are then taken as the Hub has them now"
        raise UnavailableError(f"{path}: not a lock file ({error})", hint) from None
    return entries


def _record(file: HubFile, entry: Locked) -> None:
    from filelock import FileLock

    path = lock_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".busy")):  # another process may be recording as well
        entries = {name: dataclasses.asdict(known) for name, known in (_read() | {str(file): entry}).items()}
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
