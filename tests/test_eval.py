"""Metrics against independent computations, benchmarks in their published layouts, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.data.benchmarks import LAYOUTS, open_benchmark
from hfpie_cli.errors import UnavailableError
from hfpie_cli.evaluate import enlarge_bicubic, score
from hfpie_cli.metrics import luma, psnr, ssim, to_8bit_range


def smooth_picture(seed: int, size=(64, 48)) -> np.ndarray:
    """Coarse noise enlarged: a picture with something at every scale."""
    coarse = np.random.default_rng(seed).integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "Set5"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(smooth_picture(index)).save(folder / f"{index}.png")
    return folder


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


def test_equal_pictures_and_unequal_shapes():
    flat = np.zeros((20, 20, 3))
    assert psnr(flat, flat) == float("inf")
    assert ssim(flat, flat) == 1
    with pytest.raises(ValueError, match="unequal shapes"):
        psnr(flat, flat[:10])


def test_a_clean_folder_is_degraded_reproducibly(photos):
    benchmark = open_benchmark("Set5", photos.parent, "denoise", "awgn-25")
    first, second = list(benchmark.pairs()), list(benchmark.pairs())
    assert [pair.name for pair in first] == ["0.png", "1.png", "2.png"]
    assert all(np.array_equal(a.degraded.pixels, b.degraded.pixels) for a, b in zip(first, second, strict=True))
    noise = first[0].degraded.pixels - first[0].clean / 255
    assert noise.std() * 255 == pytest.approx(25, rel=0.03)


def test_sr_pairs_are_a_quarter_and_bicubic_enlarges_them(photos):
    benchmark = open_benchmark(str(photos), photos.parent, "sr")
    pair = next(iter(benchmark.pairs()))
    assert (pair.clean.shape, pair.degraded.pixels.shape) == ((64, 48, 3), (16, 12, 3))
    scores = score({"bicubic": lambda photo: enlarge_bicubic(photo, 4)}, benchmark.pairs(), border=4)
    assert scores[0].means()["psnr_y"] > 35


def test_sidd_is_read_from_its_mat_files(tmp_path, rng):
    (tmp_path / "SIDD").mkdir()
    clean = rng.integers(60, 200, (2, 3, 32, 32, 3), dtype=np.uint8)
    for name, blocks in (("ValidationGtBlocksSrgb", clean), ("ValidationNoisyBlocksSrgb", clean + 5)):
        savemat(tmp_path / "SIDD" / f"{name}.mat", {name: blocks}, format="5")
    benchmark = open_benchmark("sidd", tmp_path)
    scores = score({}, benchmark.pairs())[0]
    assert (benchmark.task, len(scores.rows)) == ("denoise", 6)
    assert scores.means()["psnr"] == pytest.approx(20 * np.log10(255 / 5))


def test_published_pairs_are_matched(tmp_path):
    for side, level in (("val_sharp", 100), ("val_blur_jpeg", 110)):
        folder = tmp_path / "REDS/val" / side / "000"
        folder.mkdir(parents=True)
        suffix = "png" if side == "val_sharp" else "jpg"
        Image.fromarray(np.full((16, 16, 3), level, np.uint8)).save(folder / f"00000000.{suffix}")
    pairs = list(open_benchmark("REDS", tmp_path).pairs())
    assert (pairs[0].name, int(pairs[0].degraded.pixels[0, 0, 0]), int(pairs[0].clean[0, 0, 0])) == (
        "000/00000000.png",
        110,
        100,
    )
    (tmp_path / "REDS/val/val_blur_jpeg/000/00000001.jpg").write_bytes(b"x")
    with pytest.raises(UnavailableError, match="same pictures"):
        open_benchmark("REDS", tmp_path)


@pytest.mark.parametrize("name", ["SIDD", "DIV2K", "REDS", "Kodak24"])
def test_a_missing_set_says_what_to_put_where(name, tmp_path):
    result = CliRunner().invoke(app, ["eval", "--dataset", name, "--data-root", str(tmp_path)])
    assert result.exit_code == 4
    assert f"the data set {name} is not at {tmp_path / name}" in result.stderr
    assert LAYOUTS[name].source in result.stderr


def test_the_command_prints_the_table(photos, identity):
    arguments = ["eval", "--dataset", str(photos), "--task", "denoise", "--weights", str(identity)]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["method"] for row in rows] == ["input", str(identity)]
    assert rows[0]["psnr"] == pytest.approx(20 * np.log10(255 / 25), abs=0.1)  # 20.17: noise that is not clipped
    assert 0 < rows[1]["psnr"] - rows[0]["psnr"] < 1.5  # what comes out is clipped
    table = CliRunner().invoke(app, [*arguments, "--limit", "2"])
    assert "2 pictures" in table.stdout
    assert "input" in table.stdout
