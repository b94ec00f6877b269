"""Atomic file writing (complete or not at all) and other file helpers."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from .errors import HfpieError, UsageError

TEMPORARY = ".hfpie-"  # prefix of the names of files that are being written
UNFINISHED = ".unfinished"  # suffix of those that a later run continues
KINDS = {stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket", stat.S_ISDIR: "a folder"}


def cache_folder() -> Path:
    """Folder for what hfpie can make or download again; below the temporary folder for a user without a home."""
    try:
        caches = Path.home() / ".cache"
    except RuntimeError:
        caches = Path(tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or caches) / "hfpie"


@contextmanager
def atomic_path(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; renamed to it if the block succeeds, else removed.

    If `path` is a link, its target is replaced. The file is flushed to the disk before the rename. It gets the
    permissions of the file that it replaces, or those of a new file. OSErrors name `path`, not the temporary one.
    Without `overwrite`, raises FileExistsError if `path` has appeared in the meantime. Raises HfpieError for a pipe or
    a device, which is never replaced.
    """
    check_ordinary(path)
    path = path.resolve()
    lock, temporary = _make_locked(partial(_new_file, path))
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        with suppress(PermissionError):  # file systems of memory cards and sticks have no permissions
            temporary.chmod(_permissions(path))
        if overwrite:
            temporary.replace(path)
        else:
            _rename_to_free(temporary, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def sweep(folders: Iterable[Path]) -> int:
    """Remove temporary files and folders that ended processes left in folders; returns their number.

    A running process keeps its own locked, also for other machines. Unfinished files stay.
    """
    swept = 0
    for folder in folders:
        with suppress(OSError):
            swept += sum(_sweep_one(path) for path in folder.iterdir() if _is_temporary(path.name))
    return swept


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A new folder below `parent`, removed with all that it holds when the block ends."""
    lock, path = _make_locked(lambda: Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent)))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _is_temporary(name: str) -> bool:
    return name.startswith(TEMPORARY) and not name.endswith(UNFINISHED)


def _sweep_one(path: Path) -> bool:
    with suppress(OSError), _opened(path) as handle:
        if _lock(handle):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            return True
    return False


def _make_locked(make: Callable[[], Path]) -> tuple[int | None, Path]:
    """(the handle that locks it until it is closed, what `make` made); None where there are no locks."""
    while True:
        path = make()
        try:
            with _opened(path) as handle:
                if _lock(handle) and path.exists():
                    return os.dup(handle), path
        except FileNotFoundError:
            pass
        except OSError:  # nothing is swept there, and Windows, which has none, renames no open file
            return None, path
        # another process is sweeping


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A handle of a file or a folder that is no link, closed at the end."""
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, os.O_RDWR | flags)
    except IsADirectoryError:
        handle = os.open(path, os.O_RDONLY | flags)
    try:
        yield handle
    finally:
        os.close(handle)


def _new_file(path: Path) -> Path:
    """An empty file beside `path`, with its suffix. OSErrors name `path`."""
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    os.close(handle)
    return Path(name)


def unfinished_path(target: Path) -> Path:
    """Path of the unfinished part of a file, beside it, however long its name is."""
    target = target.resolve()
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.with_name(f"{TEMPORARY}{digest}{UNFINISHED}")


def open_unfinished(target: Path) -> tuple[IO[bytes], Path]:
    """(the unfinished part of a file, open to read and write, its path): new if there is none, locked while it is open.

    Raises HfpieError if another process has it open.
    """
    path = unfinished_path(target)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        file = os.fdopen(os.open(path, flags, 0o666), "r+b")
        try:
            with suppress(OSError):  # a file system without locks
                if not _lock(file.fileno()):
                    raise HfpieError(f"{target}: another process is writing it", "wait for it, or choose another name")
                if os.fstat(file.fileno()).st_nlink == 0:  # another process has just finished it
                    file.close()
                    continue
        except BaseException:
            file.close()
            raise
        return file, path


def _lock(handle: int) -> bool:
    """Lock an open file; False if it is locked already. Raises OSError where there are no locks."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def check_new(path: Path, *, overwrite: bool) -> None:
    """Raise HfpieError if a file cannot be written there or, without `overwrite`, already exists."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: no such folder: {path.parent}", "create it first, or use another file")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, not a file", "use a file name")
    check_ordinary(path)
    if path.exists() and not overwrite:
        raise UsageError(f"{path}: already exists", "use --overwrite, or another file name")
    _check_writable(path.parent)


def check_page(path: Path, *, overwrite: bool) -> None:
    """Raise HfpieError as `check_new` does, and for a file that is not named like a page."""
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"{path}: not a page name", "use a file name ending in .html")
    check_new(path, overwrite=overwrite)


def check_folder_name(folder: Path, option: str) -> None:
    """Raise HfpieError if a folder is missing and cannot be made, or cannot be written to. Makes nothing."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"{there}: is a file, not a folder", f"name a folder with {option}")
    _check_writable(there)


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HfpieError(f"{folder}: cannot write to this folder", "use another folder, or change its permissions")


def check_ordinary(path: Path) -> None:
    """Raises HfpieError if something other than an ordinary file is at `path`, OSError for an impossible name."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode):
        raise HfpieError(f"{path}: is {kind_of(mode)}, not a file", "use a file name")


def kind_of(mode: int) -> str:
    """The kind of a special file, in words, from its `stat` mode."""
    return next((words for is_one, words in KINDS.items() if is_one(mode)), "a device")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content in hex digits, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _permissions(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _rename_to_free(temporary: Path, path: Path) -> None:
    """Rename without replacing: a hard link fails where a rename would replace."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.replace(path)


def make_folders(folders: Iterable[Path]) -> None:
    """Create the folders. Raises HfpieError naming one that cannot be written to."""
    for folder in dict.fromkeys(folders):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HfpieError(
                f"{folder}: cannot create this folder ({error.strerror})", "choose another --output"
            ) from None
        _check_writable(folder)


def walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Files and folders in a folder; recursively, all files below it, and those folders that are links or locked.

    Hidden folders are not entered.
    """
    if not recursive:
        yield from folder.iterdir()
        return
    locked: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=locked.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in (*files, *links))
    for error in locked:
        if Path(error.filename) == folder:
            raise error
        yield Path(error.filename)
