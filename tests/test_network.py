"""The network of the paper: shapes, sizes, costs, and what its parts promise."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hfpie_cli.models.blocks import FeatureAttention, MultiScaleEdgeFilter, edge_kernels
from hfpie_cli.models.network import Network, NetworkConfig, reconstruction
from hfpie_cli.models.pooling import MeasuringPool, RecalledPool, pool_each

SIZES = [  # configuration, million parameters, MFLOP per input pixel
    (NetworkConfig(), 6.76, 2.004),
    (NetworkConfig(unshuffle=2), 6.78, 0.507),
    (NetworkConfig(scale=4), 6.79, 2.056),
    (NetworkConfig(blocks=(8, 8, 6), unshuffle=2), 2.16, 0.447),
    (NetworkConfig(width=48, blocks=(8, 8, 8), scale=4), 1.32, 1.049),
    (NetworkConfig(blocks=(4, 4, 3), scale=4, tail=24), 1.34, 1.200),
    (NetworkConfig(edges=False), 6.74, 1.975),
    (NetworkConfig(feature_attention=False), 6.75, 2.004),
]


@pytest.mark.parametrize(("config", "parameters", "flop"), SIZES)
def test_parameters_and_cost_of_each_shape(config, parameters, flop):
    with torch.device("meta"):
        network = Network(config)
        picture = torch.empty(1, 3, 128, 128)
    with FlopCounterMode(display=False) as counter:
        network(picture)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(parameters, abs=0.01)
    assert counter.get_total_flops() / 128**2 / 1e6 == pytest.approx(flop, rel=0.01)


@pytest.mark.parametrize(
    "config", [{"unshuffle": 2}, {"scale": 4}, {"scale": 2}, {"edges": False}, {"scale": 4, "tail": 8}]
)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 30), (64, 33)])
def test_any_size_comes_out_exactly_scaled(config, size):
    network = Network(NetworkConfig(width=8, blocks=(1, 1, 1), **config))
    restored = network(torch.rand(2, 3, *size))
    assert restored.shape == (2, 3, size[0] * network.config.scale, size[1] * network.config.scale)


def test_a_tail_draws_no_pattern_from_even_maps():
    even = torch.randn(1, 8, 1, 1).expand(1, 8, 6, 6)
    drawn = reconstruction(8, 4, 8)(even)
    assert drawn.shape == (1, 3, 24, 24)
    inner = drawn[..., 4:-4, 4:-4]  # the border sees the padding
    assert torch.allclose(inner, inner[..., :1, :1].expand_as(inner), atol=1e-6)


def test_edge_filters_start_as_predefined_and_are_trained():
    kernels = edge_kernels()
    assert kernels.shape == (9, 7, 7)
    assert torch.allclose(kernels.sum((1, 2)), torch.zeros(9), atol=1e-6)
    assert torch.allclose(kernels[0, 2:5, 2:5] * 8, torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    module = MultiScaleEdgeFilter(8)
    green = module.filters.weight[9:18]
    assert torch.equal(green[:, 1], kernels)
    assert not green[:, [0, 2]].any()
    module(torch.rand(1, 3, 9, 9)).square().mean().backward()
    assert module.filters.weight.grad.abs().sum() > 0


def test_feature_attention_starts_as_a_plain_sum():
    maps = list(torch.randn(3, 2, 8, 5, 6))
    assert torch.allclose(FeatureAttention(3)(maps, pool_each), sum(maps), atol=1e-6)


def test_feature_attention_tells_maps_apart_but_not_channels():
    torch.manual_seed(0)
    attention, maps = FeatureAttention(2), list(torch.randn(2, 4, 8, 5, 6))
    optimizer = torch.optim.Adam(attention.parameters(), lr=0.05)
    for _ in range(5):
        optimizer.zero_grad()
        (attention(maps, pool_each) - maps[0]).square().mean().backward()
        optimizer.step()
    joined = attention(maps, pool_each)
    assert not torch.allclose(attention(maps[::-1], pool_each), joined, atol=1e-3)
    order = torch.randperm(8)
    assert torch.allclose(attention([m[:, order] for m in maps], pool_each), joined[:, order], atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"blocks": (1, 2)},
        {"scale": 3},
        {"unshuffle": 4},
        {"blocks": (1, 1, 1000)},
        {"edges": 1},
        {"tail": 8},
        {"tail": 6, "scale": 4},
    ],
)
def test_senseless_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NetworkConfig(**wrong)


def test_recalled_averages_make_a_part_independent_of_the_rest():
    torch.manual_seed(0)
    network = Network(NetworkConfig(width=8, blocks=(1, 1, 1))).eval()
    picture, pool = torch.rand(1, 3, 32, 32), MeasuringPool()
    whole = network(picture, pool)
    assert torch.equal(whole, network(picture))
    assert torch.allclose(network(picture, RecalledPool(pool.averages)), whole, atol=1e-6)
    halves = MeasuringPool()
    network(torch.cat([picture[..., :16], picture[..., 16:]]), halves)
    assert len(halves.averages) == len(pool.averages)
    assert all(average.shape == (1, 8, 1, 1) for average in halves.averages)
