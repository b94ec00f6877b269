"""Where and how precisely a network runs; the only module that asks what hardware there is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .errors import UsageError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
BF16_FLAGS = ("amx_bf16", "avx512_bf16")  # convolve 4 and 2 times as fast as float32
BYTES_PER_TILE_PIXEL = 6_000  # of the widest networks at full resolution, measured with room to spare


@dataclass(frozen=True)
class Device:
    """A torch device and the precision of its arithmetic (a key of PRECISIONS)."""

    torch_device: torch.device
    precision: str

    @property
    def name(self) -> str:
        return f"{self.torch_device} {self.precision}"

    def autocast(self) -> AbstractContextManager[Any]:
        """Reduced precision for the operations that bear it; nothing at fp32."""
        kind = self.torch_device.type
        return torch.autocast(kind, PRECISIONS[self.precision], enabled=self.precision != "fp32")

    def free_bytes(self) -> int | None:
        """Memory free on a CUDA device; None where it is not known."""
        return torch.cuda.mem_get_info(self.torch_device)[0] if self.torch_device.type == "cuda" else None

    def wait(self) -> None:
        """Until what was started on a CUDA device is done; elsewhere it is."""
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize(self.torch_device)

    def release(self) -> None:
        """Give back memory that is cached but not used."""
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
    """The device that `auto`, `cpu`, `cuda`, `cuda:N` or `mps` names; `auto` is the fastest that there is.

    precision `auto` is fp16 on CUDA and fp32 elsewhere, but bf16 on a CPU that multiplies it if the network is
    `residual`: it adds to its input, which stays at fp32, so that bf16's 8 bits are those of a small number. bears: the
    precisions that the network bears. `has` tells whether a kind of device is there (for tests). Raises UsageError for
    a device that is not there, or a precision that it or the network cannot do.
    """
    has = has or _has
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if has(kind))
    try:
        chosen = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device {name!r}", "use auto, cpu, cuda, cuda:1 (and so on) or mps") from None
    if not has(name):
        raise UsageError(f"the device {name} is not there", "use --device auto, or --device cpu")
    if precision == "auto":
        fast = residual and chosen.type == "cpu" and cpu_multiplies_bf16()
        fastest = "fp16" if chosen.type == "cuda" else "bf16" if fast else "fp32"
        precision = fastest if fastest in bears else "fp32"
    if precision not in PRECISIONS:
        raise UsageError(f"no precision {precision!r}", f"use auto, {', '.join(PRECISIONS)}")
    if precision == "fp16" and chosen.type == "cpu":
        raise UsageError("fp16 does not run on a CPU", "use --precision fp32 or bf16")
    if precision not in bears:
        raise UsageError(f"this network does not bear {precision}", "use --precision fp32, or leave it out")
    return Device(chosen, precision)


def choose_training_device(name: str = "auto", precision: str = "auto") -> Device:
    """The same for training, where precision `auto` is bf16 on CUDA too if it multiplies it, else fp32."""
    device = choose_device(name, precision, residual=True)
    if precision == "auto" and device.torch_device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device(device.torch_device, "bf16" if fast else "fp32")
    return device


def use_cuda_device(number: int) -> None:
    """Make a CUDA device this process's own, for all that does not name one."""
    torch.cuda.set_device(number)


def cpu_multiplies_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 by instructions of its own, as far as Linux tells."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return any(flag in text for flag in BF16_FLAGS)


def _has(name: str) -> bool:
    kind, _, number = name.partition(":")
    if kind == "cuda":
        return torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count()
    return kind == "cpu" or (kind == "mps" and torch.backends.mps.is_available())


def tiles_at_once(device: Device, tile: int, scale: int) -> int:
    """How many tiles of `tile` x `tile` pixels go into one batch: as many as half the free memory holds, 1 to 16.

    One on a CPU, whose cores are busy with one. Pixels do not depend on it.
    """
    free = device.free_bytes()
    if free is None:
        return 1
    return max(1, min(16, int(free / 2 / (tile * tile * BYTES_PER_TILE_PIXEL * scale))))
