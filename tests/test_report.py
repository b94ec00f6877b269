"""The report page: what it says, that its pictures are right, and that it needs nothing from elsewhere."""

import base64
import html
import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.data.benchmarks import open_benchmark
from hfpie_cli.evaluation.report_pictures import CROP_HEIGHT, CROP_WIDTH, colour_map, worst_window
from hfpie_cli.files import sha256_of

from .conftest import save_picture, smooth_picture


@pytest.fixture
def page(tmp_path, monkeypatch, identity):
    """The report on four photographs, one of which has a name that means harm."""
    for number, name in enumerate(["a.png", "b.png", "<img src=x onerror=alert(1)>.png", "d.png"]):
        save_picture(tmp_path / "set" / name, smooth_picture(number))
    arguments = ["eval", "--dataset", str(tmp_path / "set"), "--task", "deblur", "--weights", str(identity)]
    arguments += ["--report", str(tmp_path / "out.html")]
    monkeypatch.setattr(sys, "argv", ["hfpie", *arguments])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return (tmp_path / "out.html").read_text(encoding="utf-8")


def embedded(page, kind) -> np.ndarray:
    """The first embedded picture of a class."""
    address = re.search(rf'class="{kind}" src="data:image/webp;base64,([^"]+)"', page)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address))))


def test_it_tells_why_quoted_rows_stand_apart(tmp_path, monkeypatch, identity):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save_picture(tmp_path / "DIV2K/DIV2K_valid_HR/0801.png", smooth_picture(0))
    arguments = ["eval", "--dataset", "DIV2K", "--data-root", str(tmp_path), "--weights", str(identity)]
    arguments += ["--task", "denoise", "--degradation", "awgn-10", "--report", str(tmp_path / "out.html")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "1 were scored here, not the whole set" in page
    assert "dB away from ours" not in page


def test_it_tells_how_it_was_made(page, identity):
    assert re.search(r"hfpie eval --dataset \S+/set --task deblur --weights", page)
    assert sha256_of(identity) in page
    assert "gaussian-blur, random generator seeded by the picture&#39;s number; 4 pictures" in page
    assert "unsharp mask" in page
    assert re.findall(r"<em>(\w+)</em>", page) == ["best", "median", "worst"]


def test_it_needs_nothing_from_elsewhere(page):
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3 * 5 + 1
    assert all(source.startswith("data:") for source in sources)
    assert "http:" not in page
    assert "https:" not in page


def test_names_are_only_text(page):
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in page


def test_its_pictures_are_the_pictures(page, tmp_path):
    best = html.unescape(re.search(r"<em>best</em> (.*?)</h4>", page)[1])
    benchmark = open_benchmark(str(tmp_path / "set"), tmp_path, "deblur")
    pair = next(case for case in benchmark.cases if case.name == best).open()
    degraded = np.rint(pair.degraded.pixels * 255).astype(np.uint8)
    assert np.array_equal(embedded(page, "before"), degraded)
    assert np.abs(embedded(page, "after").astype(int) - degraded).max() <= 1  # the network gives back what it gets


def test_its_scores_are_the_scores(page):
    stored = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)[1]
    pictures = json.loads(stored)
    psnr = pictures["values"][0][0]
    shown = re.search(r'<th scope="row">input</th>\s*<td[^>]*>([\d.]+)</td>', page)[1]
    assert float(shown) == pytest.approx(np.mean(psnr), abs=0.005)
    assert pictures["names"][1:] == ["a.png", "b.png", "d.png"]


def test_the_part_shown_is_where_the_error_is():
    error = np.zeros((1000, 1200))
    error[600:640, 900:960] = 50
    top, left = worst_window(error, CROP_HEIGHT, CROP_WIDTH)
    assert top <= 600
    assert top + CROP_HEIGHT >= 640
    assert left <= 900
    assert left + CROP_WIDTH >= 960
    assert worst_window(error[:100, :100], CROP_HEIGHT, CROP_WIDTH) == (0, 0)
    assert colour_map(np.array([[0.0, 255.0]])).sum(2).tolist()[0][0] < 10
