"""The pictures of a run: their folders, their record in the run's folder, and the recipe's degradations for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.crops import PAIRS
from ..data.matching import check_folder, check_sides
from ..data.training_set import TrainingSet
from ..errors import UsageError
from ..files import atomic_path
from .config import TrainConfig
from .layout import DATA_FILE


@dataclass(frozen=True)
class Folders:
    """Folders to train on: `data`, or `degraded` and `clean`."""

    data: Path | None = None
    """Photographs, or a published data set."""
    degraded: Path | None = None
    """Degraded pictures of pairs."""
    clean: Path | None = None
    """Their clean originals."""

    def __post_init__(self) -> None:
        """Raises UsageError for one side of pairs, UnavailableError for a folder that is missing."""
        check_sides(self.degraded, self.clean)
        for folder in filter(None, vars(self).values()):
            check_folder(folder)

    def __bool__(self) -> bool:
        return any(vars(self).values())


def folders_of(run: Path) -> Folders | None:
    """The folders that the run began with; None if its folder does not record them."""
    path = run / DATA_FILE
    if not path.exists():
        return None
    begun = _begun_with(path)
    return Folders(*(Path(begun[name]) if begun[name] else None for name in ("data", "degraded", "clean")))


def keep_folders(run: Path, folders: Folders, data: TrainingSet, say: Callable[[str], None]) -> None:
    """Record the run's folders; warn if the pictures have changed since the run began."""
    path = run / DATA_FILE
    if path.exists() and _begun_with(path)["pictures"] != data.fingerprint():
        say("the pictures have changed since the run began: its best score may not be comparable")
    named = {name: str(folder.resolve()) if folder else None for name, folder in vars(folders).items()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({**named, "pictures": data.fingerprint()}, indent=2) + "\n", encoding="utf-8")


def _begun_with(path: Path) -> dict[str, Any]:
    """The record of `keep_folders`. Raises UsageError if it was changed since and is incomplete."""
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        return {name: begun[name] for name in ("data", "degraded", "clean", "pictures")}
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: changed since hfpie wrote it", "delete it and use --data") from None


def for_pictures(config: TrainConfig, data: TrainingSet, folders: Folders, say: Callable[[str], None]) -> TrainConfig:
    """The configuration for these pictures: pairs replace its degradations if it does not mention pairs.

    Raises UsageError if it needs pairs or photographs that are missing.
    """
    if folders.data and folders.degraded and PAIRS not in config.degradation:
        message = "the recipe sets no share for pairs, so it cannot mix them with photographs"
        raise UsageError(message, "remove --data or the pairs, or use --set degradation.pairs=0.3")
    if len(data.paired) and PAIRS not in config.degradation:
        say(f"training on pairs instead of the recipe's {', '.join(config.degradation)}")
        config = replace(config, degradation={PAIRS: 1.0}, validation=(PAIRS,))
    named = {*config.degradation, *config.validation}
    if PAIRS in named and not len(data.paired):
        raise UsageError(
            "the recipe trains on pairs, but none are given", "name their folders with --degraded and --clean"
        )
    if named - {PAIRS} and not len(data.photos):
        raise UsageError("the recipe degrades photographs, but none are given", "name their folder with --data")
    return config
