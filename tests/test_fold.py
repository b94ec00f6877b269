"""Folding: the folded network restores the same pixels as the original."""

import pytest
import torch

from hfpie_cli.models.fold import fold
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.models.pooling import MeasuringPool, RecalledPool

SHAPES = {
    "denoise": {"unshuffle": 2},
    "deblur": {},
    "x4": {"scale": 4},
    "staged x4": {"scale": 4, "reconstruction": 8},
    "staged, half the resolution": {"unshuffle": 2, "reconstruction": 6},
    "w/o Edge": {"edges": False},
    "w/o FeaAtt": {"feature_attention": False},
    "no bodies": {"bodies": (0, 0, 0), "tails": (0, 0, 0)},
}


def trained(config: NetworkConfig) -> Network:
    """A network whose attentions have something to say, as after training."""
    torch.manual_seed(0)
    network = Network(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape))
    return network


def measure(network: Network, picture: torch.Tensor) -> list[torch.Tensor]:
    pool = MeasuringPool()
    network(picture, pool)
    return pool.averages


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [(37, 50), (16, 8), (1, 1)])
def test_a_folded_network_gives_the_same_pixels(name, size):
    network = trained(NetworkConfig(**{"widths": (8, 12, 16), "bodies": (1, 2, 1), **SHAPES[name]}))
    averages = measure(network, torch.rand(3, 3, 40, 40))
    before = {key: weight.clone() for key, weight in network.state_dict().items()}
    picture = torch.rand(2, 3, *size)
    expected = network(picture, RecalledPool(averages))
    assert torch.allclose(fold(network, averages)(picture), expected, rtol=0, atol=1e-5)
    assert all(torch.equal(weight, before[key]) for key, weight in network.state_dict().items())


def test_other_averages_give_other_pixels():
    network, picture = trained(NetworkConfig(widths=(8, 12, 16), bodies=(1, 2, 1))), torch.rand(1, 3, 32, 32)
    bright, dark = (fold(network, measure(network, shade * torch.ones(1, 3, 32, 32)))(picture) for shade in (1, 0))
    assert (bright - dark).abs().max() > 1e-3


def test_the_picture_itself_stays_at_full_precision():
    network = trained(NetworkConfig(widths=(8, 12, 16), bodies=(1, 2, 1)))
    torch.nn.init.zeros_(network.output[0].weight)
    torch.nn.init.zeros_(network.output[0].bias)
    picture = torch.rand(1, 3, 32, 32)
    folded = fold(network, measure(network, picture), torch.bfloat16)
    assert {parameter.dtype for parameter in folded.parameters()} == {torch.bfloat16}
    assert torch.equal(folded(picture), picture)


def test_reduced_precision_is_closer_folded_than_not():
    network, picture = trained(NetworkConfig(widths=(16, 16, 16), bodies=(4, 4, 4))), torch.rand(1, 3, 64, 64)
    averages = measure(network, picture)
    expected = network(picture, RecalledPool(averages))
    with torch.autocast("cpu", torch.bfloat16):
        unfolded = network(picture, RecalledPool(averages))
    folded = fold(network, averages, torch.bfloat16)(picture)
    assert (folded - expected).abs().mean() < (unfolded - expected).abs().mean()
