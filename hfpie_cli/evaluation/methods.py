"""The rows of a table: the degraded input, classical methods, and networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..files import sha256_of
from ..hub.client import Hub
from ..outcome import Progress
from ..photos.photo import Photo
from ..restore import Restorer
from ..tasks import TASKS
from ..weights.registry import default_weights, resolve
from .baselines import BASELINES
from .question import check_scale
from .scoring import Method, at_once, input_method


@dataclass(frozen=True)
class NetworkSettings:
    """How networks run, as on the command line; None leaves the checkpoint's own value."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: str = "auto"
    """auto, fp32, bf16 or fp16."""
    tile: int | None = None
    """Tile side, pixels."""
    overlap: int | None = None
    """Tile overlap, pixels."""
    tta: bool = False
    """Whether to average over 8 turns and flips."""


@dataclass(frozen=True)
class TestedNetwork:
    """A network under test."""

    name: str
    """As the user named it."""
    sha256: str
    """Hash of its file."""
    how: str
    """Device, precision and tiles, for the report."""
    restorer: Restorer
    """Runs it."""

    def restore(self, photo: Photo, progress: Progress) -> Photo:
        """Restore a photo as `hfpie` does."""
        return self.restorer.restore(photo, progress).photo

    @property
    def made_with(self) -> dict[str, str]:
        """Its part of a record."""
        device = self.restorer.device
        return {"sha256": self.sha256, "device": str(device.torch_device), "precision": device.precision}

    @property
    def method(self) -> Method:
        """Its row."""
        return Method(self.name, self.restore, f"{self.sha256} {self.how}")


def load_networks(task: str, names: Sequence[str], settings: NetworkSettings, hub: Hub) -> list[TestedNetwork]:
    """The networks of named weights or files, or the task's own. Raises UsageError for one of another scale."""
    networks = []
    for name in names or [default_weights(task)]:
        weights = resolve(name, hub, task=task, force=True)  # weights of any task; names of this task are suggested
        restorer = Restorer.from_weights(
            weights,
            device=settings.device,
            precision=settings.precision,
            tile=settings.tile,
            overlap=settings.overlap,
            tta=settings.tta,
        )
        check_scale(name, restorer.scale, task)
        tta = ", mean of 8 turns" if settings.tta else ""
        how = f"{restorer.device.name}, tiles of {restorer.tile} overlapping by {restorer.overlap}{tta}"
        networks.append(TestedNetwork(name, sha256_of(weights.path), how, restorer))
    return networks


def classical_methods(task: str) -> list[Method]:
    """The degraded input, if it has the size of the clean picture, and the methods without training."""
    plain = [] if TASKS[task].enlarges else [input_method()]
    return plain + [Method(name, at_once(restore)) for name, restore in BASELINES.get(task, {}).items()]
