"""Training: degradations against closed forms, reproducible crops, a loop that learns and resumes exactly."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.checkpoint import load_checkpoint
from hfpie_cli.cli import app
from hfpie_cli.config import TrainConfig, load_config, recipe_path, write_config
from hfpie_cli.data.camera import CameraNoise, bayer_masks, demosaic_bilinear
from hfpie_cli.data.degradations import DEGRADATIONS
from hfpie_cli.data.degrade import add_gaussian_noise, blur, gaussian_kernel, jpeg, motion_kernel, reduce_bicubic
from hfpie_cli.data.pairs import CropSampler, held_out
from hfpie_cli.data.store import open_store
from hfpie_cli.errors import UnavailableError, UsageError
from hfpie_cli.models.network import NetworkConfig
from hfpie_cli.optim import orthogonalise
from hfpie_cli.train import fit, setup

CONFIG = TrainConfig(
    task="denoise",
    network=NetworkConfig(width=16, blocks=(1, 1, 1), unshuffle=2),
    degradation={"awgn-25": 1.0},
    validation=("awgn-25",),
    crop=32,
    batch=4,
    steps=12,
    rate=1e-2,
    warmup=2,
    ema=0.9,
    validate_every=6,
)


@pytest.fixture
def photos(tmp_path, rng):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(6):
        coarse = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((96, 80), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def grey(side=256, level=0.5):
    return np.full((side, side, 3), level, np.float32)


def test_gaussian_noise_has_its_variance_and_is_not_clipped(rng):
    noisy = add_gaussian_noise(grey(level=0.0), 25, rng)
    assert noisy.std() * 255 == pytest.approx(25, rel=0.01)
    assert abs(noisy.mean()) < 1e-3
    assert DEGRADATIONS["awgn-25-8bit"](grey(level=0.0), rng).min() == 0


def test_blurring_a_point_gives_the_kernel():
    point = np.zeros((31, 31, 3), np.float32)
    point[15, 15] = 1
    kernel = gaussian_kernel(3.0, 1.0, 0.4)
    blurred = blur(point, kernel)
    assert np.allclose(blurred[5:26, 5:26, 1], kernel, atol=1e-6)
    y, x = np.mgrid[-10:11, -10:11]
    along = x * np.cos(0.4) + y * np.sin(0.4)
    assert (kernel * along**2).sum() == pytest.approx(9, rel=0.03)


def test_a_motion_kernel_is_a_path_of_its_length(rng):
    for length in (5, 12, 25):
        kernel = motion_kernel(length, rng)
        y, x = np.nonzero(kernel)
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert kernel.min() >= 0
        assert np.hypot(np.ptp(x), np.ptp(y)) <= length + 3
        centre = (kernel.shape[0] - 1) / 2
        assert (kernel.sum(0) @ np.arange(len(kernel))) == pytest.approx(centre, abs=0.01)


def test_jpeg_and_reduction_keep_a_flat_picture():
    assert np.abs(jpeg(grey(), 50) - 0.5).max() < 0.01
    assert np.abs(reduce_bicubic(grey(64)) - 0.5).max() < 0.005
    assert reduce_bicubic(grey(64)).shape == (16, 16, 3)


def test_reduction_is_antialiased():
    stripes = grey(64)
    stripes[:, ::2] = 0
    stripes[:, 1::2] = 1
    assert np.abs(reduce_bicubic(stripes)[:, 2:-2] - 0.5).max() < 0.02


def test_bilinear_demosaicing_restores_a_flat_mosaic():
    colour = np.array([0.2, 0.5, 0.7], np.float32)
    for phase in ((0, 0), (1, 0), (1, 1)):
        mosaic = bayer_masks(20, 20, phase) * colour
        assert np.allclose(demosaic_bilinear(mosaic)[2:-2, 2:-2], colour, atol=1e-6)


def test_camera_noise_grows_with_the_light_in_linear_space(rng):
    noise = CameraNoise()
    dark, bright = (noise.sensor_noise(grey(level=level), 0.01, 1e-6, rng).std() for level in (0.01, 0.81))
    assert bright > 3 * dark
    assert noise(grey(64), rng).shape == (64, 64, 3)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation_gives_a_finite_picture_of_the_right_size(name, rng):
    clean = rng.random((64, 48, 3), dtype=np.float32)
    before = clean.copy()
    degraded = DEGRADATIONS[name](clean, rng)
    assert degraded.dtype == np.float32
    assert degraded.shape == ((16, 12, 3) if "x4" in name else (64, 48, 3))
    assert np.isfinite(degraded).all()
    assert np.array_equal(clean, before)


def test_a_store_passes_over_a_broken_file(photos, tmp_path):
    (photos / "broken.png").write_bytes(b"nonsense")
    said = []
    store = open_store(photos, tmp_path / "cache", said.append)
    assert len(store) == 6
    assert len(said) == 1
    assert "broken.png" in said[0]
    again = open_store(photos, tmp_path / "cache", said.append)
    assert np.array_equal(again[3], np.asarray(Image.open(photos / "3.png")))
    assert len(said) == 1
    with pytest.raises(UnavailableError, match="no photographs"):
        open_store(tmp_path / "cache", tmp_path, said.append)


@pytest.mark.parametrize(("mix", "scale"), [({"awgn": 1, "camera": 1}, 1), ({"bicubic-x4": 1}, 4)])
def test_a_sample_depends_on_its_numbers_alone(photos, tmp_path, mix, scale):
    store = open_store(photos, tmp_path / "cache", print)
    sampler = CropSampler(store, mix, 32, scale, seed=1)
    degraded, clean = sampler.batch(7, range(4))
    assert degraded.shape == (4, 3, 32 // scale, 32 // scale)
    assert clean.shape == (4, 3, 32, 32)
    part = sampler.batch(7, range(2, 4))
    assert torch.equal(part[0], degraded[2:])
    assert not torch.equal(sampler.batch(8, range(4))[1], clean)


def test_held_out_pictures_stay_the_same_when_others_come(photos, tmp_path):
    store = open_store(photos, tmp_path / "cache", print)
    chosen = held_out(store.entries, 1)
    assert chosen == held_out(list(reversed(store.entries)), 1)
    assert len(held_out(store.entries)) == 1


def test_orthogonalised_matrices_have_singular_values_near_one():
    values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 16, 144)))
    assert 0.5 < values.min() < values.max() < 1.4


def test_training_learns_and_ships_a_checkpoint(photos, tmp_path):
    store = open_store(photos, tmp_path / "cache", print)
    said = []
    run = setup(TrainConfig(**{**vars(CONFIG), "steps": 80, "validate_every": 40}), tmp_path / "run")
    fit(run, store, said.append)
    assert run.step == 80
    assert "step 80/80" in said[-1]
    rows = (tmp_path / "run/log.csv").read_text().splitlines()
    assert rows[0] == "step,hours,loss,mean,awgn-25"
    assert len(rows) == 3
    assert run.best > 20.6  # the noisy input has about 20.2 dB
    assert load_checkpoint(tmp_path / "run/best.safetensors").info["task"] == "denoise"


def test_a_resumed_run_equals_an_uninterrupted_one(photos, tmp_path, monkeypatch):
    store = open_store(photos, tmp_path / "cache", print)
    straight = setup(CONFIG, tmp_path / "straight")
    fit(straight, store, print)
    stopped = setup(CONFIG, tmp_path / "stopped")

    def interrupt_at_the_first_report(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hfpie_cli.train._report", interrupt_at_the_first_report)
        with pytest.raises(KeyboardInterrupt):
            fit(stopped, store, print)
    resumed = setup(CONFIG, tmp_path / "stopped")
    assert resumed.step == 6
    fit(resumed, store, print)
    for name, weight in straight.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name


def test_the_rate_warms_up_stays_and_falls():
    config = TrainConfig(**{**vars(CONFIG), "steps": 1000, "warmup": 10, "rate": 1.0})
    assert [round(config.rate_at(step), 3) for step in (0, 9, 500, 800, 900, 999)] == [0.1, 1, 1, 1, 0.5, 0.005]


def test_a_configuration_survives_its_file(tmp_path):
    write_config(CONFIG, tmp_path / "config.toml")
    assert load_config(tmp_path / "config.toml") == CONFIG
    assert load_config(tmp_path / "config.toml", steps=99, batch=None).steps == 99


def test_recipes_are_read_and_mistakes_named(tmp_path):
    for path in recipe_path("compact-denoise").parent.glob("*.toml"):
        config = load_config(path)
        assert set(config.degradation) <= set(DEGRADATIONS)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(recipe_path("compact-denoise").read_text().replace("crop", "crpo"))
    with pytest.raises(UsageError, match="crpo"):
        load_config(wrong)
    with pytest.raises(UsageError, match="no recipe"):
        recipe_path("nonsense")


def test_training_without_data_says_what_to_fetch(tmp_path):
    result = CliRunner().invoke(app, ["train", "--task", "deblur", "--data-root", str(tmp_path)])
    assert result.exit_code == 4
    assert "REDS" in result.stderr
    assert "--data FOLDER" in result.stderr


def test_the_command_trains_and_resumes(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    recipe = tmp_path / "tiny.toml"
    write_config(CONFIG, recipe)
    common = ["train", "--task", "denoise", "--data", str(photos)]
    run = ["--out", str(tmp_path / "run")]
    first = CliRunner().invoke(app, [*common, *run, "--recipe", str(recipe), "--steps", "2"])
    assert first.exit_code == 0, first.stderr
    assert CliRunner().invoke(app, [*common, *run]).exit_code == 2
    more = CliRunner().invoke(app, [*common, "--resume", str(tmp_path / "run"), "--steps", "4"])
    assert more.exit_code == 0, more.stderr
    assert "step 4/4" in more.stderr
