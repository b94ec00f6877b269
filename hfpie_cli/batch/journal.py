"""The journal of a folder: one line for each file that hfpie wrote there, with its input and settings.

A line is written before its file gets its name, so that every output has one, even if the process is killed. Several
processes, also on several machines, add to one journal. They also share the work through it: a process that restores a
file locks the byte of the journal that belongs to its name, and the lock is lost when the process ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import HfpieError
from ..files import cache_folder, sha256_of

NAME = ".hfpie.jsonl"  # in the folder that --output names
BINARY = getattr(os, "O_BINARY", 0)  # without it, Windows translates line ends, and offsets are wrong
FIRST_CLAIM = 1 << 40  # offset far beyond the end of any journal; a claim locks one byte from here on
PIECE = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Stamp:
    """Identifies a version of a file without reading it."""

    size: int
    """Bytes."""
    time: int
    """Last modification, nanoseconds."""

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file; follows links."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Entry:
    """One line of a journal: how a file was made."""

    target: str
    """Output path."""
    source: str
    """Input path."""
    source_stamp: Stamp
    """The input when it was read."""
    settings: str
    """Hash of everything that decides the output's content."""
    result: Stamp | None = None
    """The output as written; None after an error."""
    sha256: str = ""
    """Hash of the output; empty after an error."""
    error: str = ""
    """Why there is no output; empty if there is one."""

    @classmethod
    def parse(cls, line: bytes) -> Entry | None:
        """Parse a line; None for one that is truncated or not from hfpie."""
        try:
            values: dict[str, Any] = json.loads(line)
            result = values.get("result")
            values["source_stamp"] = Stamp(**values["source_stamp"])
            values["result"] = Stamp(**result) if result else None
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def is_at(self, path: Path) -> bool:
        """Whether `path` holds the file as it was written, or a copy of it."""
        try:
            stamp = Stamp.of(path)
            if self.result is None or stamp.size != self.result.size or not os.access(path, os.R_OK):
                return False
            tells_itself = (
                self.result != self.source_stamp
            )  # else it may be an uncompressed file restored in place with its time kept
            return (tells_itself and stamp == self.result) or sha256_of(path) == self.sha256
        except OSError:
            return False


@dataclass
class Journal:
    """Entries by target, read from an open file as they are added, and claims on targets."""

    handle: int
    """Descriptor of the open file."""
    root: Path
    """Folder that targets are relative to, so that it can be moved."""
    _entries: dict[str, Entry] = field(default_factory=dict)
    _fresh: set[str] = field(default_factory=set)  # targets of entries added since it was opened
    _read: int = 0
    _rest: bytes = b""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.refresh()
        self._fresh.clear()

    def refresh(self) -> None:
        """Read the lines that any process has added since the last call."""
        with self._lock:
            while piece := self._read_at(self._read, PIECE):
                self._read += len(piece)
                *lines, self._rest = (self._rest + piece).split(b"\n")
                for entry in filter(None, map(Entry.parse, lines)):
                    if entry.result is not None:
                        self._entries[entry.target] = entry
                        self._fresh.add(entry.target)

    def _read_at(self, offset: int, most: int) -> bytes:
        """The bytes from an offset on. For a holder of the lock: Windows has no pread."""
        os.lseek(self.handle, offset, os.SEEK_SET)
        return os.read(self.handle, most)

    def find(self, target: Path) -> Entry | None:
        """The last entry of a target, None if there is none."""
        return self._entries.get(self.name(target))

    def is_fresh(self, target: Path) -> bool:
        """Whether the target was written after this journal was opened."""
        return self.name(target) in self._fresh

    def name(self, target: Path) -> str:
        """A target's name in entries."""
        path = target.parent.resolve() / target.name
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def add(self, entry: Entry) -> None:
        """Add a line. Raises OSError, for instance if the disk is full."""
        line = json.dumps(asdict(entry)).encode() + b"\n"
        with self._lock, self._held(0):
            end = os.fstat(self.handle).st_size
            if end and self._read_at(end - 1, 1) != b"\n":  # cut off by a kill or a full disk
                line = b"\n" + line
            os.write(self.handle, line)

    def claim(self, target: Path) -> bool:
        """Claim a target until `release` or the end of this process; False if another process has it."""
        return _lock_byte(self.handle, self._offset(target), wait=False)

    def release(self, target: Path) -> None:
        """End a claim."""
        _unlock_byte(self.handle, self._offset(target))

    def _offset(self, target: Path) -> int:
        digest = hashlib.sha256(self.name(target).encode(errors="surrogateescape")).digest()
        return FIRST_CLAIM + int.from_bytes(digest[:5], "big")

    @contextmanager
    def _held(self, offset: int) -> Iterator[None]:
        """Admit one process at a time, because some file systems do not append atomically."""
        _lock_byte(self.handle, offset, wait=True)
        try:
            yield
        finally:
            _unlock_byte(self.handle, offset)


def _lock_byte(handle: int, offset: int, *, wait: bool) -> bool:
    """Lock a byte for this process; True also if the file system has no locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, offset)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _unlock_byte(handle: int, offset: int) -> None:
    if sys.platform != "win32":
        import fcntl

        with suppress(OSError):
            fcntl.lockf(handle, fcntl.LOCK_UN, 1, offset)


@dataclass
class Journals:
    """A run's journals: one in the folder `output`, or one in the cache for each folder written to.

    A process must not open a journal twice: closing one would release the claims of the other.
    """

    output: Path | None = None
    """Folder named by --output; None for outputs beside their inputs."""
    flags: int = os.O_RDWR | os.O_CREAT | os.O_APPEND
    """Flags that journals are opened with."""
    remembers: bool = True
    """Whether the run keeps a journal."""
    _open: dict[Path, Journal] = field(default_factory=dict)

    @classmethod
    def to_look_at(cls, output: Path | None) -> Journals:
        """Read-only journals."""
        return cls(output, os.O_RDONLY)

    @classmethod
    def of_nothing(cls) -> Journals:
        """For a run that keeps no journal."""
        return cls(flags=os.O_RDWR, remembers=False)

    def of(self, target: Path) -> Journal:
        """The journal of a target. Raises HfpieError if it cannot be opened."""
        path = self._path(target) if self.remembers else Path(os.devnull)
        if path not in self._open:
            root = self.output.resolve() if self.output else Path(os.sep)
            self._open[path] = Journal(self._open_file(path), root)
        return self._open[path]

    def close(self) -> None:
        """Ends all claims."""
        for journal in self._open.values():
            os.close(journal.handle)
        self._open.clear()

    def _path(self, target: Path) -> Path:
        if self.output:
            return self.output / NAME
        folder = os.fsencode(target.parent.resolve())
        return cache_folder() / "journals" / f"{hashlib.sha256(folder).hexdigest()[:2]}.jsonl"

    def _open_file(self, path: Path) -> int:
        try:
            if self.flags & os.O_CREAT:
                path.parent.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                return os.open(os.devnull, os.O_RDONLY)
            return os.open(path, self.flags | BINARY, 0o666)
        except OSError as error:
            message = f"{path}: cannot write the run's journal ({error.strerror})"
            raise HfpieError(message, "--resume needs the journal: make its folder writable") from None
