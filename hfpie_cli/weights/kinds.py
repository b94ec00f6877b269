"""Recognises files of weights by their first bytes, without running their code."""

from __future__ import annotations

import json
import struct
import tarfile
import zipfile
from pathlib import Path

from ..errors import UnavailableError

FORMAT = "hfpie-1"  # the metadata key `format` of our files
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")
_LONGEST_HEADER = 100_000_000  # bytes, as safetensors has it
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # start of files in torch's old format


def check_kind(path: Path, *, pickle: bool) -> None:
    """Raises UnavailableError for a Git LFS pointer and a web page.

    Unless `pickle`, also for a pickle, and for a file without the header of safetensors.
    """
    try:
        with path.open("rb") as file:
            start = file.read(256)
    except OSError:
        return  # opening it reports why
    if start.startswith(_POINTER):
        hint = "run `git lfs pull` in its repository, or let hfpie download it: hf://owner/repo/file@revision"
        raise UnavailableError(f"{path}: a Git LFS pointer, not the file itself", hint)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        hint = "the download is a web or login page: use hf://owner/repo/file@revision instead"
        raise UnavailableError(f"{path}: a web page, not weights", hint)
    if not pickle and (zipfile.is_zipfile(path) or start.startswith(_PICKLES)):
        hint = f"convert it first: hfpie weights convert {path}"
        raise UnavailableError(f"{path}: a pickle, whatever its name; hfpie loads only safetensors", hint)
    if not pickle and not _has_header(start, path.stat().st_size):
        raise unreadable(path, "it does not begin with the header of one")


def _has_header(start: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `start` can have the JSON header of safetensors."""
    length = int.from_bytes(start[:8], "little")
    return 0 < length <= min(size - 8, _LONGEST_HEADER) and start[8:9] == b"{"


def unreadable(path: Path, reason: str) -> UnavailableError:
    """The error for a file that is not safetensors, or damaged."""
    hint = "hfpie reads only safetensors; download it again or retrain it"
    return UnavailableError(f"{path}: not a readable safetensors checkpoint ({reason})", hint)


def check_pickle(path: Path) -> None:
    """Raises UnavailableError for files that `hfpie weights convert` cannot convert, judging by their first bytes."""
    if not path.is_file():
        raise UnavailableError(f"{path}: no such file", "check the path")
    check_kind(path, pickle=True)
    with path.open("rb") as file:
        start = file.read(2)
    zipped = zipfile.is_zipfile(path)
    if not (zipped or start in _PICKLES or tarfile.is_tarfile(path)):
        raise UnavailableError(f"{path}: not a PyTorch checkpoint", "name a .pth, .pt or .ckpt file")
    if zipped:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                hint = "save its state_dict instead: torch.save(model.state_dict(), ...)"
                raise UnavailableError(f"{path}: a TorchScript program, not plain weights", hint)


def task_of(path: Path) -> str:
    """The task in a safetensors file's metadata; empty if there is none, or the file cannot be read."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            task = json.loads(file.read(min(length, _LONGEST_HEADER)))["__metadata__"]["task"]
    except (OSError, struct.error, ValueError, TypeError, KeyError, RecursionError):
        return ""  # opening it reports why
    return task if isinstance(task, str) else ""
