"""Fixtures: tiny checkpoints, and pictures made from a seed."""

import os
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hfpie_cli.data.sources import Opener
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.weights.checkpoint import Checkpoint, save_checkpoint

torch.set_num_threads(1)  # the networks here are tiny: threads would only wait for each other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` need a CUDA device."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


def make_checkpoint(path: Path, *, identity: bool = False, seed: int = 0, **config) -> Path:
    """A tiny seeded network as a file; `identity` zeroes its output, so that it gives back what it gets."""
    torch.manual_seed(seed)
    network = Network(NetworkConfig(**{"widths": (8, 8, 8), "bodies": (1, 1, 1), **config}))
    if identity:
        for parameter in network.output[0].parameters():
            torch.nn.init.zeros_(parameter)
    save_checkpoint(path, Checkpoint(network.config, network.state_dict(), {"task": "test"}))
    return path


def smooth_picture(seed: int, size=(64, 48)) -> np.ndarray:
    """Coarse noise enlarged: a picture with something at every scale."""
    coarse = np.random.default_rng(seed).integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))


def save_picture(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def run_twice(*program: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What two processes that share the work of one Python program return and print."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, *launcher, *program], capture_output=True, text=True, env=environment, check=False
    )


def run_on_a_terminal(*arguments, columns, **options):
    """What hfpie writes to a terminal as its standard error, and its exit code."""
    controller, terminal = os.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-m", "hfpie_cli", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=False, **options)
    os.close(terminal)
    told = b""
    while piece := _read(controller):
        told += piece
    os.close(controller)
    return told.decode().replace("\r\n", "\n"), done.returncode


def _read(controller):
    try:
        return os.read(controller, 10000)
    except OSError:  # how Linux says that the other side is closed
        return b""


@pytest.fixture
def set5(tmp_path) -> Path:
    """A benchmark of three small photographs."""
    for index in range(3):
        save_picture(tmp_path / "Set5" / f"{index}.png", smooth_picture(index))
    return tmp_path / "Set5"


@pytest.fixture(scope="session")
def identity(tmp_path_factory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("weights") / "identity.safetensors", identity=True, unshuffle=2)


@pytest.fixture(scope="session")
def enlarger(tmp_path_factory) -> Path:
    """A x4 network that gives the bicubic enlargement."""
    return make_checkpoint(tmp_path_factory.mktemp("weights") / "enlarger.safetensors", identity=True, scale=4)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def make_photos(folder: Path, rng: np.random.Generator, *, coarse: tuple[int, int] = (10, 12)) -> Path:
    """A folder of 6 pictures of 96 x 80 pixels: noise of coarse x coarse pixels, enlarged."""
    folder.mkdir()
    for index in range(6):
        small = Image.fromarray(rng.integers(0, 256, (*coarse, 3), dtype=np.uint8))
        small.resize((96, 80), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def open_photos(folder: Path) -> TrainingSet:
    """The folder as a training set, decoded beside it."""
    return Opener("denoise", 1, folder.parent / "cache", print).training_set(folder, None, None)


@pytest.fixture
def photos(tmp_path, rng) -> Path:
    return make_photos(tmp_path / "photos", rng)


@pytest.fixture
def data(photos) -> TrainingSet:
    return open_photos(photos)
