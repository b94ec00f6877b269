"""The perceptual distance that adversarial networks are judged by."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from benchmarks.perceptual import PerceptualDistance

CHELSEA = Path(__file__).parent.parent / "examples" / "chelsea.png"


def test_distance_of_a_blurred_picture() -> None:
    with Image.open(CHELSEA) as photo:
        clean = photo.convert("RGB").crop((160, 60, 288, 188))
    blurred = np.asarray(clean.filter(ImageFilter.BoxBlur(1)))
    distance = PerceptualDistance()
    assert distance(blurred, np.asarray(clean)) == pytest.approx(2.0794, abs=0.002)  # by an implementation apart
    assert distance(np.asarray(clean), np.asarray(clean)) == 0
