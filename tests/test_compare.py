"""The comparison page: the right pictures, within its size, without external resources."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.pages.encode import Window, as_picture, differing_windows
from hfpie_cli.pages.matching import match_versions
from hfpie_cli.pages.scene import Room, Version, make_scene
from hfpie_cli.photos.photo import Metadata, Photo

from .conftest import save_picture, smooth_picture
from .pages import Page


@pytest.fixture
def hfpie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


def noise(rng, height, width):
    return Photo(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_files_are_compared_exactly(hfpie, tmp_path):
    pictures = [smooth_picture(seed) for seed in range(3)]
    for name, picture in zip("abc", pictures, strict=True):
        save_picture(tmp_path / f"{name}.png", picture)
    result = hfpie("compare", "a.png", "b.png", "c.png", "-o", "page.html", "--json")
    assert result.exit_code == 0, result.stderr
    page = Page(tmp_path / "page.html")
    page.check_it_stands_alone()
    (view,) = page.scenes[0].views
    assert view.labels == ["a.png, a.png", "a.png, b.png", "a.png, c.png"]
    for version, picture in enumerate(pictures):
        assert np.array_equal(view.pixels(version), picture)
    assert page.text_of("option")[:3] == ["a.png", "b.png", "c.png"]
    size = (tmp_path / "page.html").stat().st_size
    assert json.loads(result.stdout) == {"page": "page.html", "pictures": 1, "left_out": 0, "bytes": size}


def test_folders_are_compared_by_name(hfpie, tmp_path):
    for seed, name in enumerate(["a.png", "deep/b.png", "<img src=x onerror=alert(1)>&.png"]):
        save_picture(tmp_path / "in" / name, smooth_picture(seed))
        save_picture(tmp_path / "out" / name.replace(".png", "_denoised.png"), smooth_picture(seed + 9))
    save_picture(tmp_path / "in/alone.png", smooth_picture(5))
    save_picture(tmp_path / "in/.hidden/c.png", smooth_picture(5))
    result = hfpie("compare", "in", "out", "-r", "-o", "page.html")
    assert result.exit_code == 0, result.stderr
    assert "skipped 1 picture not found in every folder" in result.stderr
    page = Page(tmp_path / "page.html")
    page.check_it_stands_alone()
    names = [scene.facts["data-name"] for scene in page.scenes]
    assert names == ["<img src=x onerror=alert(1)>&.png", "a.png", "deep/b.png"]
    assert np.array_equal(page.scenes[2].views[0].pixels(0), smooth_picture(1))
    assert np.array_equal(page.scenes[2].views[0].pixels(1), smooth_picture(10))
    assert page.tags.count("template") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.png"], 2, "nothing to compare"),
        (["a.png", "a.png"], 2, "given twice"),
        (["a.png", "none.png"], 1, "none.png: no such file"),
        (["a.png", "in"], 2, "cannot compare files with folders"),
        (["a.png", "wide.png"], 2, "different shapes"),
        (["in", "empty"], 1, "no picture is in all of these folders"),
        (["a.png", "b.png", "-o", "page.png"], 2, "not a page name"),
        (["a.png", "b.png", "-o", "there.html"], 2, "already exists"),
        (["a.png", "b.png", "-o", "none/page.html"], 2, "no such folder: none"),
        (["a.png", "text.png"], 1, "text.png: not a photograph"),
    ],
)
def test_what_cannot_be_compared_is_told(hfpie, tmp_path, arguments, code, message):
    for seed, name in enumerate(["a.png", "b.png", "in/a.png"]):
        save_picture(tmp_path / name, smooth_picture(seed))
    save_picture(tmp_path / "wide.png", smooth_picture(0, (64, 96)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "there.html").write_text("mine")
    output = [] if "-o" in arguments else ["-o", "page.html"]
    result = hfpie("compare", *arguments, *output)
    assert result.exit_code == code
    assert message in result.stderr
    assert not (tmp_path / "page.html").exists()
    assert (tmp_path / "there.html").read_text() == "mine"


def test_a_run_writes_its_page(hfpie, tmp_path, identity):
    for seed, name in enumerate(["in/a.png", "in/b.jpg"]):
        save_picture(tmp_path / name, smooth_picture(seed))
    (tmp_path / "in/broken.png").write_bytes(b"none")
    save_picture(tmp_path / "out/broken.png", smooth_picture(3))  # of an earlier run
    command = ["denoise", "in", "-o", "out/", "--weights", identity, "--compare", "page.html", "--overwrite"]
    result = hfpie(*command)
    assert result.exit_code == 3
    assert "page.html: 2 pictures compared" in result.stderr
    page = Page(tmp_path / "page.html")
    page.check_it_stands_alone()
    assert [scene.facts["data-name"] for scene in page.scenes] == ["a.png", "b.jpg"]
    assert np.array_equal(page.scenes[0].views[0].pixels(0), smooth_picture(0))
    assert np.array_equal(page.scenes[1].views[0].pixels(1), np.asarray(Image.open(tmp_path / "out/b.jpg")))
    assert page.text_of("option")[:2] == ["input", str(identity)]
    again = hfpie(*command[:-1], "--skip-existing")
    assert again.exit_code == 2
    assert "page.html: already exists" in again.stderr


def test_an_enlargement_stands_beside_its_bicubic_one(hfpie, tmp_path, enlarger):
    save_picture(tmp_path / "a.png", smooth_picture(0))
    result = hfpie("sr", "a.png", "--weights", enlarger, "--compare", "page.html")
    assert result.exit_code == 0, result.stderr
    scene = Page(tmp_path / "page.html").scenes[0]
    bicubic = Image.fromarray(smooth_picture(0)).resize((192, 256), Image.Resampling.BICUBIC)
    assert np.array_equal(scene.views[0].pixels(0), np.asarray(bicubic))
    assert "input: 48 x 64, enlarged bicubically here" in scene.facts["data-note"]


@pytest.mark.parametrize("options", [["--in-place"], ["-o", "-"]])
def test_a_run_that_leaves_no_pairs_has_no_page(hfpie, tmp_path, identity, options):
    save_picture(tmp_path / "a.png", smooth_picture(0))
    before = (tmp_path / "a.png").read_bytes()
    result = hfpie("denoise", "a.png", "--weights", identity, "--compare", "page.html", *options)
    assert result.exit_code == 2
    assert "compare" in result.stderr
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_large_picture_is_reduced_and_its_parts_are_exact(rng):
    clean = noise(rng, 900, 1500)
    other = clean.pixels.copy()
    other[640:700, 1210:1290] ^= 64
    versions = [Version("clean", clean), Version("other", Photo(other))]
    scene = make_scene("a", versions, 1_400_000)
    assert scene.size <= 1_400_000
    whole, part = scene.views
    assert whole.reduction > 1
    assert (whole.width, whole.height) == (1500, 900)
    assert (part.width, part.reduction) == (part.height, 1)
    window = Window(part.left, part.top, part.width, part.height)
    assert window.top <= 640
    assert window.top + window.height >= 700
    assert window.left <= 1210
    assert window.left + window.width >= 1290
    assert f"reduced to 1/{whole.reduction} as JPEG 92, and the part where they differ most" in scene.note
    assert make_scene("a", versions, 100_000) is None
    assert len(make_scene("a", versions, 12_000_000).views) == 1


def test_parts_do_not_overlap_and_lie_within(rng):
    pictures = [as_picture(noise(rng, 333, 517)), as_picture(noise(rng, 333, 517))]
    windows = differing_windows(pictures, 100, 3)
    assert len(windows) == 3
    for number, one in enumerate(windows):
        assert one.cut(pictures[0]).shape == (100, 100, 3)
        for other in windows[:number]:
            assert abs(one.left - other.left) >= 96 or abs(one.top - other.top) >= 96
    assert differing_windows([picture[:20, :30] for picture in pictures], 100, 3) == [Window(0, 0, 30, 20)]


def test_a_page_keeps_within_its_room(hfpie, tmp_path, rng):
    for number in range(6):
        for folder in ("a", "b"):
            save_picture(tmp_path / folder / f"{number}.png", noise(rng, 400, 400).pixels)
    result = hfpie("compare", "a", "b", "-o", "page.html", "--max-mb", "3")
    assert result.exit_code == 0, result.stderr
    page = Page(tmp_path / "page.html")
    assert 1 <= len(page.scenes) < 6
    left_out = 6 - len(page.scenes)
    assert f"{left_out} left out: the page would be too large" in result.stderr
    assert f"{left_out} more pictures are left out" in page.source
    assert sum(map(len, page.references)) <= 3_000_000
    too_small = Room(50_000, 1).take("a", [Version("a", noise(rng, 400, 400)), Version("b", noise(rng, 400, 400))])
    assert too_small is None


def test_photographs_look_as_they_do(rng):
    half = Photo(np.full((2, 2, 1), 0, np.uint16), np.full((2, 2), 32768, np.uint16))
    assert as_picture(half).tolist() == [[[127] * 3] * 2] * 2
    grey_profile = bytes(16) + b"GRAY" + bytes(200)
    colours = Photo(noise(rng, 30, 30).pixels, metadata=Metadata(icc=b"\0" * 16 + b"RGB " + b"\0" * 200))
    grey = Photo(noise(rng, 30, 30).pixels[..., :1], metadata=Metadata(icc=grey_profile))
    scene = make_scene("a", [Version("colours", colours), Version("grey", grey)], 1_000_000)
    import base64

    files = [base64.b64decode(text.partition("base64,")[2]) for text in scene.views[0].addresses]
    profiles = [Image.open(io.BytesIO(file)).info.get("icc_profile") for file in files]
    assert profiles == [colours.metadata.icc, None]


def test_names_match_with_and_without_suffixes(tmp_path):
    for name in ("in/a.jpg", "in/a.png", "in/b.png", "in/c.png", "in/c_denoised.png", "out/a.png", "out/b_x4.webp"):
        save_picture(tmp_path / name, smooth_picture(0))
    save_picture(tmp_path / "out/c_denoised.png", smooth_picture(0))
    found = match_versions([tmp_path / "in", tmp_path / "out"])
    assert [(match.name, match.files[1].name) for match in found.pictures] == [
        ("b.png", "b_x4.webp"),
        ("c.png", "c_denoised.png"),
    ]
    assert found.versions == ("in", "out")
