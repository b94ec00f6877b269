"""The catalogue of data sets (datasets.toml): their contents and where they are published."""

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

CATALOGUE = Path(__file__).parent / "datasets.toml"
DEFAULT_ROOT = cache_folder() / "data"
TRAINING_SETS = {
    **{task.name: task.data_set for task in TASKS.values()},
    "highpass": "DIV2K",
}  # by task


@dataclass(frozen=True)
class Track:
    """Published pairs of a data set."""

    name: str
    """Value of --degradation that selects it."""
    task: str
    """A key of TASKS."""
    degraded: str
    """Pattern of the degraded pictures, relative to DATA/NAME."""
    clean: str
    """Pattern of the clean pictures."""
    stand_in: str = ""
    """Degradation that makes the same pairs if the published ones are missing."""


@dataclass(frozen=True)
class Archive:
    """A zip file of a data repository."""

    file: str
    """Path in the repository."""
    gives: tuple[str, ...]
    """Folders that it unpacks to, below the data set's own."""
    train: bool = False
    """Whether only training needs it."""


@dataclass(frozen=True)
class Repository:
    """A data repository on the Hub."""

    repo: str
    """owner/name."""
    revision: str
    """Commit that is read."""
    archives: tuple[Archive, ...]
    """Its zip files."""


@dataclass(frozen=True)
class DataSet:
    """An entry of `datasets.toml`. Patterns are relative to DATA/NAME."""

    name: str
    """Its name on the command line."""
    about: str
    """What it holds, in a few words."""
    licence: str
    """Terms of use."""
    size: str
    """Size of the download, in words."""
    source: str
    """Where it comes from."""
    clean: str = ""
    """Pattern of pictures that a degradation is applied to."""
    pictures: int = 0
    """How many pictures `clean`, or else the first track, has when complete."""
    task: str | None = None
    """Task that it is scored for by default."""
    held_out: int = 0
    """Only this many of `clean`, from the end, are scored; they are never trained on."""
    tracks: tuple[Track, ...] = ()
    """Published pairs."""
    train: str = ""
    """Pattern of clean pictures to train on."""
    train_degraded: Mapping[str, str] = field(default_factory=dict)
    """Pattern of their published degraded pictures, by task."""
    train_source: str = ""
    """Where the training pictures come from, if elsewhere."""
    hub: Repository | None = None
    """Repository to download it from."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of its pictures, each once: those that are scored, then those to train on."""
        tracks = [pattern for track in self.tracks for pattern in (track.clean, track.degraded)]
        return tuple(dict.fromkeys(filter(None, [self.clean, *tracks, self.train, *self.train_degraded.values()])))

    def folder_below(self, root: Path) -> Path:
        """The set's folder below the data root. Raises UnavailableError, with how to get it, if it is missing."""
        folder = root / self.name
        if not folder.is_dir():
            raise UnavailableError(
                f"the data set {self.name} was not found at {folder}", self.advice(folder, self.patterns[0])
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
    entries: dict[str, dict[str, Any]] = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
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
