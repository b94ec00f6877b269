"""The encoded frames of an unfinished film, in one file, after which a later run continues.

head -> packets of a segment -> seal -> packets of a segment -> seal -> ...; what follows the last seal is dropped
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import IO

from ..files import open_unfinished

HEAD = b"hfpie film 1\n"
PACKET, SEAL = b"p", b"s"  # first byte of a record
FACTS = Struct("<qq?Q")  # of a packet: time, duration, whether it is a key frame, bytes that follow
SEALED = Struct("<Q32s")  # of a segment: its frames, SHA-256 of its packets


@dataclass(frozen=True)
class Kept:
    """What a stopped run left of a film, and whether to continue it."""

    target: Path
    """The film that is being written."""
    origin: str
    """Identifies the input and the settings: frames of another origin are dropped."""
    resume: bool
    """Whether to continue; if not, the film starts over."""


@dataclass(frozen=True)
class Packet:
    """One encoded frame."""

    time: int
    """When it is shown, in the film's unit."""
    duration: int
    """How long, in the same unit; 0 if the encoder does not say."""
    is_key: bool
    """Whether decoding can start here."""
    size: int
    """Bytes."""
    data: bytes = b""
    """Encoded data; empty if only the other fields were requested."""


class Parts:
    """An open file of packets in the order of decoding."""

    def __init__(self, file: IO[bytes], path: Path | None = None) -> None:
        """A new file. path: None if it has no name."""
        self._file, self._path = file, path
        self._hash = hashlib.sha256()
        self.frames = 0
        """Frames of complete segments."""

    @classmethod
    def opened(cls, kept: Kept | None, folder: Path | None, coding: str) -> Parts:
        """The kept file, or a new one if there is nothing to continue; without `kept` an unnamed one.

        folder: of the file without a name; None for the system's own. coding: identifies how frames are encoded.
        Raises HfpieError if another process is writing the film, OSError if the file cannot be opened.
        """
        if kept is None:
            return cls(tempfile.TemporaryFile(dir=folder))
        file, path = open_unfinished(kept.target)
        parts = cls(file, path)
        try:
            parts._begin(hashlib.sha256(f"{kept.origin}\n{coding}".encode()).digest(), resume=kept.resume)
        except BaseException:
            parts.close()
            raise
        return parts

    def _begin(self, key: bytes, *, resume: bool) -> None:
        """Seek to the end of the last complete segment, or write a new head."""
        if resume and self._file.read(len(HEAD) + len(key)) == HEAD + key:
            end = self._find_end()
        else:
            self._file.seek(0)
            self._file.write(HEAD + key)
            end = self._file.tell()
        self._file.seek(end)
        self._file.truncate()

    def _find_end(self) -> int:
        end, seen = self._file.tell(), hashlib.sha256()
        while kind := self._file.read(1):
            facts = self._file.read((FACTS if kind == PACKET else SEALED).size)
            if kind == PACKET and len(facts) == FACTS.size:
                size = min(FACTS.unpack(facts)[3], os.fstat(self._file.fileno()).st_size)  # of a damaged file
                seen.update(kind + facts + self._file.read(size))
            elif kind == SEAL and len(facts) == SEALED.size and SEALED.unpack(facts)[1] == seen.digest():
                self.frames += SEALED.unpack(facts)[0]
                end, seen = self._file.tell(), hashlib.sha256()
            else:
                break
        return end

    def add(self, time: int, duration: int, data: bytes, *, is_key: bool) -> None:
        """Append a packet. Raises OSError."""
        record = PACKET + FACTS.pack(time, duration, is_key, len(data)) + data
        self._hash.update(record)
        self._file.write(record)

    def seal(self, frames: int) -> None:
        """Make the packets since the last seal a complete segment of `frames` frames, which is kept from now on."""
        self._file.write(SEAL + SEALED.pack(frames, self._hash.digest()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._hash = hashlib.sha256()
        self.frames += frames

    def packets(self, *, data: bool = True) -> Iterator[Packet]:
        """All packets, including unsealed ones. data: whether to read their data."""
        self._file.flush()
        self._file.seek(0 if self._path is None else len(HEAD) + hashlib.sha256().digest_size)
        while kind := self._file.read(1):
            if kind == SEAL:
                self._file.seek(SEALED.size, os.SEEK_CUR)
                continue
            time, duration, is_key, size = FACTS.unpack(self._file.read(FACTS.size))
            if data:
                yield Packet(time, duration, is_key, size, self._file.read(size))
            else:
                self._file.seek(size, os.SEEK_CUR)
                yield Packet(time, duration, is_key, size)

    def close(self) -> None:
        """Close the file; what is sealed stays, if the file has a name."""
        with suppress(OSError):  # a full disk, which has been reported
            self._file.close()

    def discard(self) -> None:
        """Remove the file."""
        self.close()  # before unlinking, because Windows cannot remove open files
        if self._path is not None:
            self._path.unlink(missing_ok=True)
