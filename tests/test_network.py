"""The network of the paper: shapes, sizes, costs, and properties of its parts."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from hfpie_cli.models.blocks import FeatureAttention, MultiScaleEdgeFilter, edge_kernels
from hfpie_cli.models.enlarging import enlarge
from hfpie_cli.models.network import Network, NetworkConfig, reconstruction
from hfpie_cli.models.pooling import MeasuringPool, RecalledPool, pool_each

SIZES = [  # configuration, million parameters, MFLOP per input pixel
    (NetworkConfig(), 6.8, 2.092),
    (NetworkConfig(unshuffle=2), 6.82, 0.529),
    (NetworkConfig(scale=4), 6.82, 2.144),
    (NetworkConfig((64, 96, 128), (2, 2, 3), (6, 3, 0), unshuffle=2), 3.21, 0.491),
    (NetworkConfig((48, 64, 96), (1, 1, 2), (7, 2, 0), scale=4), 1.35, 0.979),
    (NetworkConfig(scale=4, reconstruction=24), 6.81, 2.292),
    (NetworkConfig(edges=False), 6.78, 2.077),
    (NetworkConfig(feature_attention=False), 6.8, 2.092),
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
    "config", [{"unshuffle": 2}, {"scale": 4}, {"scale": 2}, {"edges": False}, {"scale": 4, "reconstruction": 8}]
)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 30), (64, 33)])
def test_any_size_comes_out_exactly_scaled(config, size):
    network = Network(NetworkConfig(widths=(8, 12, 16), bodies=(1, 1, 1), **config))
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


def test_feature_attention_does_not_depend_on_the_scale_of_the_maps():
    torch.manual_seed(0)
    attention, maps = FeatureAttention(3), list(torch.randn(3, 2, 8, 5, 6))
    torch.nn.init.normal_(attention.conv2.weight)
    weights = attention.weigh(maps, pool_each)
    assert weights.std() > 0.1
    assert torch.allclose(attention.weigh([m * 1e6 for m in maps], pool_each), weights, atol=1e-3)
    grown = [maps[0] * 1e12, *maps[1:]]
    grown[0].requires_grad_()
    attention.weigh(grown, pool_each).square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in attention.parameters())


def test_feature_attention_never_shuts_out_a_map():
    attention, maps = FeatureAttention(4), list(torch.randn(4, 2, 8, 5, 6))
    with torch.no_grad():
        attention.conv2.weight.fill_(1e3)
    weights = attention.weigh(maps, pool_each)
    assert torch.allclose(weights.sum(-1), torch.full((2, 8, 1, 1), 4.0))
    assert weights.min() > 0.17  # 4 / (1 + 3 e^2)
    assert (weights.amax(-1) / weights.amin(-1)).max() <= 7.4


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
        {"widths": (0, 8, 8)},
        {"bodies": (1, 2)},
        {"scale": 3},
        {"unshuffle": 4},
        {"tails": (1, 1, 1000)},
        {"edges": 1},
        {"reconstruction": 8},
        {"reconstruction": 6, "scale": 4},
    ],
)
def test_senseless_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NetworkConfig(**wrong)


def test_recalled_averages_make_a_part_independent_of_the_rest():
    torch.manual_seed(0)
    network = Network(NetworkConfig(widths=(8, 12, 16), bodies=(1, 1, 1))).eval()
    picture, pool = torch.rand(1, 3, 32, 32), MeasuringPool()
    whole = network(picture, pool)
    assert torch.equal(whole, network(picture))
    assert torch.allclose(network(picture, RecalledPool(pool.averages)), whole, atol=1e-6)
    halves = MeasuringPool()
    network(torch.cat([picture[..., :16], picture[..., 16:]]), halves)
    assert len(halves.averages) == len(pool.averages)
    assert all(average.shape[0] == 1 and average.shape[2:] == (1, 1) for average in halves.averages)


@pytest.mark.parametrize("scale", [2, 4])
def test_enlarging_is_bicubic_with_the_edge_repeated(scale):
    picture = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(0))
    wider = F.pad(picture, (4, 4, 4, 4), mode="replicate")
    expected = F.interpolate(wider, scale_factor=scale, mode="bicubic", antialias=True)  # Matlab's kernel
    edge = 4 * scale
    torch.testing.assert_close(enlarge(picture, scale), expected[..., edge:-edge, edge:-edge], atol=1e-6, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert enlarge(picture, scale).dtype == torch.float32
