"""Finds and checks the files of recipes and of a run's folder, without loading torch."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from ..data.matching import RUN_MARKS
from ..errors import UsageError
from ..files import check_folder_name
from ..suggest import did_you_mean
from .state import STATE

LENGTHS = ("steps", "minutes")  # of a run, by key: exactly one is set
BEST, LOCK = "best.safetensors", ".lock"
CONFIG, DATA_FILE = RUN_MARKS  # the recipe; folders of the pictures, and a hash of their names
RUN_FILES = (CONFIG, STATE, BEST, "log.csv", DATA_FILE)


def check_begun(folder: Path) -> None:
    """Raises UsageError for a folder without a run to continue."""
    if not all((folder / name).exists() for name in (CONFIG, STATE)):
        raise UsageError(f"{folder}: no run to resume", "remove --resume to start one")


def check_free(folder: Path) -> None:
    """Raises HfpieError for a folder that holds a run, or that cannot be made or written to."""
    check_folder_name(folder, "--output")
    if any((folder / name).exists() for name in RUN_FILES):
        hint = f"use --resume {folder}, or another folder with --output"
        raise UsageError(f"{folder}: already holds a run", hint)


def recipe_path(name: str, purpose: str) -> Path:
    """The file of a recipe: a path if `name` ends in .toml, else the package's NAME-PURPOSE, NAME, or PURPOSE.

    purpose: a task, or a task and `-gan`. Raises UsageError if there is none.
    """
    if name.endswith(".toml"):
        return Path(name)
    folder = Path(str(resources.files(__package__) / "recipes"))
    for stem in (f"{name}-{purpose}", name, purpose):
        if (folder / f"{stem}.toml").exists():
            return folder / f"{stem}.toml"
    known = sorted(path.stem for path in folder.glob("*.toml"))
    raise UsageError(
        f"no recipe {name!r}" + (f" for {purpose}" if purpose else ""),
        f"{did_you_mean(name, known)} (or name a .toml file)",
    )


def read_recipe(path: Path) -> dict[str, Any]:
    """The content of a recipe file, with keys and values unchecked.

    `extends = "compact-deblur"` takes the keys that the file lacks from that recipe, beside it or of the package; a
    section replaces the whole section. Raises UsageError for what is not TOML or cannot be extended.
    """
    keys = _parsed(path)
    base = keys.pop("extends", None)
    if base is None:
        return keys
    if not isinstance(base, str):
        raise UsageError(f"{path}: extends must be the name of a recipe, not {base!r}")
    beside = path.parent / f"{base}.toml"
    extended = _parsed(beside if beside.exists() and beside != path else recipe_path(base, ""))
    if "extends" in extended:
        raise UsageError(f"{path}: {base} extends another recipe itself", "extend that one")
    if not keys.keys().isdisjoint(LENGTHS):
        extended = {key: value for key, value in extended.items() if key not in LENGTHS}
    return extended | keys


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such recipe", "check the path, or name a recipe: compact, paper") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML ({error})", "correct it, or name a recipe: compact, paper") from None
