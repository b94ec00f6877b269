"""Checkpoints: a network's configuration and weights in one safetensors file. Nothing else is ever loaded."""

from __future__ import annotations

import dataclasses
import json
import math
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..errors import UnavailableError
from ..files import atomic_path
from ..models.experts import Experts, ExpertsConfig
from ..models.highpass import HighpassConfig, HighpassNetwork
from ..models.network import Network, NetworkConfig
from .kinds import FORMAT, check_kind, unreadable

MAX_PARAMETERS = 200_000_000
TOO_MANY = f"it has more than {MAX_PARAMETERS:,} weights"

Config = NetworkConfig | ExpertsConfig | HighpassConfig
ARCHITECTURES: dict[str, type[Config]] = {  # by the metadata key `architecture`
    "restoration-3": NetworkConfig,
    "experts-3": ExpertsConfig,
    "highpass": HighpassConfig,
}


@dataclass(frozen=True)
class Checkpoint:
    """A network's configuration and weights."""

    config: Config
    """Shape."""
    weights: Mapping[str, Tensor]
    """Tensors by name."""
    info: Mapping[str, str]
    """Free text: task, run, steps."""

    def network(self) -> nn.Module:
        """The network with these very weights, in evaluation mode: a second one would share them."""
        with _parameters_without_storage():  # random weights would take longer to draw than these to read
            network = build(self.config)
        network.load_state_dict(dict(self.weights), assign=True)
        return network.eval()


def build(config: Config) -> Network | Experts | HighpassNetwork:
    """A network of this shape, freshly initialised."""
    if isinstance(config, HighpassConfig):
        return HighpassNetwork(config)
    return Experts(config) if isinstance(config, ExpertsConfig) else Network(config)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically."""
    architecture = next(name for name, kind in ARCHITECTURES.items() if isinstance(checkpoint.config, kind))
    config = json.dumps(dataclasses.asdict(checkpoint.config))
    metadata = {"format": FORMAT, "architecture": architecture, "network": config, **checkpoint.info}
    weights = {name: weight.detach().cpu().contiguous() for name, weight in checkpoint.weights.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(as_safetensors(weights, metadata))  # so that a full disk is reported as such


def as_safetensors(weights: dict[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file of some weights, the same at every call, although the library orders metadata at random."""
    file = safetensors.torch.save(weights, dict(metadata))
    (length,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8 : 8 + length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps({"__metadata__": header.pop("__metadata__"), **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + memoryview(file)[8 + length :]


def is_ours(path: Path) -> bool:
    """Whether a safetensors file says that it is in our layout. Raises UnavailableError if it cannot be read."""
    with _opened(path) as file:
        return (file.metadata() or {}).get("format") == FORMAT


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint; float32 weights.

    Raises UnavailableError for a missing file, one that is not safetensors, a missing or invalid configuration, and
    tensors that are not finite or differ from the configuration in name, shape or type.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
        config, expected = _parse_config(path, metadata)
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        if found != expected:
            wrong = sorted(set(found.items()) ^ set(expected.items()))[0]
            raise UnavailableError(f"{path}: weights do not match the configuration (first: {wrong[0]!r})")
        weights = {name: file.get_tensor(name) for name in expected}
    _check_finite(path, weights)
    info = {key: text for key, text in metadata.items() if key not in {"format", "architecture", "network"}}
    copied = {name: weight.to(torch.float32, copy=True) for name, weight in weights.items()}  # not the mapped file
    return Checkpoint(config, copied, info)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file, unchanged, for any network. Raises as `load_checkpoint` does."""
    with _opened(path) as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    _check_finite(path, {name: weight for name, weight in weights.items() if weight.is_floating_point()})
    return weights


def _check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    for name, weight in weights.items():
        if weight.dtype not in (torch.float32, torch.float16, torch.bfloat16) or not weight.isfinite().all():
            raise UnavailableError(f"{path}: the weight {name!r} has values that are not finite floating-point numbers")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open safetensors file; its errors become UnavailableErrors."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise UnavailableError(f"{path}: no such file", "check the path") from None
    except (OSError, safetensors.SafetensorError, struct.error) as error:
        check_kind(path, pickle=False)
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise unreadable(path, reason) from None


def _parse_config(path: Path, metadata: Mapping[str, str]) -> tuple[Config, dict[str, tuple[int, ...]]]:
    """The configuration and the shapes of its weights."""
    if metadata.get("format") != FORMAT:
        raise UnavailableError(f"{path}: not an hfpie checkpoint", f"its metadata lacks format = {FORMAT}")
    architecture = metadata.get("architecture", "")
    if architecture not in ARCHITECTURES:
        message = f"{path}: a network of architecture {architecture!r}, which this version of hfpie does not have"
        raise UnavailableError(
            message, f"it has {', '.join(ARCHITECTURES)}; retrain it, or use the hfpie version that wrote it"
        )
    try:
        config = ARCHITECTURES[architecture](**json.loads(metadata["network"]))
        return config, expected_shapes(config)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnavailableError(f"{path}: invalid network configuration ({error})") from None


def expected_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of a network by name. Raises ValueError for more than MAX_PARAMETERS."""
    if isinstance(config, ExpertsConfig):
        of = {shape: expected_shapes(shape) for shape in set(config.shapes)}
        each = enumerate(config.shapes)
        shapes = {f"experts.{number}.{name}": of[shape][name] for number, shape in each for name in of[shape]}
        if sum(map(math.prod, shapes.values())) > MAX_PARAMETERS:
            raise ValueError(TOO_MANY)
        return {"gate.weight": (config.experts, config.reads), "gate.bias": (config.experts,), **shapes}
    with _parameters_without_storage():
        network = build(config)
    return {name: tuple(weight.shape) for name, weight in network.state_dict().items()}


@contextmanager
def _parameters_without_storage() -> Iterator[None]:
    """Modules that this thread builds inside get parameters on the meta device, at most MAX_PARAMETERS.

    `with torch.device("meta")` would compute there too, which imports all of torch's compiler: over a second.
    """
    thread, count = threading.get_ident(), 0

    def without_storage(module: nn.Module, name: str, parameter: Tensor | None) -> Tensor | None:
        nonlocal count
        if parameter is None or threading.get_ident() != thread:
            return None
        count += parameter.numel()
        if count > MAX_PARAMETERS:
            raise ValueError(TOO_MANY)
        return nn.Parameter(torch.empty_like(parameter, device="meta"))

    hook = register_module_parameter_registration_hook(without_storage)  # type: ignore[arg-type]  # it may return one
    try:
        yield
    finally:
        hook.remove()
