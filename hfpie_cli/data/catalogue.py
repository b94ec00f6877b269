"""The catalogue of data sets (datasets.toml): what each holds, where it is published. Knows nothing of pixels."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UnavailableError
from ..files import cache_folder
from ..tasks import TASKS

TABLE = Path(__file__).parent / "datasets.toml"
DEFAULT_ROOT = cache_folder() / "data"
TRAINING_SETS = {**{task.name: task.data_set for task in TASKS.values()}, "highpass": "DIV2K"}  # by what is trained


@dataclass(frozen=True)
class Track:
    """Published pairs of a data set, as `datasets.toml` explains."""

    name: str
    task: str
    degraded: str
    clean: str
    stand_in: str = ""


@dataclass(frozen=True)
class Archive:
    """A zip file of a data repository. gives: the folders below the set's own that it unpacks to.

    train: whether it is wanted for training only.
    """

    file: str
    gives: tuple[str, ...]
    train: bool = False


@dataclass(frozen=True)
class Repository:
    """A data repository on the Hub and the commit that it is read at."""

    repo: str
    revision: str
    archives: tuple[Archive, ...]


@dataclass(frozen=True)
class DataSet:
    """An entry of `datasets.toml`, which explains the fields."""

    name: str
    about: str
    licence: str
    size: str
    source: str
    clean: str = ""
    pictures: int = 0
    task: str | None = None
    held_out: int = 0
    tracks: tuple[Track, ...] = ()
    train: str = ""
    train_degraded: Mapping[str, str] = field(default_factory=dict)
    train_source: str = ""
    hub: Repository | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Where its pictures lie below its folder, each place once: those that are scored, then those to train on."""
        tracks = [pattern for track in self.tracks for pattern in (track.clean, track.degraded)]
        return tuple(dict.fromkeys(filter(None, [self.clean, *tracks, self.train, *self.train_degraded.values()])))

    def folder_below(self, root: Path) -> Path:
        """The set's folder below the data root. Raises UnavailableError, with how to get it, if it is not there."""
        folder = root / self.name
        if not folder.is_dir():
            raise UnavailableError(
                f"the data set {self.name} is not at {folder}", self.advice(folder, self.patterns[0])
            )
        return folder

    def advice(self, folder: Path, pattern: str) -> str:
        """What to do about a pattern that finds nothing in the set's folder: a command, or numbered steps."""
        steps = self.steps(folder, pattern)
        return numbered(steps, indent=0) if len(steps) > 1 else steps[0]

    def steps(self, folder: Path, pattern: str) -> list[str]:
        """The same as a list."""
        training = pattern in (self.train, *self.train_degraded.values())
        option = " --train" if training and self.hub and any(archive.train for archive in self.hub.archives) else ""
        source = self.train_source if training and self.train_source else self.source
        if self.hub:
            return [f"hfpie data pull {self.name}{option}  ({self.size}; also at {source})"]
        size = f" ({self.size})" if self.size else ""
        return [f"get {self.name}{size} from {source}", f"lay it out so that {folder / pattern} exists"]


@cache
def data_sets() -> Mapping[str, DataSet]:
    """Every entry of datasets.toml by name."""
    entries: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: _parse(name, entry) for name, entry in entries.items()}


def find(name: str) -> DataSet | None:
    """The entry of a name, upper or lower case, or None."""
    return {key.lower(): entry for key, entry in data_sets().items()}.get(name.lower())


def _parse(name: str, entry: dict[str, Any]) -> DataSet:
    entry["tracks"] = tuple(Track(**track) for track in entry.get("tracks", ()))
    if hub := entry.pop("hub", None):
        archives = tuple(Archive(**archive | {"gives": tuple(archive["gives"])}) for archive in hub["archives"])
        entry["hub"] = Repository(hub["repo"], hub["revision"], archives)
    return DataSet(name, **entry)


def numbered(steps: Iterable[str], indent: int = 2) -> str:
    """Steps, a line each."""
    return "\n".join(f"{' ' * indent}{number}. {step}" for number, step in enumerate(steps, 1))
