"""The report page: its text, the right pictures, and no external resources."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.data.benchmarks import open_benchmark
from hfpie_cli.evaluation.report import FEWEST, MOST, _spread
from hfpie_cli.files import sha256_of
from hfpie_cli.photos.photo import to_8bit
from hfpie_cli.restore import Restorer

from .conftest import make_checkpoint, save_picture, smooth_picture
from .pages import Page


@pytest.fixture
def other(tmp_path) -> Path:
    """A second network, which does change pictures."""
    return make_checkpoint(tmp_path / "other.safetensors", unshuffle=2)


@pytest.fixture
def page(tmp_path, monkeypatch, identity, other):
    """The report of two networks on four photographs, one of which has a name that means harm."""
    for number, name in enumerate(["a.png", "b.png", "<img src=x onerror=alert(1)>.png", "d.png"]):
        save_picture(tmp_path / "set" / name, smooth_picture(number))
    arguments = ["eval", "--dataset", str(tmp_path / "set"), "--task", "deblur", "--weights", str(identity)]
    arguments += ["--weights", str(other), "--report", str(tmp_path / "out.html")]
    monkeypatch.setattr(sys, "argv", ["hfpie", *arguments])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return Page(tmp_path / "out.html")


def test_it_tells_why_quoted_rows_stand_apart(tmp_path, monkeypatch, identity):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save_picture(tmp_path / "DIV2K/DIV2K_valid_HR/0801.png", smooth_picture(0))
    arguments = ["eval", "--dataset", "DIV2K", "--data-root", str(tmp_path), "--weights", str(identity)]
    arguments += ["--task", "denoise", "--degradation", "awgn-10", "--report", str(tmp_path / "out.html")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "Pictures scored here: 1, not the whole set" in page
    assert "dB away from ours" not in page


def test_it_tells_how_it_was_made(page, identity, other):
    (command,) = page.text_of("pre")
    assert re.search(r"hfpie eval --dataset \S+/set --task deblur --weights", command)
    assert page.text_of("code") == [sha256_of(identity), sha256_of(other)]
    assert any(
        "gaussian-blur, random generator seeded by the picture's number; 4 pictures" in text
        for text in page.text_of("p")
    )
    assert {"input", "unsharp mask", str(identity), str(other)} <= set(page.text_of("th"))


def test_its_title_stands_there_once(page):
    (title,) = page.text_of("h1")
    assert title.endswith("set, deblur")
    assert page.text_of("title") == [f"hfpie eval: {title}"]
    assert title not in [text for tag, text in page.texts if tag not in {"h1", "title"}]


def test_it_needs_nothing_from_elsewhere(page):
    page.check_it_stands_alone()
    assert len(page.references) == 4 + 4 * 5 + 1  # thumbnails, all versions of all pictures, the icon


def test_names_are_only_text(page):
    names = {scene.facts["data-name"] for scene in page.scenes}
    assert names == {"a.png", "b.png", "<img src=x onerror=alert(1)>.png", "d.png"}
    assert page.tags.count("img") == 4 + 4 * 5


def test_every_picture_is_shown_in_every_version(page, tmp_path, identity, other):
    versions = ["input", "unsharp mask", str(identity), str(other), "clean"]
    assert page.text_of("option")[:5] == versions
    cases = {case.name: case for case in open_benchmark(str(tmp_path / "set"), tmp_path, "deblur").cases}
    restore = Restorer.from_weights(other)
    for scene in page.scenes:
        pair = cases[scene.facts["data-name"]].open()
        degraded = to_8bit(pair.degraded.pixels)
        (view,) = scene.views
        assert view.labels == [f"{scene.facts['data-name']}, {version}" for version in versions]
        assert np.array_equal(view.pixels(0), degraded)
        assert np.abs(view.pixels(2).astype(int) - degraded).max() <= 1  # the network gives back what it gets
        assert np.array_equal(view.pixels(3), to_8bit(restore.restore(pair.degraded).photo.pixels))
        assert np.array_equal(view.pixels(4), pair.clean)


def test_its_scores_are_the_scores(page):
    (stored,) = re.findall(r'<script type="application/json">(.*?)</script>', page.source, re.DOTALL)
    pictures = json.loads(stored)
    psnr = pictures["values"][0][0]
    shown = re.search(r'<th scope="row">input</th>\s*<td[^>]*>([\d.]+)</td>', page.source)[1]
    assert float(shown) == pytest.approx(np.mean(psnr), abs=0.005)
    assert pictures["names"][1:] == ["a.png", "b.png", "d.png"]
    for scene in page.scenes:
        place = pictures["names"].index(scene.facts["data-name"])
        assert scene.views[0].scores[:4] == [
            f"PSNR {values[0][place]:.2f}, SSIM {values[1][place]:.4f}" for values in pictures["values"]
        ]
        assert scene.views[0].scores[4] == ""


def test_it_goes_from_the_best_to_the_worst(page):
    of_first = [float(scene.views[0].scores[2].split()[1].rstrip(",")) for scene in page.scenes]
    assert of_first == sorted(of_first, reverse=True)
    assert [scene.facts["data-mark"] for scene in page.scenes] == ["best", "", "median", "worst"]


@pytest.mark.parametrize(("count", "most"), [(1, 9), (24, 24), (25, 24), (1280, 20), (100, 0), (5, 0)])
def test_of_many_pictures_the_first_the_last_and_the_middle_are_shown(count, most):
    ranks = _spread(count, most)
    assert ranks == sorted(set(ranks))
    assert {0, count // 2, count - 1} <= set(ranks)
    assert min(count, FEWEST) <= len(ranks) <= max(FEWEST, min(most, MOST))
    assert len(ranks) == count or max(np.diff(ranks)) <= 2 * count / (len(ranks) - 1)


def test_pictures_that_were_saved_are_taken(tmp_path, monkeypatch, identity):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save_picture(tmp_path / "set/a.png", smooth_picture(0))
    arguments = ["eval", "--dataset", str(tmp_path / "set"), "--task", "deblur", "--weights", str(identity)]
    arguments += ["--save-images", str(tmp_path / "images")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    (saved,) = (tmp_path / "images").glob("*identity*/a.png")
    save_picture(saved, smooth_picture(7))
    arguments += ["--resume", "--report", str(tmp_path / "out.html")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert np.array_equal(Page(tmp_path / "out.html").scenes[0].views[0].pixels(2), smooth_picture(7))
