"""Tiling: plans that cover everything, windows that add up to one, and blending that changes nothing."""

import pytest
import torch

from hfpie_cli.errors import UsageError
from hfpie_cli.tiling import plan_axis, plan_tiles, process_tiles


@pytest.mark.parametrize("length", [1, 15, 16, 17, 64, 65, 100, 333, 4000])
@pytest.mark.parametrize(("tile", "overlap", "stride"), [(64, 0, 4), (64, 16, 8), (64, 32, 4), (256, 32, 8)])
def test_tiles_cover_every_pixel_with_weights_of_one(length, tile, overlap, stride):
    axis = plan_axis(length, tile=tile, overlap=overlap, stride=stride)
    assert axis.tile <= tile
    assert all(start % stride == 0 for start in axis.starts)
    gaps = [b - a for a, b in zip(axis.starts, axis.starts[1:], strict=False)]
    assert all(0 < gap <= axis.tile - overlap for gap in gaps)
    assert axis.starts[0] == 0
    assert length <= axis.starts[-1] + axis.tile < length + stride
    for scale in (1, 4):
        total = torch.zeros((axis.starts[-1] + axis.tile) * scale)
        for start, window in zip(axis.starts, axis.windows(scale), strict=True):
            total[start * scale : (start + axis.tile) * scale] += window
        assert torch.allclose(total, torch.ones_like(total), atol=1e-6)


def test_the_outer_quarter_of_an_overlap_is_thrown_away():
    axis = plan_axis(112, tile=64, overlap=16, stride=8)
    first, second = axis.windows(1)
    assert axis.starts == (0, 48)
    assert not first[60:].any()
    assert not second[:4].any()
    assert torch.equal(first[:52], torch.ones(52))
    assert (second[4:12].diff() > 0).all()


def test_more_than_two_tiles_may_overlap():
    axis = plan_axis(100, tile=16, overlap=8, stride=4)
    windows = axis.windows(1)
    assert windows.min() >= 0
    total = torch.zeros(axis.starts[-1] + axis.tile)
    for start, window in zip(axis.starts, windows, strict=True):
        total[start : start + axis.tile] += window
    assert total == pytest.approx(torch.ones_like(total))


@pytest.mark.parametrize(("tile", "overlap"), [(4, 0), (64, 33), (64, -1), (8, 4), (24, 12)])
def test_impossible_tiles_are_refused(tile, overlap):
    with pytest.raises(UsageError, match="at most half of --tile"):
        plan_axis(100, tile=tile, overlap=overlap, stride=8)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_strided_process_gives_the_same_in_tiles(batch, scale):
    """Averages over aligned 4x4 cells: wrong phases or wrong blending would show."""
    picture = torch.rand(3, 90, 131)

    def process(tiles):
        cells = torch.nn.functional.avg_pool2d(tiles, 4, ceil_mode=False)
        return cells.repeat_interleave(4 * scale, 2).repeat_interleave(4 * scale, 3)

    plan = plan_tiles(90, 131, tile=40, overlap=8, stride=4)
    done = []
    strips = process_tiles(
        plan,
        lambda top, left, height, width: picture[:, top : top + height, left : left + width],
        process,
        scale=scale,
        batch=batch,
        progress=done.append,
    )
    rows = [(top, strip.clone()) for top, strip in strips]
    assert sum(done) == len(plan) == 12
    assert [top for top, _ in rows] == [start * scale for start in plan.rows.starts]
    whole = torch.nn.functional.pad(picture[None], (0, 1, 0, 2), mode="replicate")
    expected = process(whole)[0, :, : 90 * scale, : 131 * scale]
    assert torch.allclose(torch.cat([strip for _, strip in rows], 1), expected, atol=1e-6)
