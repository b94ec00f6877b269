"""A run's state and the previous one, each with its SHA-256, which is verified on reading.

The hash is the comment of torch's ZIP archive, which torch and other tools can still read.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import HfpieError
from ..files import atomic_path

STATE, BEFORE = "state.pt", "state-before.pt"
MARK = b"sha256 "
COMMENT = len(MARK) + 64  # bytes
END_RECORD = 22  # bytes of the record that ends a ZIP archive; the last two give the comment's length


def keep(path: Path, archive: bytes) -> None:
    """Write a state; the existing one becomes the previous one. One of the two is intact at any moment."""
    comment = MARK + hashlib.sha256(archive).hexdigest().encode()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(memoryview(archive)[:-2])
        file.write(len(comment).to_bytes(2, "little") + comment)
        file.flush()
        if _whole(path) is not None:  # a damaged one must not replace the last intact one
            _copy(path, path.with_name(BEFORE))


def find_whole(folder: Path, say: Callable[[str], None]) -> io.BytesIO:
    """The archive of the state, or of the previous one if the state is damaged, which `say` reports.

    Raises HfpieError if both are damaged.
    """
    for name in (STATE, BEFORE):
        archive = _whole(folder / name)
        if archive is not None:
            if name == BEFORE:
                say(f"{folder / STATE}: damaged: the run continues from {BEFORE}")
            return io.BytesIO(archive)
    hint = f"restore a backup, or start a new run from its weights: --init {folder / 'best.safetensors'}"
    raise HfpieError(f"{folder / STATE}: damaged", hint)


def _whole(path: Path) -> bytes | None:
    """The archive as written; None for a missing or changed file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    comment = data[-COMMENT:]
    if comment.startswith(MARK):
        archive = data[: -COMMENT - 2] + bytes(2)
        same = MARK + hashlib.sha256(archive).hexdigest().encode() == comment
        return archive if same and data[-COMMENT - 2 : -COMMENT] == COMMENT.to_bytes(2, "little") else None
    return data if _is_plain_archive(data) else None


def _is_plain_archive(data: bytes) -> bool:
    """Whether it is an intact archive without a comment, as older versions wrote it."""
    if data[-END_RECORD : -END_RECORD + 4] != b"PK\x05\x06" or data[-2:] != bytes(2):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
        return False


def _copy(path: Path, target: Path) -> None:
    """Link `target` to the file `path`, or copy it; both exist at any moment."""
    link = target.with_name(f".{target.name}")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, link)
    link.replace(target)
    link.unlink(missing_ok=True)  # which stays if both were the same file
