"""Where and how precisely a network runs; the only module that looks at the hardware."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from .errors import UsageError
from .settings import auto_precision, check_device, check_precision, missing_device, problem_of
from .streams import CUDA_STREAMS

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
BYTES_PER_TILE_PIXEL = 6_000  # of the widest networks at full resolution, measured, with a margin


@dataclass(frozen=True)
class Device:
    """A torch device and the precision of its arithmetic."""

    torch_device: torch.device
    """Device that holds the tensors."""
    precision: str
    """A key of PRECISIONS."""

    @property
    def name(self) -> str:
        return f"{self.torch_device} {self.precision}"

    def autocast(self) -> AbstractContextManager[Any]:
        """Autocast to the reduced precision; nothing at fp32."""
        kind = self.torch_device.type
        return torch.autocast(kind, PRECISIONS[self.precision], enabled=self.precision != "fp32")

    def free_bytes(self) -> int | None:
        """Free memory of a CUDA device; None if unknown."""
        return torch.cuda.mem_get_info(self.torch_device)[0] if self.torch_device.type == "cuda" else None

    def wait(self) -> None:
        """Wait until a CUDA device has finished."""
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize(self.torch_device)

    def release(self) -> None:
        """Free memory that is cached but not used."""
        if self.torch_device.type == "cuda":
            torch.cuda.empty_cache()


def choose_device(
    name: str = "auto",
    precision: str = "auto",
    *,
    residual: bool = False,
    bears: Collection[str] = PRECISIONS.keys(),
    has: Callable[[str], bool] | None = None,
) -> Device:
    """The device that `auto`, `cpu`, `cuda`, `cuda:N` or `mps` names; `auto` is the fastest available.

    precision `auto` is what `auto_precision` says, for a network that is `residual` or not, if the network supports it,
    else fp32. bears: precisions that the network supports. has: whether a kind of device is available (for tests).
    Raises UsageError for a device that is not available, or a precision that it or the network does not support.
    """
    has = has or _has
    check_device(name)
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if has(kind))
    check_precision(precision, name)
    if not has(name):
        raise missing_device(name, problem_of(name.partition(":")[0]))
    chosen = torch.device(name)
    if precision == "auto":
        fastest = auto_precision(chosen.type, residual=residual)
        precision = fastest if fastest in bears else "fp32"
    if precision not in bears:
        raise UsageError(f"this network does not run at {precision}", "use --precision fp32, or remove the option")
    return Device(chosen, precision)


def choose_training_device(name: str = "auto", precision: str = "auto") -> Device:
    """The same for training, where precision `auto` is bf16 on CUDA if the GPU supports it, else fp32."""
    device = choose_device(name, precision, residual=True)
    torch.backends.cudnn.benchmark = True  # all crops have one size: search for the fastest convolution once
    if precision == "auto" and device.torch_device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device(device.torch_device, "bf16" if fast else "fp32")
    return device


def use_cuda_device(number: int) -> None:
    """Make a CUDA device the default of this process."""
    torch.cuda.set_device(number)


def _has(name: str) -> bool:
    kind, _, number = name.partition(":")
    if kind == "cuda":
        return torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count()
    return kind == "cpu" or (kind == "mps" and torch.backends.mps.is_available())


def tiles_at_once(device: Device, tile: int, scale: int) -> int:
    """Number of tiles of `tile` x `tile` pixels in a batch.

    CUDA_STREAMS batches run at a time: they hold as many as fit in half the free memory, 1 to 16 each. On a CPU one,
    because a single tile keeps the cores busy. Pixels do not depend on it.
    """
    free = device.free_bytes()
    if free is None:
        return 1
    return max(1, min(16, int(free / 2 / CUDA_STREAMS / (tile * tile * BYTES_PER_TILE_PIXEL * scale))))
