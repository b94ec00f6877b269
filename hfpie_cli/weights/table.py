"""The table of checkpoints (weights.toml) and the way from a name to a verified file. Knows nothing of torch."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UnavailableError
from ..files import sha256_of
from ..hub.client import SCHEME, Hub, HubFile, fetch, is_cached
from ..hub.lock import fetch_locked, pinned_file
from ..tasks import TASKS

PACKAGE = Path(__file__).parent.parent
SHIPPED = PACKAGE / "checkpoints"
DEFAULT_TILE, DEFAULT_OVERLAP = 256, 32  # pixels, for files that are not in the table
TEST_WEIGHTS = "unit-test"
PICKLES = {".pth", ".pt", ".ckpt", ".bin", ".pkl"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One checkpoint of weights.toml.

    stride, tile, overlap: input pixels. size: bytes, 0 if it is not known before the download. flop: per input pixel,
    a multiply-add counts as two. file: its name in the package, or its path in `repo`, a repository of the Hub.
    revision: there. pinned: whether sha256 is known; if not, what the Hub publishes at the first download holds.
    source: the page that tells more of somebody else's checkpoint, empty for our own. scores: measured, by protocol.
    """

    name: str
    task: str
    scale: int
    stride: int = 1
    tile: int
    overlap: int
    file: str
    size: int = 0
    sha256: str = ""
    licence: str
    trained_on: str = ""
    flop: int = 0
    parameters: int = 0
    repo: str = ""
    revision: str = ""
    pinned: bool = True
    source: str = ""
    scores: dict[str, str] = field(default_factory=dict)

    @property
    def shipped(self) -> Path | None:
        """The file in the package, None if the package is without it."""
        path = SHIPPED / self.file
        return path if path.exists() else None

    @property
    def on_hub(self) -> HubFile | None:
        """The file on the Hub, None while it is not published."""
        return HubFile(self.repo, self.file, self.revision) if self.repo else None


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
    return {name: Entry(name=name, **entry) for name, entry in entries.items()}


def default_weights(task: str, *, gan: bool = False) -> str:
    """The name of the checkpoint that a task uses when none is named."""
    return TASKS[task].gan_weights if gan else TASKS[task].weights


def resolve(name: str, hub: Hub | None = None) -> Weights:
    """Find and verify weights: a task's name, a name in the table, `hf://owner/repo/file@revision`, or a file's path.

    A name is looked for in the package, in the cache, then on the Hub (`hub`, by default as the environment says). Its
    file is read in full to compare its SHA-256 every time: remembering that it was right would trust whoever may write
    to the cache. Raises UnavailableError for what is not there or not what it should be.
    """
    name = TASKS[name].weights if name in TASKS else name
    entry = table().get(name)
    if entry is not None:
        return Weights(name, locate(entry, hub or Hub.from_environment()), entry.tile, entry.overlap)
    file = HubFile.parse(name) if name.startswith(SCHEME) else None
    path = Path(file.path if file else name)
    if path.suffix.lower() in PICKLES:
        hint = f"convert it first: hfpie weights convert {path.name if file else name}"
        raise UnavailableError(f"{name}: a pickle can run any code, so hfpie loads safetensors only", hint)
    if file is not None:
        return Weights(str(file), fetch(file, hub or Hub.from_environment()).path)
    if path.suffix == ".safetensors" or path.exists():
        return Weights(path.stem, path)
    known = ", ".join(sorted(set(table()) - {TEST_WEIGHTS}))
    raise UnavailableError(f"no weights named {name!r}", f"there are {known}, or give a .safetensors file")


def whereabouts(entry: Entry, hub: Hub) -> str:
    """Where an entry's file is at this moment: `shipped`, `cached`, `on the Hub`, or `missing`."""
    if entry.shipped is not None:
        return "shipped"
    if entry.on_hub is None:
        return "missing"
    return "cached" if is_cached(pinned_file(entry.on_hub), hub) else "on the Hub"


def locate(entry: Entry, hub: Hub) -> Path:
    """The verified file of an entry: the package's, or else the Hub's, which is downloaded unless it is in the cache.

    Raises UnavailableError if it cannot be had or is not what it should be.
    """
    if entry.shipped is not None:
        found = sha256_of(entry.shipped)
        if found != entry.sha256:
            message = f"{entry.shipped}: SHA-256 is {found}, should be {entry.sha256}"
            raise UnavailableError(message, "install hfpie again")
        return entry.shipped
    if entry.on_hub is None:
        raise UnavailableError(f"{entry.name}: its file {SHIPPED / entry.file} is not there", "install hfpie again")
    if entry.pinned:
        return fetch(entry.on_hub, hub, sha256=entry.sha256).path
    return fetch_locked(entry.on_hub, hub).path
