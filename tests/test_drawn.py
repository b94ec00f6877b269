"""Drawn pictures: any size, reproducible, flat areas; and the benchmarks made of them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.data.benchmarks import open_benchmark
from hfpie_cli.data.crops import CropSampler
from hfpie_cli.data.drawn import DRAWN_SETS, KINDS, SHARES, draw_any
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.errors import UsageError
from hfpie_cli.evaluation.scoring import input_method, score


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(160, 160), (40, 33), (96, 320)])
def test_every_kind_fills_any_size(kind, size):
    for seed in range(8):
        picture = KINDS[kind](np.random.default_rng(seed), *size)
        assert (picture.shape, picture.dtype) == ((*size, 3), np.float32)
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert np.array_equal(picture, KINDS[kind](np.random.default_rng(seed), *size))


@pytest.mark.parametrize("kind", ["page", "screen", "line art", "diagram", "label", "shapes"])
def test_most_of_a_drawing_is_flat(kind):
    pictures = [KINDS[kind](np.random.default_rng(seed), 160, 160) for seed in range(20)]
    equal = np.array([(np.abs(np.diff(picture, axis=1)).max(2) == 0).mean() for picture in pictures])
    assert np.median(equal) > 0.6
    assert len({picture.tobytes() for picture in pictures}) == 20


def test_text_is_smooth_edged():
    greys = np.unique(
        np.concatenate([KINDS["page"](np.random.default_rng(i), 96, 96).reshape(-1, 3) for i in range(5)])
    )
    assert len(greys) > 40


def test_diagrams_have_coloured_lines_without_soft_edges():
    pictures = [KINDS["diagram"](np.random.default_rng(seed), 160, 160) for seed in range(40)]
    colours = [len(np.unique(picture.reshape(-1, 3), axis=0)) for picture in pictures]
    assert sum(number <= 5 for number in colours) > 15  # text is antialiased
    assert sum(bool(np.ptp(picture, axis=2).any()) for picture in pictures) > 20


def test_skies_and_ramps_have_more_than_8_bits():
    for kind in ("sky", "ramp"):
        picture = KINDS[kind](np.random.default_rng(3), 128, 128)
        assert np.abs(picture * 255 - np.rint(picture * 255)).max() > 0.3
    assert all(np.diff(KINDS["ramp"](np.random.default_rng(i), 8, 200), axis=1).min() >= 0 for i in range(10))


def test_all_kinds_are_drawn():
    assert sum(SHARES) == pytest.approx(1)
    assert len({draw_any(np.random.default_rng(seed), 32, 32).tobytes() for seed in range(30)}) == 30


def test_a_share_of_the_crops_is_drawn(data):
    sampler = CropSampler(data, {"clean": 1}, 1, seed=0, drawn=0.5)
    photos = CropSampler(data, {"clean": 1}, 1, seed=0).batch(0, range(60), 32)[1]
    mixed = sampler.batch(0, range(60), 32)[1]
    drawn = [bool((a - b).abs().max() > 0) for a, b in zip(photos, mixed, strict=True)]
    assert 18 <= sum(drawn) <= 42
    assert not CropSampler(data, {"awgn-25": 1}, 1, seed=0, drawn=1.0).batch(0, range(2), 32)[0].isnan().any()


def test_crops_of_photographs_that_are_reduced_once_are_drawn_too():
    sampler = CropSampler(TrainingSet(), {"bicubic-x4": 1}, 4, seed=0, drawn=1.0)  # without a photograph
    for step in range(4):
        degraded, clean = sampler.sample(step, 0, 64)
        expected = DEGRADATIONS["bicubic-x4"](clean, np.random.default_rng(0))
        assert np.abs(degraded - expected)[3:-3, 3:-3].max() < 1.5 / 255  # elsewhere a crop lacks its surroundings


@pytest.mark.parametrize("name", DRAWN_SETS)
def test_a_drawn_benchmark_needs_no_files(name, tmp_path):
    benchmark = open_benchmark(name, tmp_path)
    assert (benchmark.task, benchmark.degradation, len(benchmark.cases)) == ("denoise", "clean", 12)
    pair, again = benchmark.cases[1].open(), benchmark.cases[1].open()
    assert pair.clean.dtype == (np.uint16 if name == "ramp" else np.uint8)
    assert np.array_equal(pair.degraded.pixels, pair.clean)
    assert np.array_equal(pair.clean, again.clean)
    noisy = open_benchmark(name, tmp_path, degradation="awgn-25").first(2)
    assert 20 < score(noisy, [input_method()])[0].means()["psnr"] < 20.4
    assert open_benchmark(name, tmp_path, "sr").cases[0].open().degraded.pixels.shape == (96, 128, 3)
    with pytest.raises(UsageError, match="not a degradation for denoise"):
        open_benchmark(name, tmp_path, "denoise", "bicubic-x4")


def test_the_pictures_of_a_drawn_benchmark_differ():
    for drawn in DRAWN_SETS.values():
        assert len({drawn.picture(number).tobytes() for number in range(6)}) == 6


def test_the_command_scores_drawn_pictures(identity, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = ["eval", "--dataset", "ramp", "--task", "denoise", "--limit", "2", "--weights", str(identity), "--json"]
    result = CliRunner().invoke(app, [*arguments, "--report", str(tmp_path / "ramp.html")])
    assert result.exit_code == 0, result.stderr
    rows = {row["method"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows[str(identity)]["psnr"] is None or rows[str(identity)]["psnr"] > 90  # of 16 bits
    assert rows["non-local means"]["psnr"] < 70  # of 8
