"""Experts of several shapes: those of the shape with the largest share are mixed."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hfpie_cli import Restorer
from hfpie_cli.device import Device
from hfpie_cli.errors import UnavailableError
from hfpie_cli.models.experts import Experts, ExpertsConfig, expert_weights
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.photos.photo import Photo
from hfpie_cli.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tools.gate import with_halves
from tools.join import join

WIDE = NetworkConfig(widths=(8, 12, 16), bodies=(1, 2, 1), tails=(1, 1, 0), scale=4)
DEEP = NetworkConfig(widths=(8, 4, 4), bodies=(1, 1, 1), tails=(3, 0, 0), scale=4)
CPU = Device(torch.device("cpu"), "fp32")


@pytest.fixture
def experts() -> Experts:
    """Two wide experts and two deep ones."""
    torch.manual_seed(0)
    return Experts(ExpertsConfig(WIDE, 4, (DEEP, DEEP))).eval().requires_grad_(False)


def shares_of(*shares: float) -> torch.Tensor:
    return torch.tensor(shares)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.3, 0.25, 0.45, 0.0), {0: 6 / 11, 1: 5 / 11}),
        ((0.0, 0.45, 0.25, 0.3), {2: 5 / 11, 3: 6 / 11}),
        ((0.4, 0.0, 0.05, 0.55), {3: 1.0}),
        ((0.6, 0.0, 0.2, 0.2), {0: 1.0}),
    ],
)
def test_the_experts_of_the_shape_with_the_largest_share_are_mixed(experts, shares, expected):
    mixed = experts.mixed(shares_of(*shares))
    assert mixed.config == experts.config.shapes[min(expected)]
    for name, weight in mixed.state_dict().items():
        parts = [share * experts.experts[number].state_dict()[name] for number, share in expected.items()]
        assert torch.allclose(weight, torch.stack(parts).sum(0), atol=1e-6)


@pytest.mark.parametrize("number", [1, 3])
def test_a_photograph_is_restored_by_the_chosen_expert_whatever_its_shape(experts, number):
    experts.gate.weight.zero_()
    experts.gate.bias.copy_(torch.where(torch.arange(4) == number, 50.0, -50.0))
    photo = Photo(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8))
    alone = Network(experts.config.shapes[number]).eval()
    alone.load_state_dict(experts.experts[number].state_dict())
    restored, expected = (
        Restorer(network, device=CPU, tile=48, overlap=16).restore(photo) for network in (experts, alone)
    )
    assert restored.tiles > 1
    assert np.abs(restored.photo.pixels.astype(int) - expected.photo.pixels).max() <= 1


def test_a_checkpoint_of_several_shapes_is_read_as_it_was_written(experts, tmp_path):
    path = tmp_path / "e.safetensors"
    save_checkpoint(path, Checkpoint(experts.config, experts.state_dict(), {"task": "sr"}))
    read, picture = load_checkpoint(path).network(), torch.rand(1, 3, 32, 32)
    assert isinstance(read, Experts)
    assert read.config.shapes == (WIDE, WIDE, DEEP, DEEP)
    assert torch.equal(read(picture), experts(picture))


def test_a_checkpoint_of_experts_that_names_no_others_has_one_shape():
    assert ExpertsConfig(**json.loads(json.dumps({"network": asdict(WIDE), "experts": 3}))).shapes == (WIDE,) * 3


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ((DEEP,) * 4, "fewer than the 4 experts"),
        ((replace(DEEP, scale=2),), "alike in scale"),
        ((replace(DEEP, sample_side=128),), "alike in scale, stride and sample_side"),
        ((5,), "shapes of networks"),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(others, message):
    with pytest.raises(ValueError, match=message):
        ExpertsConfig(WIDE, 4, others)


@pytest.mark.parametrize("others", [[5], 5, [{"widths": 3}], [{"depth": 3}]])
def test_a_file_with_impossible_shapes_is_refused_in_one_line(experts, tmp_path, others):
    path = tmp_path / "e.safetensors"
    save_checkpoint(path, Checkpoint(experts.config, experts.state_dict(), {"task": "sr"}))
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    metadata["network"] = json.dumps(json.loads(metadata["network"]) | {"others": others})
    save_file(load_file(path), path, metadata)
    with pytest.raises(UnavailableError, match="invalid network configuration"):
        load_checkpoint(path)


def test_checkpoints_of_two_shapes_are_joined(experts, tmp_path):
    names = []
    for number, shape in enumerate(experts.config.shapes):
        names.append(str(tmp_path / f"{number}.safetensors"))
        weights = expert_weights(experts.state_dict(), number)
        save_checkpoint(tmp_path / f"{number}.safetensors", Checkpoint(shape, weights, {"task": "sr"}))
    joined, _ = join(names)
    assert joined.config == experts.config
    assert all(torch.equal(joined.state_dict()[key], experts.state_dict()[key]) for key in weights_of(experts))


def weights_of(experts: Experts) -> list[str]:
    return [name for name in experts.state_dict() if name.startswith("experts.")]


def test_of_two_shapes_one_or_the_other_is_expected_to_restore():
    scores = torch.diag_embed(torch.tensor([[30.0, 32.0, 20.0], [31.0, 30.0, 26.0]]))
    scores[:, 0, 1] = scores[:, 1, 0] = torch.tensor([31.5, 31.0])
    scores[:, :2, 2] = scores[:, 2, :2] = torch.nan
    filled = with_halves(scores)
    assert filled[:, 0, 2].tolist() == [25.0, 28.5]
    assert filled[:, 2, 1].tolist() == [26.0, 28.0]
    assert torch.equal(filled[:, :2, :2], scores[:, :2, :2])
