"""The contribution of each part of a network, in validation and `weights info --parts`."""

import pytest
import torch

from hfpie_cli.evaluation.parts import Part, examine
from hfpie_cli.models.network import Network, NetworkConfig

CONFIG = NetworkConfig(widths=(8, 12, 16), bodies=(1, 2, 1), tails=(2, 1, 0))
NAMES = ["body 1", "body 1/2", "body 1/4", "tail 1", "tail 1/2", "up from 1/2", "up from 1/4"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(CONFIG).eval()


def scorer(network):
    """Decibels by which the network's output differs from what it was at first."""
    picture = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        wanted = network(picture)
    return lambda: float(-10 * torch.log10((network(picture) - wanted).square().mean() + 1e-9))


def test_every_part_is_told_with_its_worth(network):
    parts = examine(network, scorer(network))
    assert [part.name for part in parts] == NAMES
    assert all(part.worth > 1 for part in parts)  # each changes the output: 90 dB are those of no change
    assert all(0 < part.peak < 100 for part in parts)
    shares = {part.name: part.share for part in parts}
    assert all(shares[name] is None for name in ("tail 1", "tail 1/2"))
    assert all(0 < shares[name] < 1 for name in NAMES if not name.startswith("tail"))
    assert examine(network, lambda: 1.0)[0].worth == 0


def test_the_parts_are_the_same_networks_afterwards(network):
    picture = torch.rand(1, 3, 16, 16)
    before = network(picture)
    examine(network, scorer(network))
    assert torch.equal(network(picture), before)


def test_a_part_without_effect_is_told(network):
    with torch.no_grad():
        network.ups[1][0].weight.zero_()
        network.ups[1][0].bias.zero_()
    dead = {part.name: part for part in examine(network, scorer(network))}
    assert dead["up from 1/4"].worth == dead["body 1/4"].worth == dead["up from 1/4"].share == 0
    assert "does nothing" in dead["body 1/4"].faults()[0]
    assert dead["body 1/2"].faults() == []


def test_maps_that_grow_are_told():
    assert "not bounded" in Part("body 1/2", 2e3, 0.5, 1.0).faults()[0]
    assert Part("body 1/2", float("nan")).faults()
    assert Part("body 1/2", 999.0, worth=None).faults() == []


def test_the_shares_of_a_join_add_up(network):
    with torch.no_grad():
        for module in (network.heads[0], network.edges[0].mix, network.ups[0][0]):
            module.weight.zero_()
            module.bias.zero_()
        network.bodies[0][0].conv2.bias.fill_(1.0)  # the body alone adds something
    parts = examine(network, lambda: float(network(torch.rand(1, 3, 16, 16)).mean()), worth=False)
    shares = {part.name: part.share for part in parts}
    assert shares["body 1"] == pytest.approx(1.0)
    assert shares["up from 1/2"] == 0
