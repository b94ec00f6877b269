"""The table of checkpoints (weights.toml) and the way from a name to a verified file. Knows nothing of torch."""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .errors import UnavailableError
from .tasks import TASKS

PACKAGE = Path(__file__).parent
SHIPPED = PACKAGE / "checkpoints"
DEFAULT_TILE, DEFAULT_OVERLAP = 256, 32  # pixels, for files that are not in the table
TEST_WEIGHTS = "unit-test"


@dataclass(frozen=True)
class Entry:
    """One checkpoint of weights.toml.

    tile, overlap, stride: input pixels. size: bytes. flop: per input pixel, a multiply-add counts as two.
    scores: what was measured, by protocol.
    """

    name: str
    task: str
    scale: int
    stride: int
    tile: int
    overlap: int
    file: str
    size: int
    sha256: str
    licence: str
    trained_on: str
    flop: int = 0
    parameters: int = 0
    scores: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """A checkpoint's file that is there and is what it should be, with the tiling that belongs to it."""

    name: str
    path: Path
    tile: int = DEFAULT_TILE
    overlap: int = DEFAULT_OVERLAP


@cache
def table() -> dict[str, Entry]:
    """Every entry of weights.toml by name: the file in the package, or beside it in a source checkout."""
    path = PACKAGE / "weights.toml"
    path = path if path.exists() else PACKAGE.parent / "weights.toml"
    entries: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {f.name for f in dataclasses.fields(Entry)} - {"name"}
    for name, entry in entries.items():
        if unknown := set(entry) - known:
            raise UnavailableError(f"{path}: unknown key {unknown.pop()!r} in {name}")
    return {name: Entry(name, **entry) for name, entry in entries.items()}


def default_weights(task: str, *, gan: bool = False) -> str:
    """The name of the checkpoint that a task uses when none is named. Raises UnavailableError if it has none yet."""
    name = TASKS[task].gan_weights if gan else TASKS[task].weights
    if gan and name not in table():
        hint = f"leave --gan out, or train them: hfpie train --task {task} --gan --init CHECKPOINT"
        raise UnavailableError(f"the GAN weights for {task} are not trained yet", hint)
    return name


def resolve(name: str) -> Weights:
    """Find and verify weights: a task's name, a name in the table, or the path of a safetensors file.

    Raises UnavailableError for a name that is not there, a file that is missing or whose SHA-256 is another.
    """
    name = TASKS[name].weights if name in TASKS else name
    entry = table().get(name)
    if entry is not None:
        path = SHIPPED / entry.file
        if not path.exists():
            raise UnavailableError(f"{name}: its file {path} is not there", "install hfpie again")
        _verify(path, entry.sha256)
        return Weights(name, path, entry.tile, entry.overlap)
    path = Path(name)
    if path.suffix == ".safetensors" or path.exists():
        return Weights(path.stem, path)
    known = ", ".join(sorted(set(table()) - {TEST_WEIGHTS}))
    raise UnavailableError(f"no weights named {name!r}", f"there are {known}, or give a .safetensors file")


def _verify(path: Path, expected: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise UnavailableError(f"{path}: SHA-256 is {found}, should be {expected}", "install hfpie again")
