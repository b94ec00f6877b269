"""The checkpoints that ship: whole, licensed, better than doing nothing, and the same in tiles as at once."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpie_cli import Restorer
from hfpie_cli.data.degradations import DEGRADATIONS
from hfpie_cli.evaluation.metrics import psnr
from hfpie_cli.photos.photo import Photo
from hfpie_cli.restore import resize
from hfpie_cli.tasks import TASKS
from hfpie_cli.weights.table import SHIPPED, TEST_WEIGHTS, resolve, table

EXAMPLES = Path(__file__).parent.parent / "examples"
OURS = [name for name, entry in table().items() if not entry.source]
RESTORING = [name for name in OURS if table()[name].task in TASKS and name != TEST_WEIGHTS]


def example(name: str) -> np.ndarray:
    return np.asarray(Image.open(EXAMPLES / f"{name}.png"))


def gain(restored: np.ndarray, degraded: np.ndarray) -> float:
    """dB nearer to the clean example than the degraded picture."""
    clean = example("chelsea")[: restored.shape[0], : restored.shape[1]].astype(np.float64)
    return psnr(restored.astype(np.float64), clean) - psnr(degraded.astype(np.float64), clean)


def half_plain(height: int, width: int) -> np.ndarray:
    """Half a plain gradient, half texture: what attention over single tiles would tear apart."""
    picture = np.repeat(np.linspace(110, 190, height)[:, None, None], width, 1).repeat(3, 2)
    coarse = np.random.default_rng(0).integers(0, 256, (height // 6, width // 3, 3), dtype=np.uint8)
    picture[height // 2 :] = np.asarray(Image.fromarray(coarse).resize((width, height - height // 2)))
    return np.rint(picture).astype(np.uint8)


@pytest.mark.parametrize("name", OURS)
def test_every_file_is_what_the_table_says(name):
    entry, data = table()[name], (SHIPPED / table()[name].file).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.size, entry.sha256)
    assert entry.licence
    assert entry.trained_on
    assert resolve(name).path == SHIPPED / entry.file


def test_every_command_has_weights_but_never_the_test_ones():
    for task in TASKS.values():
        assert task.weights in table()
        assert TEST_WEIGHTS not in (task.weights, task.gan_weights)


def test_denoising_the_example():
    assert gain(Restorer.from_weights("denoise")(EXAMPLES / "chelsea_noisy.png"), example("chelsea_noisy")) > 10


def test_deblurring_the_example():
    assert gain(Restorer.from_weights("deblur")(EXAMPLES / "chelsea_blurred.png"), example("chelsea_blurred")) > 1


def test_enlarging_the_example():
    small = example("chelsea_small")
    bicubic = resize(small, 4 * small.shape[0], 4 * small.shape[1])
    assert gain(Restorer.from_weights("sr")(EXAMPLES / "chelsea_small.png"), bicubic) > 0.7


@pytest.mark.parametrize("name", RESTORING)
def test_tiles_do_not_show(name):
    scale = table()[name].scale
    degradation = {"denoise": "awgn-25-8bit", "deblur": "gaussian-blur", "sr": "clean"}[table()[name].task]
    clean = half_plain(*((560, 640) if scale == 1 else (300, 320))).astype(np.float32) / 255
    degraded = DEGRADATIONS[degradation](clean, np.random.default_rng(0))
    photo = Photo(np.rint(degraded * 255).astype(np.uint8))
    restorers = (Restorer.from_weights(name, precision="fp32", **tiles) for tiles in ({}, {"tile": 4096}))
    tiled, whole = (restorer.restore(photo) for restorer in restorers)
    assert (whole.tiles, tiled.tiles >= 4) == (1, True)
    assert np.abs(tiled.photo.pixels.astype(int) - whole.photo.pixels).max() <= 1
