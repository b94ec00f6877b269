"""Estimates of a photograph's noise."""

import numpy as np
import pytest

from hfpie_cli.noise import estimate_noise
from tests.conftest import smooth_picture


def noisy(rng, sigma, size=(256, 320)):
    picture = smooth_picture(0, size) * 0.6 + 50
    return picture + rng.normal(0, sigma, picture.shape)


@pytest.mark.parametrize("sigma", [3, 10, 25])
def test_gaussian_noise_is_found_whatever_the_type(rng, sigma):
    picture = noisy(rng, sigma)
    found = estimate_noise(np.rint(picture).clip(0, 255).astype(np.uint8))
    assert found == pytest.approx(sigma, rel=0.1)
    assert estimate_noise(np.rint(picture * 257).clip(0, 65535).astype(np.uint16)) == pytest.approx(found, rel=0.02)
    assert estimate_noise((picture / 255).astype(np.float32)) == pytest.approx(found, rel=0.02)
    assert estimate_noise(np.rint(picture[..., :1]).astype(np.uint8)) == pytest.approx(sigma, rel=0.15)


def test_what_is_clipped_hides_no_noise_elsewhere(rng):
    picture = noisy(rng, 20)
    picture[:200] += 400  # white
    assert estimate_noise(np.rint(picture).clip(0, 255).astype(np.uint8)) == pytest.approx(20, rel=0.15)
    assert estimate_noise(np.full((90, 90, 3), 255, np.uint8)) < 0.001


def test_a_clean_picture_and_a_tiny_one_have_little():
    assert estimate_noise(smooth_picture(1, (128, 128))) < 1
    assert estimate_noise(np.zeros((2, 300, 3), np.uint8)) == 0
    assert estimate_noise(np.zeros((5, 3, 1), np.uint8)) == 0
