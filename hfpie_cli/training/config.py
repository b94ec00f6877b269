"""The configuration of a training run: a recipe (TOML), whose keys are all checked, saved with the run."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..data.catalogue import TRAINING_SETS
from ..data.crops import PAIRS
from ..degradations.named import DEGRADATIONS
from ..errors import UsageError
from ..files import atomic_path
from ..models.highpass import HighpassConfig
from ..models.network import NetworkConfig
from ..shown import counted, either
from ..weights.checkpoint import Config
from .layout import LENGTHS, read_recipe
from .losses import GmsMask, LossConfig

OPTIMIZERS = ("adam", "muon")
PRECISIONS = ("auto", "fp32", "bf16")
MANY = 10**9
RANGES = {  # of plain numbers
    "batch": (1, MANY),
    "steps": (0, MANY),
    "minutes": (0, MANY),
    "rate": (1e-9, 10),
    "weight_decay": (0, 100),
    "warmup_share": (0, 1),
    "clip": (0, MANY),
    "ema": (0, 0.999999),
    "decay_per_1000": (1e-9, 1),
    "decay_share": (0, 1),
    "dark": (0, 1),
    "drawn": (0, 1),
    "shrunk": (0, 1),
    "sharpened": (0, 1),
    "seed": (0, MANY),
    "echo": (1, 1000),
    "validate_every": (1, MANY),
    "save_seconds": (0, MANY),
}
CROP_MULTIPLE = 8  # of crop sides, pixels: networks and discriminators halve them repeatedly

Section = TypeVar("Section")


@dataclass(frozen=True)
class Finish:
    """Large crops at the end of a run, for the network's averages over whole pictures (paper 4.1)."""

    share: float = 0.0
    """Share of the run."""
    crop: int = 0
    """Side of the clean crops, pixels."""
    batch: int = 0
    """Crops a step."""


@dataclass(frozen=True)
class TrainConfig:
    """A recipe. The TOML file has the same keys; dataclasses are its sections."""

    task: str
    """A key of TRAINING_SETS."""
    network: Config
    """Shape of the network."""
    degradation: dict[str, float]
    """Shares by names of DEGRADATIONS, and `pairs` for those of a paired data set."""
    validation: tuple[str, ...]
    """Degradations scored on held-out pictures."""
    crop: int
    """Side of the clean crops, pixels."""
    batch: int
    """Crops a step, over all processes."""
    steps: int = 0
    """Length of the run; or `minutes`."""
    minutes: float = 0.0
    """Length of the run; or `steps`."""
    optimizer: str = "muon"
    """adam or muon."""
    rate: float = 4e-3
    """Peak learning rate."""
    weight_decay: float = 0.1
    """Weight decay of Muon's kernels."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Betas of Adam."""
    warmup_share: float = 0.02
    """Share of the run in which the rate rises linearly."""
    clip: float = 0.5
    """Largest norm of the gradient; 0 for no limit."""
    ema: float = 0.999
    """Decay of the weight average; 0 for no average."""
    decay_per_1000: float = 1.0
    """Factor of the rate every 1,000 steps."""
    decay_share: float = 0.2
    """Share of the run, at its end, in which the rate falls linearly to zero."""
    precision: str = "auto"
    """fp32, bf16, or auto for what is fast on the device."""
    compile: bool = False
    """Whether to use torch.compile."""
    seed: int = 0
    """Seed of every random number."""
    validate_every: int = 500
    """Steps between validations; in a run by the clock they take at most a twentieth of the time."""
    save_seconds: int = 240
    """Longest time between saved states."""
    dark: float = 0.0
    """Share of clean crops that first lose up to 3 stops of light."""
    drawn: float = 0.0
    """Share of crops that are drawn (text, lines, flat shapes, skies), not photographed."""
    shrunk: float = 0.0
    """Share of crops of photographs shrunk by up to 2 first: finer detail. Half of those held out are, too."""
    sharpened: float = 0.0
    """Share of crops of photographs that an unsharp mask sharpens first, as many published pictures are."""
    echo: int = 1
    """Steps for each degraded batch (loading.Echoes); above 1, a resumed run differs in its last bits."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Weights of the losses."""
    finish: Finish = field(default_factory=Finish)
    """Large crops at the end."""

    def __post_init__(self) -> None:
        """Raises ValueError for settings that cannot be trained."""
        if self.task not in TRAINING_SETS:
            raise ValueError(f"task must be {either(list(TRAINING_SETS))}, not {self.task!r}")
        self._check_degradations()
        self._check_crops()
        for name, choices in (("optimizer", OPTIMIZERS), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low:g} to {high:g}, not {getattr(self, name)}")
        if (self.steps > 0) == (self.minutes > 0):
            raise ValueError("set exactly one of steps and minutes, to more than 0")
        betas = self.betas if isinstance(self.betas, tuple) else ()
        if len(betas) != 2 or not all(type(beta) in (int, float) and 0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers from 0 to below 1, not {self.betas}")

    def _check_degradations(self) -> None:
        if not isinstance(self.degradation, dict):
            raise ValueError(f"degradation must give shares, such as degradation.awgn-25 = 1, not {self.degradation!r}")
        if not isinstance(self.validation, tuple) or not all(isinstance(name, str) for name in self.validation):
            raise ValueError(f'validation must be a list of names, such as ["awgn-25"], not {self.validation!r}')
        for name in (*self.degradation, *self.validation):
            if name not in (*DEGRADATIONS, PAIRS):
                raise ValueError(f"no degradation {name!r}; choose from {', '.join((*DEGRADATIONS, PAIRS))}")
            if name != PAIRS and DEGRADATIONS[name].scale != self.scale:
                raise ValueError(f"{name} is for networks of scale {DEGRADATIONS[name].scale}, not {self.scale}")
        for name, share in self.degradation.items():
            if type(share) not in (int, float) or not 0 < share < math.inf:
                raise ValueError(f"the share of {name} must be a positive number, not {share!r}")
        if not self.degradation or not self.validation:
            raise ValueError("degradation and validation must each name at least one")

    def _check_crops(self) -> None:
        crops = [("crop", self.crop)]
        if not 0 <= self.finish.share <= 1:
            raise ValueError(f"finish.share must be 0 to 1, not {self.finish.share}")
        if self.finish.share > 0:
            crops.append(("finish.crop", self.finish.crop))
            if self.finish.batch < 1:
                raise ValueError("finish.batch must be positive")
        for name, value in crops:
            if value < CROP_MULTIPLE or value % CROP_MULTIPLE:
                raise ValueError(f"{name} must be a positive multiple of {CROP_MULTIPLE}")
        small = min(side for _, side in crops) < 2 * CROP_MULTIPLE
        if small and (self.losses.is_adversarial or self.losses.perceptual > 0):
            raise ValueError(f"adversarial and perceptual losses need crops of at least {2 * CROP_MULTIPLE} pixels")

    @property
    def scale(self) -> int:
        """Enlargement of the network."""
        return getattr(self.network, "scale", 1)

    @property
    def length(self) -> str:
        """Length of the run, in words."""
        return counted(self.minutes, "minute") if self.minutes else counted(self.steps, "step")

    def rate_at(self, progress: float, step: int) -> float:
        """The learning rate at a part of the run (0 to 1), in a step counted from 0."""
        rising = progress / self.warmup_share if self.warmup_share else 1.0
        falling = (1 - progress) / self.decay_share if self.decay_share else 1.0
        return self.rate * self.decay_per_1000 ** (step // 1000) * min(1.0, rising, falling)

    def crops_at(self, progress: float) -> tuple[int, int]:
        """(side of the crops in pixels, crops of the batch) at a part of the run (0 to 1)."""
        finishing = self.finish.share > 0 and progress >= 1 - self.finish.share
        return (self.finish.crop, self.finish.batch) if finishing else (self.crop, self.batch)


def load_config(path: Path, changes: Sequence[str] = ()) -> TrainConfig:
    """Read a recipe; `changes` such as "steps=500" or "losses.gms=true" override its keys, with values as in TOML.

    Steps replace a recipe's minutes, and minutes its steps. Raises UsageError for unknown keys and invalid values.
    """
    keys = read_recipe(path)
    where = f"{path.name} with {', '.join(changes)}" if changes else str(path)
    try:
        _choose_length(keys, changes)
        for change in changes:
            _override(keys, change)
        kind = HighpassConfig if keys["task"] == "highpass" else NetworkConfig
        losses = _as_section("losses", keys.get("losses", {}))
        mask = _read(GmsMask, "losses.gms_mask", losses.get("gms_mask", {}))
        keys["network"] = _read(kind, "network", keys["network"])
        keys["losses"] = _read(LossConfig, "losses", losses | {"gms_mask": mask})
        keys["finish"] = _read(Finish, "finish", keys.get("finish", {}))
        for name in ("validation", "betas"):
            if isinstance(value := keys.get(name), list):
                keys[name] = tuple(value)
        return _read(TrainConfig, "", keys)
    except KeyError as error:
        raise UsageError(f"{where}: the key {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from None


def _choose_length(keys: dict[str, Any], changes: Sequence[str]) -> None:
    """Drop the recipe's own length if the changes have one."""
    if {change.partition("=")[0].strip() for change in changes} & set(LENGTHS):
        for name in LENGTHS:
            keys.pop(name, None)


def _override(keys: dict[str, Any], change: str) -> None:
    key, separator, text = change.partition("=")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    if not separator:
        raise UsageError(f"{change!r} is not a setting", "write KEY=VALUE, such as losses.gms=true")
    *sections, last = key.strip().split(".")
    for name in sections:
        keys = keys.setdefault(name, {})
        if not isinstance(keys, dict):
            raise ValueError(f"{name} is no section with keys: set {name}=VALUE")
    keys[last] = value


def _read(kind: type[Section], section: str, keys: dict[str, Any]) -> Section:
    """A dataclass from a section, "" for the recipe itself; ValueError for an unknown key or a wrong type."""
    known = typing.get_type_hints(kind)
    place = f"{section}." if section else ""
    if unknown := sorted(set(_as_section(section, keys)) - set(known)):
        where = f" of {section}" if section else ""
        raise ValueError(f"unknown key {unknown[0]!r}{where}; known keys: {', '.join(known)}")
    for part in dataclasses.fields(kind):  # type: ignore[arg-type]
        if part.name not in keys and part.default is part.default_factory is dataclasses.MISSING:
            raise ValueError(f"the key {place + part.name!r} is missing")
    for name, value in keys.items():
        wanted = known[name]
        if wanted in (bool, int, str) and type(value) is not wanted:
            raise ValueError(f"{place}{name} must be of type {wanted.__name__}, not {value!r}")
        if wanted is float and (type(value) not in (int, float) or not math.isfinite(value)):
            raise ValueError(f"{place}{name} must be a number, not {value!r}")
    return kind(**keys)


def _as_section(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(
            f"{name} must be a section with keys, such as [{name}] or --set {name}.KEY=VALUE, not {value!r}"
        )
    return value


def write_config(config: TrainConfig, path: Path) -> None:
    """Write the configuration as a recipe that `load_config` reads."""
    keys = dataclasses.asdict(config)
    sections = {name: keys.pop(name) for name in ("network", "degradation", "losses", "finish")}
    sections["losses.gms_mask"] = sections["losses"].pop("gms_mask")
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items() if value or key not in LENGTHS]
    for name, section in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in section.items())]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
