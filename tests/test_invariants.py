"""What holds whatever the network does: grey stays grey, local means and narrow ranges are kept, nothing is said to
have changed that has not."""

import io

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hfpie_cli import Restorer
from hfpie_cli.degradations.operations import LUMA, halve_chroma, jpeg, webp
from hfpie_cli.invariants.bands import Grid, correct, linear_weights, regroup
from hfpie_cli.invariants.change import measure_change
from hfpie_cli.invariants.chroma import smooth_chroma
from hfpie_cli.invariants.grey import is_grey
from hfpie_cli.invariants.means import EnlargedMeans, UntintedGreys
from hfpie_cli.invariants.span import FULL_SPAN, Span, bounded, find_span
from hfpie_cli.models.contract import Contract
from hfpie_cli.models.enlarging import enlarge
from hfpie_cli.photos.photo import Photo
from hfpie_cli.photos.quality import psnr as psnr_of
from tests.conftest import make_checkpoint, smooth_picture

UNIT = (0.0, 1.0)


class Tinting(torch.nn.Module):
    """Enlarges (or keeps) a picture, and gives it a tint that gets stronger to the right and downwards."""

    def __init__(self, scale, tint=(0.03, -0.02, 0.01)):
        super().__init__()
        self.scale, self.tint = scale, torch.tensor(tint)[:, None, None]

    def forward(self, tiles):
        return enlarge(tiles, self.scale) + self.tint


def restorer(network, scale=1, **options):
    network.contract = Contract(scale=scale, stride=4)
    return Restorer(network, **{"tile": 64, "overlap": 16, **options})


def noisy(level, sigma, shape, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, shape)
    return np.rint(np.clip(level + noise, 0, 255)).astype(np.uint8)


def means(pixels, side):
    """The means of squares of `side` pixels, in each channel."""
    height, width = (n // side for n in pixels.shape[:2])
    cut = pixels[: height * side, : width * side].astype(np.float64)
    return cut.reshape(height, side, width, side, -1).mean((1, 3))


def whole(rows):
    return torch.cat([strip for _, strip in rows], 1)


# grey


def test_grey_is_what_has_equal_channels(rng):
    grey = rng.integers(0, 256, (50, 40, 1), dtype=np.uint8)
    assert is_grey(grey)
    assert is_grey(grey.repeat(3, 2))
    for row, channel in ((0, 1), (33, 2), (49, 0)):
        coloured = grey.repeat(3, 2)
        coloured[row, 7, channel] ^= 1
        assert not is_grey(coloured)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("scale", [1, 4])
def test_grey_stored_as_rgb_comes_out_grey(tmp_path, dtype, scale):
    network = make_checkpoint(tmp_path / "colourful.safetensors", scale=scale)
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    grey = (smooth_picture(1)[..., :1] * (full / 255)).astype(dtype)
    rgb = Restorer.from_weights(network)(grey.repeat(3, 2))
    assert rgb.shape[2] == 3
    assert (np.ptp(rgb, axis=2) == 0).all()
    assert np.array_equal(rgb[..., :1], Restorer.from_weights(network)(grey))


def test_colours_that_no_one_sees_do_not_make_a_photo_coloured(tmp_path):
    pixels, alpha = smooth_picture(1)[..., :1].repeat(3, 2), np.full((64, 48), 255, np.uint8)
    pixels[:8], alpha[:8] = (255, 0, 0), 0
    network = make_checkpoint(tmp_path / "colourful.safetensors")
    restored = Restorer.from_weights(network).restore(Photo(pixels, alpha)).photo.pixels
    assert (np.ptp(restored[8:], axis=2) == 0).all()
    assert (restored[:8] == (255, 0, 0)).all()


# bands and cells


@pytest.mark.parametrize("length", [1, 31, 47, 48, 200, 333])
def test_cells_cover_a_side_and_their_sums_are_right(length):
    grid = Grid(length, 32)
    sizes = np.diff(grid.edges)
    assert (grid.edges[0], grid.edges[-1]) == (0, length)
    assert length < 32 or (sizes.min() >= 16 and sizes.max() < 48)
    maps = torch.rand(3, 5, length)
    expected = [maps[..., a:b].sum((1, 2)) for a, b in zip(grid.edges, grid.edges[1:], strict=False)]
    assert torch.allclose(grid.sums(maps).float(), torch.stack(expected, 1), rtol=1e-5)
    assert torch.allclose(grid.weights.sum(1), torch.ones(length))


def test_weights_are_linear_between_the_centres():
    weights = linear_weights(torch.tensor([0.0, 10.0, 15.0, 40.0]), torch.tensor([10.0, 20.0, 30.0]).double())
    assert torch.equal(weights, torch.tensor([[1.0, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]))


def test_rows_are_regrouped_without_loss():
    picture = torch.rand(3, 100, 7)
    strips = [(top, picture[:, top : top + rows]) for top, rows in ((0, 5), (5, 60), (65, 1), (66, 34))]
    bands = list(regroup(iter(strips), [0, 32, 64, 100]))
    assert [(top, band.shape[1]) for top, band in bands] == [(0, 32), (32, 32), (64, 36)]
    assert torch.equal(whole(bands), picture)


def test_rows_may_lie_in_one_buffer_that_is_filled_anew():
    picture, buffer = torch.rand(3, 100, 7), torch.empty(3, 40, 7)

    def strips():
        for top in (0, 20, 60):
            rows = buffer[:, : min(40 if top else 20, 100 - top)]
            yield top, rows.copy_(picture[:, top : top + rows.shape[1]])
            buffer.fill_(-1)

    assert torch.equal(whole(regroup(strips(), [0, 32, 64, 100])), picture)


@pytest.mark.parametrize("rule", [EnlargedMeans(UNIT), UntintedGreys()])
def test_what_has_not_changed_is_not_corrected(rule):
    picture = torch.rand(3, 150, 170)
    rows = correct(iter([(0, picture)]), lambda top, n: picture[:, top : top + n], rule, height=150, width=170)
    assert torch.allclose(whole(rows), picture, atol=1e-6)


# means of enlarged photographs


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(5, 7), (50, 64), (75, 90)])
def test_an_enlarged_photograph_has_the_means_of_its_input(scale, size):
    photo = noisy(200, 15, (*size, 3))
    large = restorer(Tinting(scale), scale)(photo)
    assert np.abs(large.mean((0, 1)) - photo.mean((0, 1))).max() < 0.1
    if min(size) >= 16:
        assert np.abs(means(large, 16 * scale) - means(photo, 16)).max() < 1


def test_a_tint_that_varies_is_taken_away():
    class Shading(torch.nn.Module):
        def forward(self, tiles):
            large = enlarge(tiles, 4)
            return (
                large
                + 0.05 * torch.sin(torch.linspace(0, 3, large.shape[3])) * tiles.new_tensor([1, -1, 0.5])[:, None, None]
            )

    photo = np.clip(smooth_picture(3, (96, 96)), 30, 225)
    large = restorer(Shading(), 4, tile=128)(photo)
    bicubic = (
        enlarge(torch.from_numpy(photo / 255.0).permute(2, 0, 1)[None].float(), 4)[0].permute(1, 2, 0).numpy() * 255
    )
    assert np.abs(means(large, 64) - means(photo, 16)).max() < 0.5
    assert np.abs(large - bicubic).max() < 5  # it was up to 13


def test_paper_stays_white_where_lines_are_drawn_too_thin():
    page = np.full((64, 64, 3), 255, np.uint8)
    page[:, 30:34] = 0

    class Thinning(torch.nn.Module):
        def forward(self, tiles):
            return (enlarge(tiles, 4) * 1.2 + 0.15).clamp(0, 1)

    large = restorer(Thinning(), 4)(page)
    assert large[:, :64].min() >= 250
    assert np.abs(means(large, 64) - means(page, 16)).max() < 3  # without: 6


def test_corrections_do_not_show_the_tiles(tmp_path):
    network = make_checkpoint(tmp_path / "strong.safetensors", scale=4)
    photo = np.concatenate([np.full((90, 150, 3), 128, np.uint8), noisy(128, 60, (90, 150, 3))])
    tiled, untiled = (
        Restorer.from_weights(network, tile=tile, overlap=32, precision="fp32")(photo) for tile in (64, 1024)
    )
    assert np.abs(tiled.astype(int) - untiled).max() <= 1


# tints of photographs that keep their size


def smoothing(tiles):
    return F.avg_pool2d(F.pad(tiles, (3, 3, 3, 3), mode="reflect"), 7, 1)


@pytest.mark.parametrize("level", [0, 10, 245, 255])
def test_grey_that_is_nearly_black_or_white_gets_no_tint(level):
    tint = torch.tensor([1.5, 0.0, -1.5])[:, None, None] / 255

    class Shifting(torch.nn.Module):
        def forward(self, tiles):
            return smoothing(tiles) + tint

    photo = noisy(level, 15, (128, 128, 3))
    restored = restorer(Shifting())(photo).astype(np.float64)
    assert np.ptp(restored.mean((0, 1))) < 0.6  # without: 3


@pytest.mark.parametrize("level", [20, 128, 200, 240])
def test_brightness_is_the_networks(level):
    class Darker(torch.nn.Module):
        def forward(self, tiles):
            return smoothing(tiles) - 4 / 255

    photo = noisy(level, 15, (128, 128, 3))
    alone = smoothing(torch.from_numpy(photo / 255.0).permute(2, 0, 1)[None].float()).mean().item() * 255 - 4
    assert restorer(Darker())(photo).mean() == pytest.approx(max(alone, 0), abs=0.6)


def test_dark_colours_keep_the_networks_tint():
    """What noise that is clipped takes from a dark colour, the network may give back."""
    photo = noisy((30, 5, 5), 15, (128, 128, 3))
    truth = torch.tensor([30.0, 5, 5])[:, None, None] / 255

    class Knowing(torch.nn.Module):
        def forward(self, tiles):
            return truth.expand_as(tiles)

    assert (restorer(Knowing())(photo) == (30, 5, 5)).all()


# narrow ranges


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_narrow_range_is_found_and_brought_back(rng, dtype):
    full = 65535 if dtype == np.uint16 else 1
    pixels = (rng.uniform(0.30, 0.34, (200, 300, 3)) * full).astype(dtype)
    pixels[0, 0], pixels[5, 9] = full, 0  # dead pixels
    span = find_span(pixels)
    assert (span.low, span.high) == pytest.approx((0.298, 0.342), abs=5e-4)
    picture = torch.rand(3, 20, 20)
    assert torch.allclose(span.bring_back(span.stretch(picture)), picture, atol=1e-6)
    assert span.stretch(torch.tensor(0.32)).item() == pytest.approx(0.5, abs=0.01)


def test_wide_ranges_and_bytes_are_left_as_they_are(rng):
    wide = rng.uniform(0.1, 0.7, (200, 300, 3)).astype(np.float32)
    assert find_span(wide) is FULL_SPAN
    assert find_span((wide * 65535).astype(np.uint16)) is FULL_SPAN
    assert find_span(np.full((9, 9, 3), 7, np.uint8)) is FULL_SPAN


def test_the_span_of_a_plain_picture_is_not_its_noise():
    plain = np.full((40, 40, 1), 30000, np.uint16)
    plain[::2] += 1
    assert find_span(plain).width == pytest.approx(1 / 1024, rel=0.05)
    assert find_span(np.zeros((4, 4, 1), np.uint16)).low == 0


def test_what_lies_beyond_the_span_is_kept():
    tiles = torch.tensor([-0.5, 0.25, 3.0]).expand(1, 3, 4, 3)
    assert torch.allclose(bounded(lambda seen: seen / 2, 1)(tiles), torch.tensor([-0.5, 0.125, 2.5]).expand(1, 3, 4, 3))


@pytest.mark.parametrize("scale", [1, 4])
def test_a_network_for_bytes_does_not_coarsen_ten_bits_in_sixteen(scale):
    class Rounding(torch.nn.Module):
        def forward(self, tiles):
            return enlarge((tiles * 255).round() / 255, scale)

    ten = np.rint(smooth_picture(4, (96, 128)).astype(np.float64) * 4).astype(np.uint16)
    restored = restorer(Rounding(), scale, tile=128)(ten)
    expected = enlarge(torch.from_numpy(ten / 65535).permute(2, 0, 1)[None].float(), scale)[0].permute(1, 2, 0).numpy()
    assert np.abs(restored - expected * 65535).max() < 16  # of 257 that a byte is


def test_integers_do_not_leave_their_range():
    assert find_span(np.full((8, 8, 3), 3, np.uint16)) == Span(0.0, pytest.approx(3 / 65535 + 1 / 2048))


# nothing to do


def test_change_is_measured_in_bytes_of_the_span(rng):
    before = rng.integers(0, 60000, (130, 200, 3), dtype=np.uint16)
    after = before + np.uint16(257)
    assert measure_change(before, after).whole == pytest.approx(1)
    assert measure_change(before, after, 0.25).cell == pytest.approx(4)
    assert not measure_change(before, after).slight
    assert measure_change(before, before).slight
    mended = before.copy()
    mended[70, 70] ^= 1 << 15
    assert not measure_change(before, mended).slight
    assert measure_change(before, mended).whole < 1


def test_a_photograph_that_needs_nothing_is_left_as_it_is():
    photo = smooth_picture(2, (128, 96))
    for dtype, full in ((np.uint8, 255), (np.uint16, 65535)):
        array = (photo / 255 * full).astype(dtype)
        outcome = restorer(Nudging(0.4 / 255)).restore(Photo(array))
        assert not outcome.changed
        assert np.array_equal(outcome.photo.pixels, array)
        assert outcome.photo.pixels is not array
        assert restorer(Nudging(4 / 255)).restore(Photo(array)).changed
        assert restorer(Nudging(1.5 / 255), strength=0.2).restore(Photo(array)).photo.pixels is not array
    assert restorer(Tinting(4), 4).restore(Photo(photo)).changed


class Nudging(torch.nn.Module):
    """Moves every other pixel up by `step`, the others down."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, tiles):
        signs = torch.ones_like(tiles)
        signs[..., ::2] = -1
        return tiles + self.step * signs


def psnr(one, other):
    return psnr_of(one.astype(float), other.astype(float))


def as_bytes(picture):
    return np.rint(picture * 255).astype(np.uint8)


def colourful(shape=(120, 96)):
    """A picture with detail in luma and chroma, no value near black or white: (h, w, 3) float32 in [0, 1]."""
    coarse = np.random.default_rng(5).uniform(0.2, 0.8, (shape[0] // 3, shape[1] // 3, 3)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0.1, 0.9)


@pytest.mark.parametrize("shape", [(120, 96), (119, 95)])
def test_repeated_chroma_is_smoothed_and_luma_is_kept(shape):
    whole = (colourful(), halve_chroma(colourful()), halve_chroma(colourful(), repeated=True))
    picture, expected, frame = (as_bytes(each)[: shape[0], : shape[1]] for each in whole)
    smooth = smooth_chroma(frame)
    assert smooth.shape == (*shape, 3)
    assert np.abs(smooth.astype(int) - expected)[:-2, :-2].max() <= 2
    assert psnr(smooth, picture) > psnr(frame, picture) + 1


def test_frames_of_any_depth_are_smoothed_alike():
    frame = as_bytes(halve_chroma(colourful(), repeated=True))
    smooth = smooth_chroma(frame)
    deep = smooth_chroma(frame.astype(np.uint16) * 257)
    exact = smooth_chroma(frame.astype(np.float32) / np.float32(255))
    assert (deep.dtype, exact.dtype) == (np.uint16, np.float32)
    assert np.abs(deep / 257 - smooth).max() <= 0.51
    assert np.abs(exact * 255 - smooth).max() <= 0.51


def test_chroma_repeated_side_by_side_alone_is_smoothed_across():
    planes = cv2.cvtColor(colourful(), cv2.COLOR_RGB2YCrCb)
    planes[..., 1:] = planes[:, ::2, 1:].repeat(2, 1)
    frame = as_bytes(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB))
    red = smooth_chroma(frame)[..., 0].astype(float) - smooth_chroma(frame) @ LUMA
    before = frame[..., 0].astype(float) - frame @ LUMA
    assert np.abs(np.diff(before, axis=1)[:, ::2]).mean() < 0.5
    assert np.abs(np.diff(red, axis=1)[:, ::2]).mean() > 2
    assert np.abs(red - before).reshape(120, 48, 2).mean(2).max() < 40


@pytest.mark.parametrize(
    "kept",
    [
        as_bytes(colourful()),
        as_bytes(jpeg(colourful(), 95)),
        as_bytes(webp(colourful(), 80)),
        as_bytes(halve_chroma(colourful())),
        as_bytes(colourful()[::2, ::2].repeat(2, 0).repeat(2, 1)),  # drawn in large pixels
        as_bytes(colourful().mean(2, keepdims=True).repeat(3, 2)),
        as_bytes(halve_chroma(colourful(), repeated=True))[:15],
        colourful(),
        np.zeros((64, 64, 3), np.uint8),
    ],
)
def test_chroma_that_is_not_repeated_stays(kept):
    assert smooth_chroma(kept) is kept


def test_frames_as_ffmpeg_writes_them_are_told():
    av, file = pytest.importorskip("av"), io.BytesIO()
    with av.open(file, "w", format="matroska") as film:
        stream = film.add_stream("libx264", rate=25, options={"crf": "20"})
        stream.height, stream.width, stream.pix_fmt = 120, 96, "yuv420p"
        for _ in range(3):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(as_bytes(colourful()), "rgb24")))
        film.mux(stream.encode())
    file.seek(0)
    with av.open(file) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 3
    for frame in frames:
        smooth = smooth_chroma(frame)
        assert psnr(smooth, as_bytes(colourful())) > psnr(frame, as_bytes(colourful())) + 0.5


@pytest.mark.parametrize("scale", [1, 2])
def test_what_enlarges_sees_smooth_chroma(scale):
    frame = as_bytes(halve_chroma(colourful(), repeated=True))
    enlarging = restorer(Tinting(scale, (0, 0, 0)), scale)
    seen = smooth_chroma(frame) if scale > 1 else frame
    assert np.array_equal(enlarging(frame), enlarging(seen))
    assert not np.array_equal(seen, frame) or scale == 1
