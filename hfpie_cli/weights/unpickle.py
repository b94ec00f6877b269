"""Run as a process of its own: read a pickled checkpoint without running its code, write its tensors as safetensors.

    python unpickle.py SOURCE TARGET

Imports nothing of hfpie, so that a pickle can only break this process. Exits with 1 and one line on standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import safetensors.torch
import torch

NESTS = ("params_ema", "net_g_ema", "params", "net_g", "state_dict", "model_state_dict", "model", "generator", "net")
DEPTH = 4  # of nested dictionaries
LIGHTNING = "pytorch-lightning_version"  # a key of its files
GENERATORS = ("net_g_ema.", "net_g.", "netG.", "generator.")  # prefix of names; others do not belong to the generator
WRAPPINGS = ("module.", "_orig_mod.", "model.")  # prefix of every name
UNPICKLER = "WeightsUnpickler error:"  # prefix of torch's reason
ADVICE = ("Weights only load failed", "weights_only", "file an issue", "documentation of torch.load")  # other lines


def main(source: str, target: str) -> None:
    """Write the tensors of the first of NESTS that the file has, or those at its top level."""
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # pickles can raise any exception
        sys.exit(f"{type(error).__name__}: {reason_of(str(error))}")
    weights = tensors_of(loaded)
    if not weights:
        sys.exit("it holds no named tensors")
    safetensors.torch.save_file(weights, target)


def reason_of(message: str) -> str:
    """The reason in an error of torch, without its advice, such as to run the code after all."""
    lines = [line.strip().removeprefix(UNPICKLER).strip() for line in message.splitlines()]
    reason = next((line for line in lines if line and not any(advice in line for advice in ADVICE)), "")
    return reason.partition(". Please ")[0]


def tensors_of(loaded: object) -> dict[str, torch.Tensor]:
    """The named tensors of a state, in separate memory, float64 as float32, without prefixes of names."""
    nest, is_lightning = loaded, False
    for _ in range(DEPTH):
        if not isinstance(nest, Mapping):
            return {}
        is_lightning = is_lightning or LIGHTNING in nest
        inner = next((nest[name] for name in NESTS if isinstance(nest.get(name), Mapping)), None)
        if inner is None:
            break
        nest = inner
    if not isinstance(nest, Mapping):
        return {}
    named = {str(name): value for name, value in nest.items() if isinstance(value, torch.Tensor)}
    if is_lightning:  # because losses and metrics have weights too
        named = {name: value for name, value in named.items() if name.startswith("model.")} or named
    return {name: _own(value) for name, value in _unwrapped(named).items()}


def _unwrapped(named: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names without the prefixes of wrappers, in any order; `model.0`, as ESRGAN names its layers, stays."""
    for _ in range(DEPTH):
        for prefix in (*GENERATORS, *WRAPPINGS):
            inner = {n.removeprefix(prefix): value for n, value in named.items() if n.startswith(prefix)}
            whole = len(inner) == len(named) and not any(name[:1].isdigit() for name in inner)
            if inner and (prefix in GENERATORS or whole):
                named = inner
                break
        else:
            break
    return named


def _own(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().clone().contiguous()
    return tensor.float() if tensor.dtype == torch.float64 else tensor


if __name__ == "__main__":
    main(*sys.argv[1:])
