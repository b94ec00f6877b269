"""The configuration of a training run: a recipe (TOML) with every key known, checked and kept in the run."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from .checkpoint import Config
from .errors import UsageError
from .files import atomic_path
from .losses import GmsMask, LossConfig
from .models.highpass import HighpassConfig
from .models.network import NetworkConfig

DECAY_SHARE = 0.2  # of the steps, at the end, over which the rate falls to zero


@dataclass(frozen=True)
class TrainConfig:
    """A recipe. Every key stands in the TOML file under the same name; dataclasses are tables of their own.

    degradation: names of DEGRADATIONS and their shares. validation: degradations scored on held-out pictures.
    crop: side of the clean crops, pixels. batch: crops a step. rate: of the optimiser, constant after `warmup` steps,
    falling linearly to zero over the last fifth. clip: largest norm of the gradient. ema: decay of the weight average.
    """

    task: str
    network: Config
    degradation: dict[str, float]
    validation: tuple[str, ...]
    crop: int
    batch: int
    steps: int
    optimizer: str = "muon"
    rate: float = 4e-3
    warmup: int = 100
    clip: float = 0.5
    ema: float = 0.999
    precision: str = "fp32"
    seed: int = 0
    validate_every: int = 500
    save_seconds: int = 240
    losses: LossConfig = field(default_factory=LossConfig)

    @property
    def scale(self) -> int:
        """Of the network's enlargement."""
        return self.network.scale if isinstance(self.network, NetworkConfig) else 1

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        left = (self.steps - step) / (DECAY_SHARE * self.steps)
        return self.rate * min(1.0, (step + 1) / max(self.warmup, 1), left)


def load_config(path: Path, **changes: Any) -> TrainConfig:
    """Read a recipe; `changes` that are not None override its keys. Raises UsageError for what it does not know."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such recipe") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML ({error})") from None
    table.update({key: value for key, value in changes.items() if value is not None})
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    if unknown := sorted(set(table) - known):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}", f"the keys are {', '.join(sorted(known))}")
    try:
        kind = HighpassConfig if table["task"] == "highpass" else NetworkConfig
        table["network"] = kind(**table["network"])
        losses = dict(table.pop("losses", {}))
        table["losses"] = LossConfig(**losses | {"gms_mask": GmsMask(**losses.pop("gms_mask", {}))})
        table["validation"] = tuple(table["validation"])
        return TrainConfig(**table)
    except KeyError as error:
        raise UsageError(f"{path}: the key {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None


def recipe_path(name: str) -> Path:
    """The file of a recipe that the package ships, such as `compact-denoise`, or the path that `name` is."""
    if name.endswith(".toml"):
        return Path(name)
    folder = Path(str(resources.files("hfpie_cli") / "recipes"))
    path = folder / f"{name}.toml"
    if not path.exists():
        raise UsageError(f"no recipe {name!r}", f"there are {', '.join(sorted(p.stem for p in folder.glob('*.toml')))}")
    return path


def write_config(config: TrainConfig, path: Path) -> None:
    """Write the configuration as a recipe that `load_config` reads."""
    table = dataclasses.asdict(config)
    sections = {name: table.pop(name) for name in ("network", "degradation", "losses")}
    sections["losses.gms_mask"] = sections["losses"].pop("gms_mask")
    lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
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
