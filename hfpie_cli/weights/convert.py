"""Converts pickled checkpoints (.pth) to safetensors: in our layout if the weights fit it, otherwise unchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from math import isqrt
from pathlib import Path

from torch import Tensor

from ..errors import UnavailableError, UsageError
from ..files import atomic_path
from ..models.network import LEVELS, NetworkConfig
from .checkpoint import Checkpoint, as_safetensors, expected_shapes, load_weights, save_checkpoint
from .kinds import check_pickle

SAFE_TORCH = (2, 10)  # in older ones a pickle could escape weights_only (CVE-2026-24747)
SECONDS = 600  # limit for a file


def convert(source: Path, target: Path, *, overwrite: bool) -> NetworkConfig | None:
    """Write `target` from the pickle `source`; the configuration if it is one of our networks, None if not.

    The pickle is read by another process, without running its code. Raises UnavailableError for a file that holds more
    than tensors, for TorchScript and for a torch that is too old; UsageError if `target` exists.
    """
    _check_torch()
    check_pickle(source)
    if target.exists() and not overwrite:
        raise _exists(target)
    with tempfile.TemporaryDirectory(prefix="hfpie-") as folder:
        plain = Path(folder) / "weights.safetensors"
        _unpickle(source, plain)
        weights = load_weights(plain)
    config = infer_config(weights)
    try:
        with atomic_path(target, overwrite=overwrite) as temporary:
            if config is None:
                temporary.write_bytes(as_safetensors(weights, {"format": "pt"}))
            else:
                save_checkpoint(temporary, Checkpoint(config, weights, {"converted_from": source.name}))
    except FileExistsError:
        raise _exists(target) from None
    return config


def _exists(target: Path) -> UsageError:
    return UsageError(f"{target}: already exists", "use --overwrite to replace it, or another --output")


def infer_config(weights: Mapping[str, Tensor]) -> NetworkConfig | None:
    """The configuration whose network has exactly these weights; None if there is none."""
    try:
        heads = [weights[f"heads.{level}.weight"].shape for level in range(LEVELS)]  # (width, 3 unshuffle**2, 3, 3)
        unshuffle = isqrt(heads[0][1] // 3)
        stages = _count(weights, r"output\.(\d+)\.") - 1
        drawn = weights["output.1.weight" if stages else "output.0.weight"].shape[
            0
        ]  # maps, or 3 shuffle^2 for the pixels of a pixel-shuffle
        config = NetworkConfig(
            widths=tuple(shape[0] for shape in heads),  # type: ignore[arg-type]
            bodies=_blocks(weights, "bodies"),
            tails=_blocks(weights, "tails"),
            scale=(2**stages if stages else isqrt(drawn // 3)) // unshuffle,
            unshuffle=unshuffle,
            reconstruction=drawn if stages else 0,
            edges=_count(weights, r"edges\.(\d+)\.") > 0,
            feature_attention=_count(weights, r"leaves\.(\d+)\.") > 0,
        )
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        return None
    fits = expected_shapes(config) == {name: tuple(weight.shape) for name, weight in weights.items()}
    return config if fits else None


def _blocks(weights: Mapping[str, Tensor], where: str) -> tuple[int, int, int]:
    """Number of blocks of each scale in the bodies or the tails."""
    return tuple(_count(weights, rf"{where}\.{level}\.(\d+)\.") for level in range(LEVELS))  # type: ignore[return-value]


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    """Number of different values that the pattern's group has in the names of the weights."""
    return len({match[1] for name in weights if (match := re.match(pattern, name))})


def _check_torch() -> None:
    version = metadata.version("torch")
    if tuple(int(part) for part in version.split(".")[:2]) < SAFE_TORCH:
        message = f"torch {version} does not read pickles safely (CVE-2026-24747)"
        raise UnavailableError(message, "install torch 2.10 or later, or convert on another machine")


def _unpickle(source: Path, target: Path) -> None:
    """Run unpickle.py, without secrets in its environment; -P keeps our modules from shadowing Python's."""
    program = Path(__file__).with_name("unpickle.py")
    secret = re.compile("TOKEN|SECRET|PASSWORD|KEY")
    environment = {name: value for name, value in os.environ.items() if not secret.search(name.upper())}
    command = [sys.executable, "-P", str(program), str(source.resolve()), str(target)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{source}: reading it took more than {SECONDS} s") from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
        hint = "hfpie accepts only tensors; ask its author for a safetensors file"
        raise UnavailableError(f"{source}: cannot be read without running its code ({reason})", hint)
