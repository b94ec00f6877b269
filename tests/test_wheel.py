"""The wheel alone, in an empty folder and offline, denoises."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpie_cli.weights.registry import known_weights

ROOT = Path(__file__).parent.parent
NO_NETWORK = """
import socket
def refuse(*_):
    raise OSError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    pytest.importorskip("hatchling", reason="the dev extra brings it")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_it_needs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"hfpie_cli/weights.toml", "hfpie_cli/py.typed"} <= set(names)
    shipped = {f"hfpie_cli/checkpoints/{entry.file}" for entry in known_weights().values() if not entry.source}
    assert shipped <= set(names)
    assert {f"hfpie_cli/pages/templates/{name}" for name in ("compare.html", "report.html", "viewer.js")} <= set(names)


def test_the_wheel_denoises_without_a_network(wheel, tmp_path):
    place, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", place, wheel]
    subprocess.run(install, check=True, capture_output=True)
    (place / "sitecustomize.py").write_text(NO_NETWORK)
    noisy = np.random.default_rng(0).normal(128, 25, (40, 50, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(elsewhere / "a.png")
    environment = {"PYTHONPATH": str(place), "HOME": str(tmp_path), "PATH": os.defpath, "OMP_NUM_THREADS": "1"}
    program = "import hfpie_cli, sys; print(hfpie_cli.__file__); from hfpie_cli.cli import main; main()"
    command = [sys.executable, "-c", program, "denoise", "a.png"]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(place))
    restored = np.asarray(Image.open(elsewhere / "a_denoised.png"))
    assert restored.std() < noisy.std() / 3
