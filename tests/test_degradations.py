"""Realistic degradations: their effects, and that they reach their strengths."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hfpie_cli.data.crops import CropSampler, darkened
from hfpie_cli.degradations.blur import Lens, draw_kernel
from hfpie_cli.degradations.named import DEGRADATIONS, Chain, Impulses, Jpeg, repeat_chroma
from hfpie_cli.degradations.operations import (
    LUMA,
    blur,
    disc_kernel,
    gaussian_kernel,
    halve_chroma,
    jpeg,
    jpeg_on_another_grid,
    product,
    quantise,
    resized,
    webp,
)
from hfpie_cli.degradations.sensor import (
    Camera,
    Sensor,
    demosaic_bilinear,
    mosaic,
    search,
    smoothed,
)
from hfpie_cli.degradations.small_photos import FILTERS, Reduction, reduce_by
from hfpie_cli.degradations.tones import to_linear, to_values
from hfpie_cli.degradations.web import Enlarged, EnlargedLosses, FineFile, Grain, Webp
from hfpie_cli.photos.quality import psnr as psnr_of

from .conftest import smooth_picture

psnr = partial(psnr_of, peak=1)

PLAIN = Camera(
    knee=1e-3,
    rows=0,
    hot=0,
    gains=(1.0, 1.0),
    saturation=1.0,
    phase=None,
    pedestal=True,
    contrast=0,
    median=1,
    luma=0,
    chroma=0,
    blotches=0,
    sharpening=0,
    size=1,
    first_quality=0,
    quality=0,
    subsample=False,
)


def flat(level, side=96):
    return np.full((side, side, 3), level, np.float32)


def photo(seed=0, side=128):
    return smooth_picture(seed, (side, side)).astype(np.float32) / np.float32(255)


def noise_of(picture, strength=0.02, seed=0, **changes):
    return replace(PLAIN, **changes).photograph(picture, strength, np.random.default_rng(seed)) - picture


def correlation(noise, shift=1):
    """Of horizontal neighbours, green."""
    green = noise[..., 1] - noise[..., 1].mean()
    return (green[:, shift:] * green[:, :-shift]).mean() / green.var()


def test_a_flat_mosaic_is_restored():
    colour = np.array([0.2, 0.5, 0.7], np.float32)
    for phase in ((0, 0), (1, 0), (0, 1), (1, 1)):
        seen = mosaic(np.broadcast_to(colour, (20, 22, 3)), phase)
        assert seen[phase] == colour[0]
        assert np.allclose(demosaic_bilinear(seen, phase), colour, atol=1e-6)


@pytest.mark.parametrize("contrast", [0, 0.5, 1])
def test_a_tone_curve_is_undone_by_its_inverse(contrast):
    values = np.linspace(0, 1, 256, dtype=np.float32)
    linear = to_linear(values, contrast)
    assert np.abs(to_values(linear, contrast) - values).max() < 0.3 / 255
    if contrast == 0:
        assert np.abs(linear - values**2.2).max() < 1e-3


def test_shot_noise_grows_with_the_light_in_linear_light():
    strength = 0.02
    for level in (0.3, 0.6):
        light = level**2.2
        slope = (level / light) / 2.2  # of the gamma
        expected = slope * strength * np.sqrt(light + PLAIN.knee)
        assert noise_of(flat(level), strength).std() == pytest.approx(expected, rel=0.04)


def test_noise_that_is_clipped_at_black_lifts_it_unless_the_pedestal_is_kept():
    dark = flat(0.05)
    clipped, kept = (noise_of(dark, 0.3, phase=(0, 0), pedestal=pedestal) for pedestal in (False, True))
    assert clipped.min() >= -0.051
    assert clipped.mean() > 1.2 * kept.mean() > 0  # the file clips at black in either case


def test_row_noise_and_hot_pixels_are_seen():
    rows = noise_of(flat(0.5), knee=0.2, rows=1.0)[..., 1]
    plain = noise_of(flat(0.5), knee=0.2)[..., 1]
    assert rows.mean(1).std() > 3 * plain.mean(1).std()
    assert (noise_of(flat(0.2), 1e-4, hot=1e-3) > 0.1).any()
    assert not (noise_of(flat(0.2), 1e-4) > 0.1).any()


def test_a_mosaic_smoothing_and_coarse_grain_correlate_the_noise():
    white = correlation(noise_of(flat(0.5)))
    assert abs(white) < 0.05
    for change in ({"phase": (0, 0)}, {"luma": 1.0}, {"size": 0.5}):
        assert correlation(noise_of(flat(0.5), **change)) > 0.2


def test_smoothed_chroma_keeps_its_blotches_if_wanted():
    def chroma(**changes):
        noise = noise_of(flat(0.5), **changes)
        return (noise[..., 0] - noise[..., 1]).std()

    assert chroma(chroma=3.0) < 0.3 * chroma()
    assert chroma(chroma=3.0, blotches=1.0) == pytest.approx(chroma(), rel=0.25)


def test_sharpening_amplifies_the_noise_and_saturation_its_colours():
    assert noise_of(flat(0.5), sharpening=1.0).std() > 1.2 * noise_of(flat(0.5)).std()
    pale, bright = (noise_of(flat(0.5), saturation=saturation) for saturation in (1.0, 1.8))
    assert np.ptp(bright, 2).mean() > 1.5 * np.ptp(pale, 2).mean()


def test_a_camera_without_noise_changes_nothing_but_by_jpeg():
    picture = photo()
    for seed in range(12):
        camera = replace(Camera.draw(np.random.default_rng(seed), (30, 100)), hot=0)
        same = camera.without_jpeg().photograph(picture, 0.0, np.random.default_rng(0))
        assert np.abs(same - picture).max() < 1.01 / 255


@pytest.mark.parametrize(("name", "least", "most"), [("day-smoothed", 27, 46), ("night-smoothed", 17, 31)])
def test_cameras_that_smooth_their_noise_leave_it_wide(name, least, most):
    levels, widths = [], []
    for seed in range(24):
        noise = DEGRADATIONS[name](flat(0.4, 160), np.random.default_rng(seed)) - 0.4
        luma = noise @ np.array(LUMA, np.float32)
        levels.append(-10 * np.log10((noise**2).mean()))
        blue = noise[..., 2] - luma
        widths.append((correlation(np.dstack([luma] * 3)), correlation(np.dstack([blue] * 3), 4)))
    assert least < min(levels) < max(levels) < most
    fine, wide = np.median(widths, 0)
    assert fine == pytest.approx(0.66, abs=0.15)  # as PolyU's 60 pairs have them: 0.66 and 0.60
    assert wide == pytest.approx(0.60, abs=0.15)


def test_smoothed_noise_saved_as_jpeg_shows_the_grid_of_blocks():
    """Steps from pixel to pixel over the borders of 8 x 8 blocks against all others."""
    grids = {"day-jpeg": [], "day-smoothed": []}
    for name, found in grids.items():
        for seed in range(12):
            degraded = DEGRADATIONS[name](flat(0.4, 160), np.random.default_rng(seed))
            steps = np.abs(np.diff(degraded.mean(2), axis=1)).mean(0)
            found.append(steps[7::8].mean() / np.delete(steps, np.arange(7, len(steps), 8)).mean())
    assert np.median(grids["day-jpeg"]) > 1.5
    assert np.median(grids["day-smoothed"]) < 1.2


def test_sensor_noise_is_spread_evenly_down_to_14_db():
    picture = photo(3)
    reached = [psnr(DEGRADATIONS["sensor"](picture, np.random.default_rng(seed)), picture) for seed in range(80)]
    counts, _ = np.histogram(reached, [12, 18, 24, 30, 42])
    assert min(reached) < 16
    assert max(reached) > 36
    assert counts.min() >= 10
    assert counts.sum() >= 78


@pytest.mark.parametrize("level", [16, 20, 24])
@pytest.mark.parametrize("seed", range(5))
def test_a_night_has_exactly_its_psnr(level, seed):
    picture = photo(seed)
    night = DEGRADATIONS[f"night-{level}"](picture, np.random.default_rng(seed))
    assert psnr(night, picture) == pytest.approx(level, abs=0.05)
    assert np.array_equal(night, DEGRADATIONS[f"night-{level}"](picture, np.random.default_rng(seed)))


def test_a_search_gives_the_nearest_of_what_it_tried():
    strength, degraded = search(replace(PLAIN, quality=30), photo(), 60.0, seed=0, rounds=5)  # JPEG alone is worse
    assert 0 < strength < 10**-2
    assert 20 < psnr(degraded, photo()) < 60


def test_jpeg_twice_is_worse_and_on_another_grid():
    picture = photo(1)
    once, twice = (Jpeg((30, 30), twice=chance, chroma=False)(picture, np.random.default_rng(0)) for chance in (0, 1))
    assert np.array_equal(once, jpeg(picture, 30, subsample=False))
    assert psnr(twice, picture) < psnr(once, picture)
    moved = jpeg_on_another_grid(picture, 10, (3, 5), subsample=False)
    steps = np.abs(np.diff(moved, axis=1)).mean((0, 2))  # between columns: large where blocks meet
    assert steps.reshape(-1)[2::8].mean() > 1.5 * np.median(steps)  # 8 - 5 columns belong to the first block


def test_impulses_strike_a_share_of_the_pixels():
    picture = flat(0.5, 200)
    struck = [(np.abs(Impulses(quality=(100, 100))(picture, np.random.default_rng(i)) - 0.5) > 0.02).any(2).mean()
              for i in range(40)]  # fmt: skip
    assert 0 < min(struck) < 2e-3
    assert 0.01 < max(struck) < 0.16


def grain(level, **changes):
    """Grain of 12 on a plain picture, with a random number that leaves JPEG out."""
    settings = {"sigma": (12, 12), "fading": (0, 0)} | changes
    return Grain(**settings)(flat(level, 200), np.random.default_rng(0)) - np.float32(level)


def test_grain_is_as_strong_as_asked_and_fades_in_white():
    middle, white = (grain(level, fading=(0.75, 0.75)) for level in (0.5, 0.9))
    assert 255 * middle.std((0, 1)).mean() == pytest.approx(12, abs=0.4)
    assert white.std() / middle.std() == pytest.approx(1 - 0.75 * 0.8, abs=0.03)


def test_neighbouring_pixels_share_coarse_grain():
    assert correlation(grain(0.5, size=(0.4, 0.4))) < 0.25
    assert correlation(grain(0.5, size=(1.5, 1.5))) == pytest.approx(np.exp(-1 / (4 * 1.5**2)), abs=0.05)


@pytest.mark.parametrize(
    "degradation", [Webp((10, 95)), FineFile(), DEGRADATIONS["film-frame"], EnlargedLosses(), Enlarged(), Grain()]
)
def test_what_the_web_does_keeps_size_and_range(degradation):
    for seed in range(6):
        degraded = degradation(photo(side=88)[:61, :47], np.random.default_rng(seed))
        assert degraded.shape == (61, 47, 3)
        assert degraded.dtype == np.float32
        assert degraded.min() >= 0
        assert degraded.max() <= 1


def test_halved_chroma_keeps_luma_and_grey_and_loses_fine_colour():
    grey = photo().mean(2, keepdims=True).repeat(3, 2)
    assert np.abs(halve_chroma(grey) - grey).max() < 1e-5
    stripes = np.tile(np.float32([[0.6, 0.4, 0.4], [0.4, 0.5, 0.4]]), (32, 16, 1)).reshape(32, 32, 3)
    halved = halve_chroma(stripes)
    assert np.abs((halved - stripes) @ LUMA).max() < 0.002
    assert np.abs(np.diff(halved[..., 0] - halved @ LUMA)).max() < 0.002  # red stripes are gone
    assert halve_chroma(stripes[:31, :27]).shape == (31, 27, 3)


def test_repeated_chroma_is_alike_in_each_square_of_four_pixels():
    repeated = halve_chroma(photo()[:31, :27], repeated=True)
    red = repeated[..., 0] - repeated @ LUMA
    assert repeated.shape == (31, 27, 3)
    assert np.abs(np.diff(red, axis=0)[::2]).max() < 1e-5
    assert np.abs(np.diff(red, axis=1)[:, ::2]).max() < 1e-5
    assert np.abs(np.diff(red, axis=1)[:, 1::2]).max() > 0.01


def test_a_fine_file_loses_little_but_colour():
    picture = photo(2)
    saved = [FineFile()(picture, np.random.default_rng(seed)) for seed in range(30)]
    assert min(psnr_of(p @ LUMA, picture @ LUMA, peak=1) for p in saved) > 38
    assert max(psnr(p, picture) for p in saved) < 40
    assert len({p.tobytes() for p in saved}) > 10  # of many qualities
    assert sum(np.array_equal(p, quantise(halve_chroma(picture))) for p in saved) > 3


def test_a_frame_of_a_film_is_webp_with_repeated_chroma():
    frame = Chain((Webp((60, 60)), repeat_chroma))(photo(2), np.random.default_rng(0))
    coded = webp(photo(2), 60)
    assert psnr_of(frame @ LUMA, coded @ LUMA, peak=1) > 50
    blue = frame[..., 2] - frame @ LUMA
    assert np.quantile(np.abs(np.diff(blue, axis=1)[:, ::2]), 0.95) < 0.01  # but where colours are clipped
    assert np.quantile(np.abs(np.diff(blue, axis=1)[:, 1::2]), 0.95) > 0.02


def test_lower_quality_of_webp_loses_more():
    low, high = (psnr(Webp((quality, quality))(photo(), np.random.default_rng(0)), photo()) for quality in (20, 90))
    assert low < high - 3


def test_enlarged_losses_leave_the_picture_sharp_and_enlarged_pictures_are_soft():
    stripes = np.tile([0.2, 0.8], (64, 32))[..., None].repeat(3, 2).astype(np.float32)
    contrast = {}
    for degradation in (EnlargedLosses((2, 2), (95, 95)), Enlarged((2, 2), (100, 100))):
        degraded = degradation(stripes, np.random.default_rng(3))
        contrast[type(degradation)] = degraded[:, 1::2].mean() - degraded[:, ::2].mean()
    assert contrast[EnlargedLosses] == pytest.approx(0.6, abs=0.05)
    assert abs(contrast[Enlarged]) < 0.05


def test_enlarged_losses_grow_as_the_quality_falls():
    low, high = (
        np.mean([psnr(EnlargedLosses(quality=(q, q))(photo(i), np.random.default_rng(i)), photo(i)) for i in range(6)])
        for q in (30, 95)
    )
    assert low < high - 1
    assert high < 50


def test_darkening_halves_the_light_with_every_stop():
    assert darkened(flat(0.8), 1.0)[0, 0, 0] ** 2.2 == pytest.approx(0.8**2.2 / 2, rel=1e-3)


def test_a_darkened_crop_is_its_own_target(data):
    bright, dark = (CropSampler(data, {"clean": 1}, 1, 0, dark=share).batch(0, range(16), 32) for share in (0, 1))
    assert dark[1].mean() < 0.75 * bright[1].mean()
    assert dark[0].equal(dark[1])


def test_resizing_does_not_move_the_picture():
    ramp = np.repeat(np.linspace(0, 1, 60, dtype=np.float32)[None, :, None], 60, 0).repeat(3, 2)
    for side in (30, 45, 91, 120):
        there = resized(ramp, side, side)[side // 2, :, 0]
        at = (np.arange(side) + 0.5) * 60 / side - 0.5
        assert np.abs(there - at / 59)[4:-4].max() < 0.1 / 59


def test_smoothing_has_its_sigma():
    point = np.zeros((31, 31), np.float32)
    point[15, 15] = 1
    weights = smoothed(point, 2.0).sum(0)
    assert (weights * (np.arange(31) - 15) ** 2).sum() == pytest.approx(4, rel=0.15)


def test_a_sensor_s_noise_has_limits_in_the_dark():
    black = flat(0.02)
    noisy = Sensor(psnr=(14, 14), quality=(100, 100))(black, np.random.default_rng(1))
    assert np.isfinite(noisy).all()
    assert psnr(noisy, black) > 10


def test_a_disc_has_its_radius_and_its_soft_rim():
    for radius, rim in ((0.5, 0.5), (2, 1), (4, 1), (6, 4)):
        kernel = disc_kernel(radius, rim)
        y, x = np.mgrid[: kernel.shape[0], : kernel.shape[0]] - kernel.shape[0] // 2
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert kernel[np.hypot(x, y) > radius + rim / 2 + 0.75].max(initial=0) == 0
        assert np.allclose(kernel, kernel.T)
    assert disc_kernel(4, 0.1).max() == pytest.approx(1 / (np.pi * 16), rel=0.02)  # even inside
    y, x = np.mgrid[:11, :11] - 5
    assert (disc_kernel(4, 0.1) * x**2).sum() == pytest.approx(4 + 1 / 12, rel=0.03)  # a disc's, and the pixels' own


def test_a_product_blurs_as_one_after_the_other():
    first, second = disc_kernel(2, 1), gaussian_kernel(1.0, 0.5, 0.3, 9)
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    both = product(first, second)
    assert both.shape == (15, 15)
    assert np.allclose(blur(point, both), blur(blur(point, first), second), atol=1e-6)


def test_every_kernel_fits_into_the_margin():
    kernels = [draw_kernel(np.random.default_rng(seed)) for seed in range(400)]
    assert all(kernel.sum() == pytest.approx(1, abs=1e-4) for kernel in kernels)
    sides = np.array([kernel.shape[0] for kernel in kernels])
    assert set(sides % 2) == {1}
    assert 35 < sides.max() <= 2 * DEGRADATIONS["blur-any"].margin
    centres = [kernel.sum(0) @ np.arange(len(kernel)) - len(kernel) // 2 for kernel in kernels]
    assert np.abs(centres).max() < 0.05


def test_defocus_blurs_by_its_disc_in_8_bits():
    point = np.zeros((31, 31, 3), np.float32)
    point[15, 15] = 1
    blurred = DEGRADATIONS["defocus-4"](point, np.random.default_rng(0))
    assert np.abs(blurred[10:21, 10:21, 0] - disc_kernel(4, 1.0)).max() < 0.51 / 255
    assert psnr(DEGRADATIONS["defocus-4"](photo(), None), photo()) < psnr(
        DEGRADATIONS["defocus-2"](photo(), None), photo()
    )


def test_any_defocus_is_a_disc_within_its_margin_and_noisy_half_of_the_time():
    grey = np.full((80, 80, 3), 0.5, np.float32)
    grey[40:, :, :] = 0.2
    pictures = [DEGRADATIONS["defocus-any"](grey, np.random.default_rng(seed)) for seed in range(40)]
    rows = [np.flatnonzero(np.abs(picture - grey)[:, 40, 0] > 8 / 255) for picture in pictures]
    assert all(abs(row - 40) <= 8 for found in rows for row in found)  # radii up to 6, rims up to 4 pixels soft
    flat = [np.ptp(picture[2:30]) for picture in pictures]
    assert 12 <= sum(spread == 0 for spread in flat) <= 28
    assert max(flat) < 0.08
    assert max(len(found) for found in rows) >= 5


LENS = Lens(disc_kernel(4, 1.0), linear=False, highlights=1.0, noise=0, sensor=False, quality=0, subsample=False)


def test_blur_in_linear_light_keeps_the_light():
    picture = np.zeros((64, 64, 3), np.float32)
    picture[:, 32:] = 1
    values, linear = (replace(LENS, linear=chosen).blurred(picture)[32, 32, 0] for chosen in (False, True))
    assert linear > values + 0.1
    assert linear**2.2 == pytest.approx(values, abs=0.02)


def test_highlights_bloom_and_colours_do_not():
    picture = np.full((64, 64, 3), 0.1, np.float32)
    picture[30:33, 30:33] = 1
    plain, bright = (replace(LENS, linear=True, highlights=much).blurred(picture) for much in (1.0, 6.0))
    assert bright.max() <= 1
    assert bright[31, 34, 0] > plain[31, 34, 0] + 0.1
    red = np.full((32, 32, 3), (1.0, 0.2, 0.1), np.float32)
    assert np.abs(replace(LENS, linear=True, highlights=6.0).blurred(red) - red).max() < 0.01


def test_blur_of_any_kind_spans_little_and_much():
    picture = photo(2)
    reached = np.array([psnr(DEGRADATIONS["blur-any"](picture, np.random.default_rng(i)), picture) for i in range(60)])
    assert np.quantile(reached, 0.9) > np.quantile(reached, 0.1) + 5


def test_a_crop_and_its_surroundings_are_as_large_as_the_degradation_needs(data):
    assert DEGRADATIONS["awgn-25"].margin == 16
    assert DEGRADATIONS["blur-any"].margin == 32
    degraded, clean = CropSampler(data, {"blur-any": 1}, 1, 0).batch(0, range(3), 48)
    assert degraded.shape == clean.shape == (3, 3, 48, 48)


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_moves_the_picture(name):
    """By less than a tenth of a pixel of the small picture: on a ramp, and for a spot in the middle."""
    ramp = np.repeat(np.linspace(0.1, 0.9, 128, dtype=np.float32)[None, :, None], 64, 0).repeat(3, 2)
    small = reduce_by(name, ramp, 16, 32)[8, :, 0]
    step = 0.8 / 127
    expected = 0.1 + ((np.arange(32) + 0.5) * 4 - 0.5) * step
    assert np.abs(small - expected)[4:-4].max() < 0.1 * 4 * step
    spot = gaussian_kernel(6, 6, 0, 64 + 1)[:64, :64] / gaussian_kernel(6, 6, 0, 65).max()
    rows = reduce_by(name, np.repeat(spot[..., None], 3, 2), 16, 16)[..., 0].sum(0)
    centre = (rows @ np.arange(16)) / rows.sum()
    assert centre == pytest.approx((32 + 0.5) / 4 - 0.5, abs=0.05)


def test_a_reduction_in_two_odd_steps_does_not_move_the_picture():
    ramp = np.repeat(np.linspace(0.1, 0.9, 128, dtype=np.float32)[:, None, None], 96, 1).repeat(3, 2)
    expected = 0.1 + ((np.arange(32) + 0.5) * 4 - 0.5) * 0.8 / 127
    for seed in range(60):
        reduction = replace(Reduction.draw(np.random.default_rng(seed)), between=0)
        small = reduction.reduced(ramp)
        assert small.shape == (32, 24, 3)
        assert np.abs(small[:, 12, 0] - expected)[6:-6].max() < 0.1 * 4 * 0.8 / 127 + 0.5 / 255


def test_bicubic_is_among_what_reduces():
    picture = photo(1)
    assert np.array_equal(reduce_by("bicubic", picture, 32, 32), DEGRADATIONS["bicubic-x4"](picture, None))
    assert len({reduce_by(name, picture, 32, 32).tobytes() for name in FILTERS}) == len(FILTERS)


def test_every_file_loses_something():
    reduction = replace(Reduction.draw(np.random.default_rng(0)), qualities=(50, 50), shift=(3, 5), repeated=False)
    picture = DEGRADATIONS["bicubic-x4"](photo(3, 256), None)
    errors = [psnr(replace(reduction, file=file).saved(picture), picture) for file in ("png", "jpeg", "twice", "webp")]
    assert errors[0] == float("inf")
    assert max(errors[1:]) < 45
    assert errors[2] < errors[1]


@pytest.mark.parametrize("quality", [50, 80])
def test_the_x4_protocols_are_bicubic_and_one_loss(quality):
    picture, rng = photo(4), np.random.default_rng(0)
    small = DEGRADATIONS["bicubic-x4"](picture, rng)
    assert np.array_equal(DEGRADATIONS[f"jpeg-{quality}-x4"](picture, rng), jpeg(small, quality, subsample=True))
    noisy = DEGRADATIONS["noise-10-x4"](flat(0.5, 256), rng)
    assert 255 * (noisy - 0.5).std() == pytest.approx(10, rel=0.05)


def test_webp_keeps_a_flat_picture():
    assert np.abs(webp(flat(0.5), 50) - 0.5).max() < 0.01
    assert psnr(webp(photo(5), 20), photo(5)) < psnr(webp(photo(5), 90), photo(5))
