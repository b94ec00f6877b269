"""Run as a process of its own: read a pickled checkpoint without running its code, write its tensors as safetensors.

    python unpickle.py SOURCE TARGET

Imports nothing of ours: whatever a pickle may break, it breaks here. Ends with 1 and one line on standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import safetensors.torch
import torch

NESTS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "generator", "net")  # the best first


def main(source: str, target: str) -> None:
    """Write the tensors of the first of NESTS that the file has, or those at its top."""
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # pickles fail in any way that Python can
        sys.exit(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
    weights = tensors_of(loaded)
    if not weights:
        sys.exit("it holds no named tensors")
    safetensors.torch.save_file(weights, target)


def tensors_of(loaded: object) -> dict[str, torch.Tensor]:
    """The named tensors of a state, each in memory of its own, float64 as float32, without a `module.` in front."""
    if isinstance(loaded, Mapping):
        nest = next((loaded[name] for name in NESTS if isinstance(loaded.get(name), Mapping)), loaded)
        named = {str(name).removeprefix("module."): value for name, value in nest.items()}
        return {name: _own(value) for name, value in named.items() if isinstance(value, torch.Tensor)}
    return {}


def _own(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().clone().contiguous()
    return tensor.float() if tensor.dtype == torch.float64 else tensor


if __name__ == "__main__":
    main(*sys.argv[1:])
