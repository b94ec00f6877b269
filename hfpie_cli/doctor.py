"""Checks of `hfpie doctor`: versions, devices, weights, caches, extras, and the speed of each task."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import __version__
from .data.benchmarks import open_benchmark
from .data.catalogue import DEFAULT_ROOT
from .errors import HfpieError
from .evaluation.methods import NetworkSettings, classical_methods, load_networks
from .evaluation.scoring import score
from .files import cache_folder
from .hub.client import Hub
from .pace import covered_pixels, measure_pace
from .settings import CPUINFO, cpu_flags, default_threads, problem_of
from .tasks import TASKS
from .weights.registry import list_weights, locate, whereabouts

PHOTO = (3000, 4000)  # pixels (h, w) of the photograph whose time is stated: 12 megapixels
SELF_TEST_SECONDS = 1.0  # that the speed is measured for, after the picture that is scored
PICTURES = "screenshot"  # the drawn benchmark whose first picture each task has to improve
LIBRARIES = (
    "torch",
    "numpy",
    "opencv-python",
    "pillow",
    "scipy",
    "tifffile",
    "safetensors",
    "huggingface-hub",
    "typer",
)
FLAGS = {"bf16": ("avx512_bf16", "amx_bf16"), "AMX": ("amx_tile",), "AVX-512": ("avx512f",), "AVX2": ("avx2",)}


@dataclass(frozen=True)
class SelfTest:
    """How one task works on this machine."""

    task: str
    """A key of TASKS."""
    weights: str
    """Name of the checkpoint."""
    device: str = ""
    """Name of the device."""
    precision: str = ""
    """Precision that was used."""
    gain: float = 0.0
    """PSNR over the degraded (or bicubically enlarged) picture, dB."""
    megapixels_per_second: float = 0.0
    """Speed on a 12-megapixel photograph."""
    seconds: float = 0.0
    """Time for a 12-megapixel photograph."""
    problem: str = ""
    """Why it does not work; empty if it does."""


def versions() -> dict[str, str]:
    """Versions of hfpie, Python, the system and the libraries that matter."""
    libraries = {name: _version(name) for name in LIBRARIES}
    return {"hfpie": __version__, "python": platform.python_version(), "system": platform.platform(), **libraries}


def devices() -> dict[str, dict[str, Any]]:
    """The CPU and its capabilities, and the GPUs or why there are none."""
    flags = cpu_flags()
    abilities = {name: bool(flags & set(wanted)) for name, wanted in FLAGS.items()}
    found: dict[str, dict[str, Any]] = {"cpu": {"name": _cpu_name(), "threads": default_threads(), **abilities}}
    found["cuda"] = {"problem": problem_of("cuda")}
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        found["cuda"] = {"name": ", ".join(names), "build": str(torch.version.cuda or torch.version.hip)}
    elif not found["cuda"]["problem"]:
        found["cuda"]["problem"] = "torch cannot use the driver: it may be too old for this PyTorch"
    available = torch.backends.mps.is_available()
    found["mps"] = {"name": "Apple's GPU"} if available else {"problem": problem_of("mps") or "torch does not see it"}
    return found


def weights(hub: Hub) -> list[dict[str, str]]:
    """Every local checkpoint, verified by its SHA-256; nothing is downloaded."""
    hub, found = replace(hub, offline=True), []
    for entry in list_weights():
        where = whereabouts(entry, hub)
        if where in ("shipped", "cached"):
            try:
                locate(entry, hub)
                problem = ""
            except HfpieError as error:
                problem = error.message
            found.append({"name": entry.name, "where": where, "sha256": entry.sha256, "problem": problem})
    return found


def caches(hub: Hub) -> list[dict[str, Any]]:
    """The folders that hfpie writes to, and the size of each."""
    folders = {
        "decoded photographs (training)": cache_folder() / "decoded",
        "scores (eval --resume)": cache_folder() / "scores",
        "converted weights": cache_folder() / "converted",
        "data sets": DEFAULT_ROOT,
        "downloads, shared with other Hub tools": hub.cache,
    }
    return [{"what": what, "path": str(folder), "bytes": _bytes_below(folder)} for what, folder in folders.items()]


def extras() -> list[dict[str, Any]]:
    """Optional packages, by the name of the extra."""
    wanted: dict[str, list[str]] = {}
    try:
        requirements = metadata.requires("hfpie") or []
    except metadata.PackageNotFoundError:  # a checkout that is run without being installed
        requirements = []
    for requirement in requirements:
        if found := re.match(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", requirement):
            wanted.setdefault(found[2], []).append(found[1])
    wanted.pop("dev", None)
    return [{"name": name, "installed": all(map(_version, packages))} for name, packages in wanted.items()]


def self_tests(settings: NetworkSettings, hub: Hub) -> Iterator[SelfTest]:
    """Each task's default network on one drawn picture, then its speed; about two seconds each."""
    for task in TASKS.values():
        try:
            yield _self_test(task.name, settings, hub)
        except Exception as error:  # the self-test reports any error
            problem = error.message if isinstance(error, HfpieError) else f"{type(error).__name__}: {error}"
            yield SelfTest(task.name, task.weights, problem=problem)


def _self_test(task: str, settings: NetworkSettings, hub: Hub) -> SelfTest:
    benchmark = open_benchmark(PICTURES, DEFAULT_ROOT, task, TASKS[task].degradation).first(1)
    network = load_networks(task, [], settings, hub)[0]
    before, after = (one.means()["psnr"] for one in score(benchmark, [classical_methods(task)[0], network.method]))
    pace = measure_pace(network.restorer, np.random.default_rng(0), at_least=SELF_TEST_SECONDS)
    seconds = pace * covered_pixels(network.restorer, *PHOTO)
    return SelfTest(
        task,
        network.name,
        str(network.restorer.device.torch_device),
        network.restorer.device.precision,
        round(after - before, 2),
        round(PHOTO[0] * PHOTO[1] / 1e6 / seconds, 4),
        round(seconds, 1),
        "" if after > before else "the restored picture scores no better than the degraded one",
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _cpu_name() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.*)$", CPUINFO.read_text(errors="ignore"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _bytes_below(folder: Path) -> int:
    """Size of all files in and below a folder; links are not followed."""
    return sum(
        entry.lstat().st_size
        for parent, _, names in os.walk(folder)
        for entry in (Path(parent, name) for name in names)
    )
