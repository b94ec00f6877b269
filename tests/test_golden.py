"""Every shipped checkpoint still restores the same pixels with the same gain."""

import numpy as np
import pytest
from PIL import Image

from tools import golden

NAMES = golden.names()


def test_every_checkpoint_has_its_crop_and_its_gain():
    assert sorted(golden.gains()) == sorted(path.stem for path in golden.GOLDEN.glob("*.png")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_pixels_are_those_of_the_release(name):
    kept = np.asarray(Image.open(golden.GOLDEN / f"{name}.png"))
    restored = golden.crop(name)
    assert restored.shape == kept.shape
    assert np.abs(restored.astype(int) - kept).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_the_gain_is_that_of_the_release(name):
    assert golden.gain(name) == pytest.approx(golden.gains()[name], abs=0.05)
