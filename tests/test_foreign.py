"""Other people's networks, with a stand-in for spandrel: through the same tiles, readers and folder jobs."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import UnavailableError
from hfpie_cli.weights.foreign import load_foreign
from tests.conftest import smooth_picture

MULTIPLE = 48  # pixels: what the stand-in's network asks of its input


class Descriptor:
    """As spandrel describes a network: here one that repeats pixels, and adds its weight."""

    supports_half = supports_bfloat16 = False
    scale, input_channels, output_channels = 4, 3, 3
    architecture = SimpleNamespace(name="Repeat", id="Repeat")
    tiling = SimpleNamespace(name="SUPPORTED")
    size_requirements = SimpleNamespace(minimum=0, multiple_of=MULTIPLE, square=False)

    def __init__(self, weights):
        self.model = torch.nn.Conv2d(3, 3, 1)
        self.model.load_state_dict(weights)

    def __call__(self, picture):
        assert picture.shape[0] == 1
        assert picture.shape[2] % MULTIPLE == picture.shape[3] % MULTIPLE == 0
        assert not torch.is_autocast_enabled("cpu")
        return self.model(picture).repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture
def spandrel(monkeypatch):
    """The stand-in, importable."""
    module = ModuleType("spandrel")
    module.ImageModelDescriptor = Descriptor
    module.ModelLoader = lambda device: SimpleNamespace(load_from_state_dict=Descriptor)
    monkeypatch.setitem(sys.modules, "spandrel", module)
    return module


@pytest.fixture
def net(tmp_path, monkeypatch):
    """The weights of the identity, in somebody else's layout."""
    monkeypatch.chdir(tmp_path)
    weights = {"weight": torch.eye(3)[..., None, None], "bias": torch.zeros(3)}
    save_file(weights, "4x-anything.safetensors")
    return tmp_path / "4x-anything.safetensors"


@pytest.mark.parametrize("options", [(), ("--tta",), ("--precision", "fp32"), ("--tile", "96", "--overlap", "16")])
def test_a_folder_goes_through_it(spandrel, net, tmp_path, options):
    alpha = np.random.default_rng(0).integers(1, 256, (64, 112, 1), dtype=np.uint8)
    pixels = np.concatenate([smooth_picture(0, (64, 112)), alpha], 2)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in/a.png")
    Image.fromarray(pixels[:5, :7, :3]).save(tmp_path / "in/b.png")
    result = CliRunner().invoke(app, ["sr", "in", "-o", "out/", "--weights", net.name, *options])
    assert result.exit_code == 0, result.stderr
    large = pixels.repeat(4, 0).repeat(4, 1)[..., :3].astype(int)
    for name, wanted in (("a", large), ("b", large[:20, :28])):
        difference = np.abs(np.asarray(Image.open(tmp_path / f"out/{name}.png"))[..., :3] - wanted)
        assert difference.max() <= 3  # local means are brought to those of the bicubic enlargement
        assert difference.mean() < 1


def test_a_precision_that_it_does_not_bear_is_refused(spandrel, net, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    result = CliRunner().invoke(app, ["sr", "a.png", "--weights", net.name, "--precision", "bf16"])
    assert result.exit_code == 2
    assert "does not run at bf16" in result.stderr


def test_the_scale_is_the_networks(spandrel, net, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    result = CliRunner().invoke(app, ["denoise", "a.png", "--weights", net.name])
    assert result.exit_code == 2
    assert "a network of scale 4" in result.stderr


def test_what_is_no_network_from_rgb_to_rgb_is_refused(spandrel, net, monkeypatch):
    monkeypatch.setattr(Descriptor, "output_channels", 1)
    with pytest.raises(UnavailableError, match="does not map RGB to RGB"):
        load_foreign(net)
    spandrel.ImageModelDescriptor = int
    with pytest.raises(UnavailableError, match="other inputs besides a picture"):
        load_foreign(net)
    save_file({"strange": torch.zeros(1)}, net)
    with pytest.raises(UnavailableError, match="unknown to hfpie and spandrel"):
        load_foreign(net)
    save_file({"weight": torch.full((1,), float("nan"))}, net)
    with pytest.raises(UnavailableError, match="finite"):
        load_foreign(net)


def test_without_spandrel_it_says_what_to_install(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(UnavailableError, match="cannot be imported") as caught:
        load_foreign(net)
    assert "hfpie[spandrel]" in caught.value.hint
