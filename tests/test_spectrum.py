"""The spectra that the gate of experts reads."""

import numpy as np
import pytest
import torch

from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.degradations.operations import LUMA, halve_chroma
from hfpie_cli.models.spectrum import BANDS, CHROMA_BANDS, LEAST, log_chroma_spectrum, log_spectrum


def squares(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.astype(np.float32).transpose(2, 0, 1)))[None]


@pytest.mark.parametrize("frequency", [0.1, 0.3, 0.44])
@pytest.mark.parametrize("across", [False, True])
def test_a_wave_shows_in_the_band_of_its_frequency(frequency, across):
    wave = 0.5 + 0.2 * np.sin(2 * np.pi * frequency * np.arange(128))
    picture = np.broadcast_to(wave[:, None, None], (128, 128, 3))
    spectrum = log_spectrum(squares(picture.transpose(1, 0, 2) if across else picture))
    assert spectrum.shape == (BANDS,)
    assert spectrum.argmax() == int(frequency * 2 * BANDS)


@pytest.mark.parametrize("side", [24, 64, 128, 200])
def test_white_noise_has_its_variance_in_every_band_at_any_size(side):
    noise = torch.randn(64, 1, side, side, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1) * 0.1
    expected = np.log(0.1**2 * 0.375**2)  # of a Hann window: the mean of its square, 3/8 a side
    assert log_spectrum(noise + 0.5)[5:].numpy() == pytest.approx(expected, abs=0.25)  # the mean is taken out


def test_a_lens_leaves_its_zeros():
    texture = np.random.default_rng(0).random((160, 160, 3)).astype(np.float32)
    blurred = DEGRADATIONS["defocus-4"](texture, np.random.default_rng(0))
    spectrum = log_spectrum(squares(blurred[16:-16, 16:-16]))
    first_zero = 3.83 / (2 * np.pi * 4)  # of a disc's transform, J1(x) / x
    dip = spectrum[6:14].argmin() + 6
    assert dip == pytest.approx(first_zero * 2 * BANDS, abs=1)
    assert spectrum[dip] < spectrum[dip - 3] - 2
    assert spectrum[dip] < spectrum[dip + 3]


def test_all_of_a_strip_is_seen():
    strip = torch.full((1, 3, 88, 1024), 0.5)
    strip[..., 512:] += 0.1 * torch.randn(1, 1, 88, 512, generator=torch.Generator().manual_seed(0))
    half = log_spectrum(strip)
    assert half[5:].numpy() == pytest.approx(np.log(0.5 * 0.1**2 * 0.375**2), abs=0.7)


def test_flat_squares_are_finite_and_the_precision_around_changes_nothing():
    assert log_spectrum(torch.full((2, 3, 64, 64), 0.3)).isfinite().all()
    picture = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(log_spectrum(picture), log_spectrum(picture.clone()))
        reduced = log_spectrum(picture)
    assert torch.equal(reduced, log_spectrum(picture))


@pytest.mark.parametrize("frequency", [0.1, 0.3, 0.44])
def test_a_wave_of_colour_shows_in_its_band_of_chroma_and_not_in_luma(frequency):
    wave = 0.2 * np.sin(2 * np.pi * frequency * np.arange(128))[:, None, None]
    red_for_green = wave * np.array([LUMA[1], -LUMA[0], 0])
    picture = squares(np.broadcast_to(0.5 + red_for_green, (128, 128, 3)))
    assert log_chroma_spectrum(picture).shape == (CHROMA_BANDS,)
    assert log_chroma_spectrum(picture).argmax() == int(frequency * 2 * CHROMA_BANDS)
    assert log_spectrum(picture).numpy() == pytest.approx(np.log(LEAST), abs=0.01)


def test_grey_pictures_have_no_chroma():
    noise = torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1) * 0.1
    assert log_chroma_spectrum(noise + 0.5).numpy() == pytest.approx(np.log(LEAST), abs=1e-4)


def test_halved_chroma_shows_beyond_a_quarter_of_a_cycle():
    noise = (0.5 + 0.1 * np.random.default_rng(0).standard_normal((128, 128, 3))).clip(0, 1).astype(np.float32)
    whole, halved = (log_chroma_spectrum(squares(picture)) for picture in (noise, halve_chroma(noise)))
    assert whole[2:].std() < 0.1
    assert halved[-2:].max() < whole[-2:].min() - 2
    assert halved[0] == pytest.approx(whole[0].item(), abs=0.3)
    assert log_spectrum(squares(halve_chroma(noise)))[5:].numpy() == pytest.approx(
        log_spectrum(squares(noise))[5:].numpy(), abs=0.02
    )
