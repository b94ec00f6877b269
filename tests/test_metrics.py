"""Metrics against independent computations and values computed by hand."""

import sys
import types

import numpy as np
import pytest
from scipy.signal import convolve2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hfpie_cli.errors import UnavailableError
from hfpie_cli.evaluation.metrics import gmsd, luma, ssim, to_8bit_range, to_16bit_range
from hfpie_cli.evaluation.perceptual import load_lpips
from hfpie_cli.photos.quality import psnr

from .conftest import smooth_picture


def test_psnr_and_ssim_equal_scikit_image(rng):
    for seed in range(5):
        clean = smooth_picture(seed).astype(np.float64)
        noisy = (clean + rng.normal(0, 10, clean.shape)).clip(0, 255)
        assert psnr(noisy, clean) == pytest.approx(peak_signal_noise_ratio(clean, noisy, data_range=255), abs=1e-9)
        settings = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        _, colours = structural_similarity(clean, noisy, channel_axis=2, full=True, truncate=3.34, **settings)
        assert ssim(noisy, clean) == pytest.approx(colours[5:-5, 5:-5].mean(), abs=1e-6)
        _, grey = structural_similarity(luma(clean), luma(noisy), full=True, truncate=3.34, **settings)
        assert ssim(luma(noisy), luma(clean)) == pytest.approx(grey[5:-5, 5:-5].mean(), abs=1e-6)


def test_luma_is_matlabs():
    corners = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.float64)
    assert luma(corners)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966], abs=1e-3)


@pytest.mark.parametrize(("sigma", "expected"), [(10, 32.95), (30, 23.41)])
def test_noise_in_luma_is_the_papers_first_row(sigma, expected, rng):
    clean = np.full((512, 512, 3), 128.0)
    noisy = clean + rng.normal(0, sigma, clean.shape)
    assert psnr(luma(noisy), luma(clean)) == pytest.approx(expected, abs=0.1)


def test_values_are_rounded_as_a_file_would():
    assert to_8bit_range(np.array([-0.1, 0.5, 2.0], np.float32)).tolist() == [0, 128, 255]
    assert to_8bit_range(np.array([0, 257, 65535], np.uint16)).tolist() == [0, 1, 255]
    assert to_16bit_range(np.array([-0.1, 0.5, 2.0], np.float32)).tolist() == pytest.approx([0, 32768 / 257, 255])
    assert to_16bit_range(np.array([0, 100, 65535], np.uint16)).tolist() == pytest.approx([0, 100 / 257, 255])
    assert to_16bit_range(np.array([0, 1, 255], np.uint8)).tolist() == [0, 1, 255]


def test_equal_pictures_and_unequal_shapes():
    flat = np.zeros((20, 20, 3))
    assert psnr(flat, flat) == float("inf")
    assert ssim(flat, flat) == 1
    assert gmsd(flat, flat) == 0
    with pytest.raises(ValueError, match="unequal shapes"):
        psnr(flat, flat[:10])


def test_gmsd_of_one_dot_is_what_it_is_on_paper():
    """A dot of height a in a halved picture of 8 x 8: the gradient is a/3 beside it and sqrt(2) a/3 at its corners.

    With a^2 / 9 = 170 the similarity to a flat picture is 1/2 at four pixels, 1/3 at four, and 1 at the other 56. The
    losses add up to 4/2 + 8/3 = 14/3, their squares to 4/4 + 16/9 = 25/9.
    """
    dot = np.zeros((16, 16))
    dot[8:10, 6:8] = 3 * np.sqrt(170)
    expected = np.sqrt((25 / 9 - (14 / 3) ** 2 / 64) / 63)
    assert gmsd(dot, np.zeros((16, 16))) == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx(0.19670, abs=1e-5)


def test_gmsd_equals_a_plain_computation(rng):
    clean = smooth_picture(3).astype(np.float64)
    noisy = clean + rng.normal(0, 8, clean.shape)

    def gradient(picture):
        grey = picture @ [0.2989, 0.5870, 0.1140]
        small = convolve2d(grey, np.full((2, 2), 0.25), "valid")[::2, ::2]
        across = np.array([[1, 0, -1]] * 3) / 3
        return np.hypot(convolve2d(small, across, "same"), convolve2d(small, across.T, "same"))

    x, y = gradient(noisy), gradient(clean)
    expected = np.std((2 * x * y + 170) / (x**2 + y**2 + 170), ddof=1)
    assert gmsd(noisy, clean) == pytest.approx(expected, abs=1e-9)


def test_lpips_that_is_not_installed_is_said_plainly(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(UnavailableError, match="LPIPS skipped") as problem:
        load_lpips()
    assert "hfpie[lpips]" in problem.value.hint


def test_lpips_without_its_weights_is_said_plainly(monkeypatch):
    def unreachable(**settings):
        raise OSError("no connection")

    monkeypatch.setitem(sys.modules, "lpips", types.SimpleNamespace(LPIPS=unreachable))
    with pytest.raises(UnavailableError, match=r"cannot download its backbone's weights \(no connection\)"):
        load_lpips()
