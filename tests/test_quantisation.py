"""The traces of JPEG that the gate of experts reads."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from hfpie_cli.models.quantisation import COARSE, LOWEST, SIDE, jpeg_traces

from .conftest import smooth_picture


def pictures(array: np.ndarray) -> torch.Tensor:
    """(h, w, 3) uint8 as a batch of the four 71 x 71 squares in its corners."""
    corners = [array[y, x] for y in (slice(0, 71), slice(-71, None)) for x in (slice(0, 71), slice(-71, None))]
    return torch.from_numpy(np.stack(corners).transpose(0, 3, 1, 2).astype(np.float32) / 255)


def saved(array: np.ndarray, quality: int) -> tuple[np.ndarray, float]:
    """(the picture as JPEG has it, the mean logarithm of the steps of its lowest luma frequencies)."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "jpeg", quality=quality)
    file.seek(0)
    opened = JpegImageFile(file)
    table = np.reshape(opened.quantization[0], (SIDE, SIDE))
    return np.asarray(opened), float(np.mean([np.log(table[place]) for place in LOWEST]))


@pytest.fixture
def picture(rng):
    """A photograph with some noise, so that low frequencies take many values."""
    clean = smooth_picture(3, (192, 192))
    return (clean + rng.normal(0, 12, clean.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [30, 50, 75])
@pytest.mark.parametrize("corner", [(0, 0), (3, 5)])
def test_the_step_is_that_of_the_file_on_any_grid(picture, quality, corner):
    array, step = saved(picture, quality)
    peak, found, excess = jpeg_traces(pictures(array[corner[0] :, corner[1] :])).tolist()
    assert found == pytest.approx(step, abs=0.15)
    assert excess == pytest.approx(max(found - COARSE, 0), abs=1e-6)
    assert peak > 0.1


def test_pictures_that_were_never_saved_with_losses_have_no_grid(picture):
    peak, step, _ = jpeg_traces(pictures(picture)).tolist()
    assert peak < 0.05
    assert step == pytest.approx(np.log(1.5))


@pytest.mark.parametrize("size", [(8, 14), (14, 200), (15, 15), (24, 71)])
def test_flat_and_small_pictures_have_a_step_of_next_to_nothing(size):
    assert jpeg_traces(torch.full((2, 3, *size), 0.3)).tolist() == [0, pytest.approx(np.log(1.5)), 0]


def test_the_precision_around_changes_nothing(picture):
    exact = jpeg_traces(pictures(picture))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(jpeg_traces(pictures(picture)), exact)
