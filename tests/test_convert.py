"""From pickles to safetensors: our networks are recognised, others stay unchanged, code never runs."""

import zipfile
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.weights.checkpoint import load_checkpoint
from hfpie_cli.weights.convert import infer_config
from hfpie_cli.weights.unpickle import tensors_of
from tests.conftest import save_picture, smooth_picture
from tests.test_hostile import CANARY, Trap, torchscript

ZERO = torch.zeros(1)
PLAIN = {"conv.weight": torch.arange(4.0), "conv.bias": torch.ones(2)}


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """Convert `net.pth` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, code: int = 0):
        result = CliRunner().invoke(app, ["weights", "convert", "net.pth", *options])
        assert result.exit_code == code, result.stderr
        return result

    return run


def test_a_network_of_ours_is_known_by_its_weights(convert):
    network = Network(NetworkConfig((8, 12, 16), (2, 1, 3), (1, 0, 2), scale=2, unshuffle=2, edges=False)).eval()
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v.double() for k, v in network.state_dict().items()}}, "net.pth"
    )
    assert "scale 2" in convert().stderr
    converted = load_checkpoint(Path("net.safetensors"))
    assert converted.config == network.config
    picture = torch.rand(1, 3, 20, 30)
    assert torch.equal(converted.network()(picture), network(picture))
    before = Path("net.safetensors").read_bytes()
    assert "--overwrite" in convert(code=2).stderr
    assert Path("net.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig((8, 8, 8), (1, 1, 1), (0, 0, 0), 4),
        NetworkConfig((8, 8, 12), (1, 2, 1), (1, 0, 0), 1, 2, feature_attention=False),
        NetworkConfig((8, 8, 8), (1, 1, 1), (1, 1, 1), 4, reconstruction=8),
        NetworkConfig((8, 8, 8), (0, 0, 1), (1, 1, 1), 2, 2, reconstruction=4),
    ],
)
def test_a_shape_is_inferred(config):
    weights = Network(config).state_dict()
    assert infer_config(weights) == config
    assert infer_config(weights | {"more": torch.zeros(1)}) is None  # then they stay as they were


def test_the_best_weights_of_a_file_are_taken():
    weights = {"conv.weight": torch.rand(2, 3).t(), "index": torch.arange(4), "name": "text"}
    found = tensors_of({"params": {"conv.weight": torch.zeros(1)}, "params_ema": weights})
    assert set(found) == {"conv.weight", "index"}
    assert torch.equal(found["conv.weight"], weights["conv.weight"])
    assert found["conv.weight"].is_contiguous()
    assert tensors_of([torch.zeros(1)]) == {}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"net_g": {"params": PLAIN}, "net_d": {"conv.weight": ZERO}},
        {"state_dict": {f"module.{name}": weight for name, weight in PLAIN.items()}},
        {"state_dict": {f"_orig_mod.module.{name}": weight for name, weight in PLAIN.items()}},
        {"state_dict": {**{f"net_g.{name}": weight for name, weight in PLAIN.items()}, "net_d.conv.weight": ZERO}},
        {
            "pytorch-lightning_version": "2.4.0",
            "state_dict": {**{f"model.{name}": weight for name, weight in PLAIN.items()}, "loss.conv.weight": ZERO},
        },
        {"params": {"conv.weight": ZERO}, "params_ema": {f"model.{name}": weight for name, weight in PLAIN.items()}},
    ],
)
def test_what_trainers_wrap_around_weights_is_taken_off(wrapped):
    found = tensors_of(wrapped)
    assert set(found) == set(PLAIN)
    assert all(torch.equal(found[name], weight) for name, weight in PLAIN.items())


def test_names_that_only_look_wrapped_stay():
    for names in (("model.0.weight", "model.1.sub.0.weight"), ("model.conv.weight", "head.weight")):
        assert set(tensors_of(dict.fromkeys(names, ZERO))) == set(names)
    endless: dict[str, object] = {}
    endless["params"] = endless
    assert tensors_of(endless) == {}


def test_code_is_not_run(convert):
    torch.save({"params": torch.zeros(1), "trap": Trap()}, "net.pth")
    result = convert(code=4)
    assert "without running its code" in result.stderr
    assert len(result.stderr.splitlines()) == 2
    assert "(UnpicklingError: Unsupported global: GLOBAL getattr was not an allowed global by default)" in result.stderr
    assert not CANARY.exists()
    assert [path.name for path in Path().iterdir()] == ["net.pth"]


def test_what_is_no_checkpoint_is_said_plainly(convert):
    save_picture(Path("a.png"), smooth_picture(0)).rename("net.pth")
    assert "net.pth: not a PyTorch checkpoint" in convert(code=4).stderr


def test_torchscript_and_an_old_torch_are_refused(convert, monkeypatch):
    Path("net.pth").write_bytes(torchscript(b""))
    assert zipfile.is_zipfile("net.pth")
    assert "TorchScript" in convert(code=4).stderr
    torch.save({}, "net.pth")
    monkeypatch.setattr("hfpie_cli.weights.convert.metadata.version", lambda name: "2.9.1+cpu")
    assert "CVE-2026-24747" in convert(code=4).stderr
    assert not CANARY.exists()
