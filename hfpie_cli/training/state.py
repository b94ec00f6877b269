"""The file of a run's state and the one before it, each with its own SHA-256, which is compared before it is trusted.

The hash stands in the comment of the ZIP archive that torch writes: torch and every ZIP tool still read the file.
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
END_RECORD = 22  # bytes of the record that ends a ZIP archive; its last two are the length of the comment


def keep(path: Path, archive: bytes) -> None:
    """Write a state; the one that is there becomes the one before. At every moment one of the two is whole."""
    comment = MARK + hashlib.sha256(archive).hexdigest().encode()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(memoryview(archive)[:-2])
        file.write(len(comment).to_bytes(2, "little") + comment)
        file.flush()
        if _whole(path) is not None:  # a damaged one must not take the place of the last that is whole
            _copy(path, path.with_name(BEFORE))


def find_whole(folder: Path, say: Callable[[str], None]) -> io.BytesIO:
    """The archive of the state, or of the previous one if the state is damaged, which `say` reports.

    Raises HfpieError if neither is what was written.
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
    """The archive as it was written; None for a file that is missing or changed."""
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
    """Whether it is one without a comment, as hfpie wrote it once, whose own checksums hold."""
    if data[-END_RECORD : -END_RECORD + 4] != b"PK\x05\x06" or data[-2:] != bytes(2):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
        return False


def _copy(path: Path, target: Path) -> None:
    """Make `target` the same file as `path`; both exist at every moment."""
    link = target.with_name(f".{target.name}")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, link)
    link.replace(target)
    link.unlink(missing_ok=True)  # it stays where both were one file already
