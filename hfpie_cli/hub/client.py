"""Files from the Hugging Face Hub: the only module that talks to it. Imports its client only when it is needed.

The client reads HF_ENDPOINT and the like once, on import; here they are read at every call and passed on.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import UnavailableError, UsageError
from ..files import sha256_of
from .errors import ENDPOINT_HINT, explain, host_of, status_of

SCHEME = "hf://"
ENDPOINT = "https://huggingface.co"
DEFAULT_REVISION = "main"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")  # of a large file
BLOB = re.compile(r"[0-9a-f]{40}")  # of a small file: git's hash of its blob
_REMOVED = "the file was removed; try again, and if it fails again do not use it"
_OURS = "the file on the Hub is not the one hfpie knows: ask its owner which is right before you use it"
YES = {"1", "ON", "YES", "TRUE"}  # values of HF_HUB_OFFLINE that mean true

Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of the Hub."""

    repo: str
    """owner/name."""
    path: str
    """Path in the repository."""
    revision: str = DEFAULT_REVISION
    """A commit (40 hex digits), a branch or a tag."""
    kind: Kind = "model"
    """model or dataset."""

    def __str__(self) -> str:
        prefix = "datasets/" if self.kind == "dataset" else ""
        return f"{SCHEME}{prefix}{self.repo}/{self.path}@{self.revision}"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, whose files never change."""
        return COMMIT.fullmatch(self.revision) is not None

    @classmethod
    def parse(cls, text: str) -> HubFile:
        """Read `hf://owner/repo/file@revision` or `hf://datasets/owner/repo/file`; the revision may be left out.

        Raises UsageError for anything else.
        """
        match = re.fullmatch(rf"hf://(datasets/)?({REPOSITORY.pattern})/([^@]+)(?:@([\w./-]+))?", text)
        if match is None or {"", ".", ".."} & set(match[3].split("/")):
            raise UsageError(f"{text}: not a Hub file address", "write hf://owner/repo/file@revision")
        return cls(match[2], match[3], match[4] or DEFAULT_REVISION, "dataset" if match[1] else "model")


@dataclass(frozen=True)
class Hub:
    """Settings of the Hub."""

    endpoint: str
    """Its address."""
    cache: Path
    """Folder in the layout that all Hub tools share."""
    offline: bool = False
    """Whether to use only that folder."""
    progress: bool = True
    """Whether to show a bar while downloading, on a terminal."""

    @classmethod
    def from_environment(cls, *, offline: bool = False, progress: bool = True) -> Hub:
        """Settings from HF_ENDPOINT, HF_HUB_CACHE, HF_HOME and HF_HUB_OFFLINE; the client reads HF_TOKEN."""
        home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
        cache = Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()
        endpoint = (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
        return cls(endpoint, cache, offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in YES, progress)


@dataclass(frozen=True)
class Fetched:
    """A file of the Hub in the cache."""

    path: Path
    """Where it is."""
    commit: str
    """40 hex digits."""
    sha256: str
    """Hash of the file, just computed."""
    published: str
    """Hash that the Hub states, SHA-256 or git's of a blob; empty if the file was cached and the Hub not contacted."""


def fetch(file: HubFile, hub: Hub, *, sha256: str = "", way_out: str = "") -> Fetched:
    """The file, from the cache if it has this commit, otherwise downloaded; never leaves partial files.

    sha256: the required hash in hex digits; with it, a cached file needs no connection. The file must also match the
    hash that the Hub publishes, or, once cached, the recorded one. A file that does not is removed; one that only
    `sha256` disagrees with stays, because other tools share it. way_out: the hint if `sha256` differs. Raises
    UnavailableError, in one line, for that and any other failure.
    """
    with _calm_client(hub):
        try:
            fetched = _find_or_download(file, hub, sha256, way_out)
        except Exception as error:  # the client's errors come from three libraries without a common base
            raise explain(error, str(file), hub.endpoint, hub.cache) from None
    published = dict.fromkeys(filter(None, (fetched.published, _recorded(fetched.path))))
    expected = dict.fromkeys([*published, sha256] if sha256 else published)  # the Hub's own message first
    if not expected:
        message = f"{file}: cannot verify it: neither the Hub nor the cache has a hash"
        raise UnavailableError(message, "go online so that hfpie can check it against the Hub's hash")
    for digest in expected:
        found = fetched.sha256 if SHA256.fullmatch(digest) else _blob_of(fetched.path)
        if found != digest:
            if digest in published:
                _discard(fetched.path)
                raise _mismatch(file, found, digest, _REMOVED)
            if not published:
                _discard(fetched.path)
            raise _mismatch(file, found, digest, way_out or (_OURS if published else _REMOVED))
    return fetched


def is_cached(file: HubFile, hub: Hub) -> bool:
    """Whether the file is in the cache; its content is not checked."""
    return _cached(file, hub) is not None


def upload(files: Mapping[str, Path | bytes], repo: str, hub: Hub, *, private: bool, message: str) -> str:
    """Put files (path in the repository: file or content) into a model repository in one commit; returns the commit.

    A missing repository is created, public unless `private`. Raises UnavailableError.
    """
    name = f"{SCHEME}{repo}"
    if hub.offline:
        raise UnavailableError(f"{name}: hfpie is offline", "remove --offline and unset HF_HUB_OFFLINE")
    from huggingface_hub import CommitOperationAdd, HfApi

    with _calm_client(hub):
        try:
            api = HfApi(endpoint=hub.endpoint)
            api.create_repo(repo, private=private, exist_ok=True)
            additions = [CommitOperationAdd(path, content) for path, content in files.items()]
            return api.create_commit(repo, additions, commit_message=message).oid
        except Exception as error:  # as in `fetch`
            raise explain(error, name, hub.endpoint, hub.cache) from None


def _find_or_download(file: HubFile, hub: Hub, sha256: str, way_out: str) -> Fetched:
    cached = _cached(file, hub)
    if cached is not None and (hub.offline or sha256 or (file.is_pinned and _recorded(cached))):
        return _as_fetched(cached, file)
    if hub.offline:
        raise UnavailableError(f"{file}: not in the cache, and hfpie is offline", "go online once to download it")
    try:
        commit, published = _look_up(file, hub)
    except Exception as error:
        if cached is None or 400 <= status_of(error) < 500:
            raise
        return _as_fetched(cached, file)  # the Hub cannot be reached: the commit that the branch last had
    if sha256 and SHA256.fullmatch(published) and published != sha256:
        raise _mismatch(file, published, sha256, way_out or _OURS)  # so that it is known before the download
    fetched = _as_fetched(_download(file, hub), file)  # by the branch's name, so that the cache records the branch
    return replace(fetched, published=published if fetched.commit == commit else "")


def _mismatch(file: HubFile, found: str, expected: str, way_out: str) -> UnavailableError:
    kind = "SHA-256" if SHA256.fullmatch(expected) else "git's hash"
    return UnavailableError(f"{file}: {kind} is {found}, should be {expected}", way_out)


def _recorded(path: Path) -> str:
    """The hash that the Hub published at the download, which is the content's name in the cache; may be empty."""
    name = path.resolve().name
    return name if path.is_symlink() and (SHA256.fullmatch(name) or BLOB.fullmatch(name)) else ""


def _blob_of(path: Path) -> str:
    """Git's hash of a file's content: the SHA-1 of its length and its bytes."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()


def _cached(file: HubFile, hub: Hub) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        file.repo, file.path, cache_dir=hub.cache, revision=file.revision, repo_type=file.kind
    )
    return Path(found) if isinstance(found, str) else None


def _as_fetched(path: Path, file: HubFile) -> Fetched:
    commit = path.parents[file.path.count("/")].name  # models--owner--repo / snapshots / commit / path
    return Fetched(path, commit, sha256_of(path), "")


def _look_up(file: HubFile, hub: Hub) -> tuple[str, str]:
    """The commit that a revision stands for, and the hash that the Hub publishes, if any."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(file.repo, file.path, repo_type=file.kind, revision=file.revision, endpoint=hub.endpoint)
    found = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT, endpoint=hub.endpoint)
    commit, etag = found.commit_hash or "", found.etag or ""
    if not COMMIT.fullmatch(commit) or not re.fullmatch(r"[\w-]+", etag):  # both become file names
        raise UnavailableError(f"{file}: {host_of(hub.endpoint)} does not answer like a Hub server", ENDPOINT_HINT)
    return commit, etag if SHA256.fullmatch(etag) or BLOB.fullmatch(etag) else ""


def _download(file: HubFile, hub: Hub) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(
        hf_hub_download(
            file.repo,
            file.path,
            repo_type=file.kind,
            revision=file.revision,
            cache_dir=hub.cache,
            endpoint=hub.endpoint,
        )
    )


def _discard(path: Path) -> None:
    """Remove a file from the cache: its name in the snapshot, and the content that it links to."""
    content = path.resolve()
    path.unlink()
    content.unlink(missing_ok=True)


@contextmanager
def _calm_client(hub: Hub) -> Iterator[None]:
    """Keep the client's own warnings, which may hold signed addresses, off standard error, and its bar if unwanted."""
    from logging import CRITICAL

    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    verbosity, hidden = logging.get_verbosity(), are_progress_bars_disabled()
    logging.set_verbosity(CRITICAL)
    if not hub.progress:
        disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not hub.progress and not hidden:
            enable_progress_bars()
