"""How a network runs on the tiles of one photograph."""

import pytest
import torch

from hfpie_cli.device import Device
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.models.pooling import MeasuringPool, RecalledPool
from hfpie_cli.running import Runner
from hfpie_cli.tensors import ALL_TURNS, AS_IT_IS

CPU = torch.device("cpu")


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(NetworkConfig(widths=(8, 12, 16), bodies=(1, 1, 1))).eval().requires_grad_(False)


def unfolded(network, turns, sample, tiles):
    """The mean over the turns of the network as it was trained, each turn with averages of its own."""
    results = []
    for turn in turns:
        pool = MeasuringPool()
        network(turn.apply(sample), pool)
        results.append(turn.undo(network(turn.apply(tiles), RecalledPool(pool.averages))))
    return torch.stack(results).mean(0)


@pytest.mark.parametrize("turns", [AS_IT_IS, ALL_TURNS])
def test_every_turn_has_the_averages_of_its_own_sample(network, turns):
    sample, tiles = torch.rand(4, 3, 16, 16), torch.rand(2, 3, 24, 32)
    restored = Runner(network, Device(CPU, "fp32"), turns).prepare(sample)(tiles)
    assert torch.allclose(restored, unfolded(network, turns, sample, tiles), atol=1e-5)


def test_reduced_precision_costs_a_small_share_of_what_the_network_adds(network):
    sample, tiles = torch.rand(4, 3, 16, 16), torch.rand(2, 3, 24, 32)
    restored = Runner(network, Device(CPU, "bf16"), AS_IT_IS).prepare(sample)(tiles)
    assert restored.dtype == torch.float32
    expected = unfolded(network, AS_IT_IS, sample, tiles)
    assert 0 < (restored - expected).abs().max() < (expected - tiles).abs().max() / 64  # bf16 rounds to 1/256


def test_tiles_that_overflow_folded_are_computed_unfolded_at_fp32(network, monkeypatch):
    monkeypatch.setattr("hfpie_cli.running.fold", lambda *_: lambda tiles: tiles * torch.inf)
    sample, tiles = torch.rand(4, 3, 16, 16), torch.rand(2, 3, 24, 32)
    restored = Runner(network, Device(CPU, "fp32"), AS_IT_IS).prepare(sample)(tiles)
    assert torch.allclose(restored, unfolded(network, AS_IT_IS, sample, tiles), atol=1e-6)
