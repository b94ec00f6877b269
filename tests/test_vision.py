"""Packages that import torchvision, with a torch that it was not built for."""

import subprocess
import sys
from urllib.error import URLError

import pytest

from hfpie_cli.errors import UnavailableError
from hfpie_cli.evaluation.perceptual import load_lpips
from hfpie_cli.vision import import_beside_torchvision

BOXES = """
import torch
torch.library.register_fake("torchvision::nms")(lambda *boxes: None)
torch.library.register_fake("torchvision::qnms")(lambda *boxes: None)
torch.library.register_fake("torchvision::{other}")(lambda *boxes: None)
"""
PROGRAM = """
from hfpie_cli.vision import import_beside_torchvision
print(import_beside_torchvision("boxes").__name__)
"""


@pytest.mark.parametrize(("other", "code"), [("nms", 0), ("roi_align", 1)])
def test_operators_that_are_not_there_are_declared(tmp_path, other, code):
    """By a package that gives shapes to them as torchvision does, in a process whose torch knows none."""
    (tmp_path / "boxes.py").write_text(BOXES.format(other=other))
    path = {"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == ("boxes\n" if code == 0 else "")
    assert code == 0 or "operator torchvision::roi_align does not exist" in done.stderr


def test_lpips_imports_and_misses_only_the_weights_of_its_backbone(monkeypatch, recwarn):
    def unreachable(*address, **settings):
        raise URLError("no connection")

    monkeypatch.setattr(import_beside_torchvision("torchvision.models._api"), "load_state_dict_from_url", unreachable)
    with pytest.raises(UnavailableError, match="cannot download its backbone's weights"):
        load_lpips()
    assert not recwarn.list, "torchvision's are about how lpips calls it"


def test_lpips_downloads_nothing_offline(monkeypatch, tmp_path):
    api = import_beside_torchvision("torchvision.models._api")
    monkeypatch.setattr(api, "load_state_dict_from_url", lambda *address, **settings: pytest.fail("went online"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match="not in the cache, and hfpie is offline"):
        load_lpips(offline=True)
