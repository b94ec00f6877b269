"""Cache of pickles with known hash that were converted to safetensors. Does not import torch."""

from __future__ import annotations

from pathlib import Path

from ..files import cache_folder, sha256_of, sweep, temporary_folder

SUFFIX = ".safetensors"


def is_converted(sha256: str) -> bool:
    """Whether the pickle of this SHA-256 was converted; the file's content is not checked."""
    return any(_folder(sha256).glob(f"*{SUFFIX}"))


def find_converted(sha256: str) -> Path | None:
    """The file converted from the pickle of this SHA-256, None if there is none. One that was changed is removed."""
    for path in _folder(sha256).glob(f"*{SUFFIX}"):
        if sha256_of(path) == path.stem:
            return path
        path.unlink(missing_ok=True)
    return None


def make_converted(pickle: Path, sha256: str) -> Path:
    """Convert the verified pickle. Raises as `convert` does, and then leaves no file.

    The file is named by its own SHA-256, so that it can be verified at every use.
    """
    from .convert import convert

    folder = _folder(sha256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep([folder.parent])
    with temporary_folder(folder.parent) as making:
        made = making / f"net{SUFFIX}"
        convert(pickle, made, overwrite=False)
        folder.mkdir(exist_ok=True)
        return made.replace(folder / f"{sha256_of(made)}{SUFFIX}")


def _folder(sha256: str) -> Path:
    return cache_folder() / "converted" / sha256
