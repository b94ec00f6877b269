"""Device, precision, threads and tiles as the user names them, checked without importing torch."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from .errors import UsageError
from .shown import counted

DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
PRECISIONS = ("fp32", "bf16", "fp16")
BF16_FLAGS = ("amx_bf16", "avx512_bf16")  # convolve 4 and 2 times as fast as float32
CPUINFO = Path("/proc/cpuinfo")
TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Setting:
    """Device, precision and threads of a network, as far as they are known without importing torch."""

    device: str
    """cpu, mps, cuda or cuda:N."""
    precision: str
    """A name of PRECISIONS."""
    threads: int
    """CPU threads."""

    def __str__(self) -> str:
        threads = f", {counted(self.threads, 'thread')}" if self.device == "cpu" else ""
        return f"{self.device} ({self.precision}{threads})"


def choose_setting(device: str, precision: str, *, residual: bool, threads: int | None = None) -> Setting:
    """Device, precision and threads for a network. residual: whether it adds to its input, as ours do.

    Raises UsageError for unknown names, and for a device that is not available.
    """
    check_device(device)
    kind = device.partition(":")[0]
    if device == "auto":
        kind = device = "mps" if not mps_problem() else "cpu" if cuda_problem() else "cuda"
    elif problem := problem_of(kind):
        raise missing_device(device, problem)
    check_precision(precision, kind)
    chosen = auto_precision(kind, residual=residual) if precision == "auto" else precision
    return Setting(device, chosen, threads or default_threads())


def check_device(name: str) -> None:
    """Raises UsageError if it names no device."""
    if not DEVICES.fullmatch(name):
        raise UsageError(f"no device {name!r}", "use auto, cpu, cuda, cuda:1 (and so on) or mps")


def check_precision(name: str, device: str = "auto") -> None:
    """Raises UsageError for a precision that does not exist or that the device does not run."""
    if name not in ("auto", *PRECISIONS):
        raise UsageError(f"no precision {name!r}", f"use auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device == "cpu":
        raise UsageError("fp16 does not run on a CPU", "use --precision fp32 or bf16")


def check_tiles(tile: int, overlap: int, stride: int = 1) -> None:
    """Raises UsageError unless, in cells of `stride` pixels, 1 <= tile and 0 <= overlap <= tile / 2."""
    if tile // stride < 1 or overlap < 0 or 2 * -(-overlap // stride) > tile // stride:
        units = f", both multiples of {stride}" if stride > 1 else ""
        message = f"--overlap must be at most half of --tile{units}, not {overlap} of {tile}"
        raise UsageError(message, "change --tile or --overlap")


def auto_precision(kind: str, *, residual: bool) -> str:
    """fp16 on CUDA; bf16 on a CPU with bfloat16 instructions if the network is `residual`; otherwise fp32.

    Such a network adds to its input, which stays at fp32, so that bf16's 8 bits are those of a small number.
    """
    if kind == "cuda":
        return "fp16"
    return "bf16" if residual and kind == "cpu" and cpu_multiplies_bf16() else "fp32"


def cpu_multiplies_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor has instructions that multiply bfloat16, as Linux reports them."""
    return any(flag in cpu_flags(cpuinfo) for flag in BF16_FLAGS)


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The instruction sets of the processor by Linux's names; empty on other systems."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="ignore")
    except OSError:
        return frozenset()
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return frozenset(found[1].split() if found else ())


def default_threads() -> int:
    """The cores that this process may use, a core's two hyperthreads counted once; OMP_NUM_THREADS overrides it."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdecimal() and int(named):
        return int(named)
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = set()
    for cpu in allowed:
        try:
            cores.add((TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            return len(allowed)
    return len(cores)


def problem_of(kind: str) -> str:
    """Why a kind of device is not available; empty if it is."""
    if kind == "cuda":
        return cuda_problem()
    return mps_problem() if kind == "mps" else ""


def missing_device(name: str, problem: str) -> UsageError:
    """The error for a device that is not available."""
    kind = name.partition(":")[0]
    label = name if ":" in name else kind.upper()
    return UsageError(f"{label} is not available: {problem or 'torch does not see it'}", "use --device auto or cpu")


@cache
def cuda_problem() -> str:
    """Why CUDA is not available: the build of torch, the driver, or the GPU. Empty if it is."""
    spec = find_spec("torch")
    version = Path(spec.origin).parent / "version.py" if spec and spec.origin else None
    if version is None or not version.exists():
        return "torch is not installed"
    if not re.search(r"^(cuda|hip)\b.*=\s*'", version.read_text(encoding="utf-8"), re.MULTILINE):
        return "this PyTorch is a CPU build"
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "no NVIDIA driver was found"
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the NVIDIA driver finds no GPU"
    return ""


def mps_problem() -> str:
    """Why Apple's GPU is not available; empty if it is."""
    is_apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return "" if is_apple else "requires macOS on Apple silicon"
