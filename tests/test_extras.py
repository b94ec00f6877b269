"""Formats of extras: HEIC by pi-heif, camera raw by rawpy; and the refusal that names a missing extra.

The files of tests/heic were made with libheif's own encoder: red on the left, green in the upper right, grey below.
"""

import io
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hfpie_cli.errors import HfpieError, UsageError
from hfpie_cli.jobs import Naming
from hfpie_cli.photos import exif, formats
from hfpie_cli.photos.formats import OutputStyle, is_photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo, remarks
from hfpie_cli.plan import plan_jobs

HEIC = Path(__file__).parent / "heic"
RED, GREEN, GREY = (0.8, 0.2, 0.2), (0.2, 0.7, 0.3), (0.5, 0.5, 0.5)
CORNERS = ((2, 2), (2, -3), (-3, -3))  # rows and columns inside the three areas


def dng(size=(32, 48), **tags) -> bytes:
    """A DNG of a few lines: RGGB, linear, 12 bits, the camera's own colours those of linear sRGB under D65."""
    mosaic = np.zeros(size, np.uint16)
    for row, column, level in ((0, 0, 0.6), (0, 1, 0.3), (1, 0, 0.3), (1, 1, 0.1)):
        mosaic[row::2, column::2] = round(level * 4095)
    matrix = [(32405, 10000), (-15371, 10000), (-4985, 10000), (-9693, 10000), (18760, 10000), (416, 10000)]
    matrix += [(556, 10000), (-2040, 10000), (10572, 10000)]
    extra = [
        (271, 2, 5, "Acme", True),
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, (0, 1, 1, 2), True),
        (50706, 1, 4, (1, 4, 0, 0), True),
        (50708, 2, 5, "Test", True),
        (50714, 3, 1, 0, True),
        (50717, 3, 1, 4095, True),
        (50721, 10, 9, sum(matrix, ()), True),
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),
        (50778, 3, 1, 21, True),
    ]
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, mosaic, photometric="cfa", extratags=extra, metadata=None, software=False, **tags)
    return buffer.getvalue()


def test_a_heic_comes_upright_and_says_so():
    pytest.importorskip("pi_heif", reason="needs the extra heif")
    photo = read_photo(HEIC / "turned.heic")
    assert (photo.width, photo.height, photo.format) == (32, 48, "JPEG")
    assert exif.orientation(photo.metadata.exif) == 1
    assert b"Acme" in photo.metadata.exif
    assert np.abs(photo.pixels[2, 2] / 255 - RED).max() < 0.02  # turned clockwise: red is above
    assert np.abs(photo.pixels[-3, -3] / 255 - GREEN).max() < 0.02
    again = read_photo(encode_photo(photo, OutputStyle(), name=""))
    assert (again.width, again.height) == (32, 48)


@pytest.mark.parametrize(("name", "bits", "points"), [("p3-10bit.heic", 10, (12, 13)), ("12bit.heic", 12, None)])
def test_deep_heic_comes_at_full_scale_with_its_colours(name, bits, points):
    pytest.importorskip("pi_heif", reason="needs the extra heif")
    photo = read_photo(HEIC / name)
    assert photo.pixels.dtype == np.uint16
    for corner, colour in zip(CORNERS, (RED, GREEN, GREY), strict=True):
        assert np.abs(photo.pixels[corner] / 65535 - colour).max() < 0.005
    assert (photo.metadata.bits, photo.metadata.points) == (bits, points)
    assert remarks(photo, OutputStyle(), None, scale=1) == (f"its {bits} bits become 8 in JPEG",)
    kept = read_photo(encode_photo(photo, OutputStyle("AVIF"), name=""))
    assert (kept.metadata.bits, kept.metadata.points) == (bits, points)
    assert bool(read_photo(encode_photo(photo, OutputStyle("TIFF"), name="")).metadata.icc) == (points is not None)


def test_the_main_picture_of_a_burst_is_taken_and_the_others_are_told():
    pytest.importorskip("pi_heif", reason="needs the extra heif")
    photo = read_photo(HEIC / "burst.heic")
    assert np.abs(photo.pixels[2, -3] / 255 - GREEN).max() < 0.02  # the other one is upside down
    assert remarks(photo, OutputStyle(), None, scale=1) == ("only the main one of its 2 pictures is restored",)


def test_a_raw_file_is_developed_wide_and_deep():
    pytest.importorskip("rawpy", reason="needs the extra raw")
    photo = read_photo(dng())
    assert (photo.pixels.dtype, photo.format, photo.width) == (np.uint16, "TIFF", 48)
    assert photo.metadata.icc
    assert exif.parse(photo.metadata.exif)[271] == "Acme"
    assert photo.notes == ("developed from camera raw",)
    red, green, blue = photo.pixels[8:-8, 8:-8].mean((0, 1)) / 65535
    linear = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]) @ (0.6, 0.3, 0.1)
    ratios = np.array([red, green, blue]) / green  # its exposure is LibRaw's
    assert np.abs(ratios - (linear / linear[1]) ** (1 / 2.2)).max() < 0.03
    assert read_photo(encode_photo(photo, OutputStyle(), name="")).metadata.icc == photo.metadata.icc


@pytest.mark.parametrize(("name", "module", "word"), [("turned.heic", "pi_heif", "heif"), ("dng", "rawpy", "raw")])
def test_without_the_extra_the_refusal_names_it(monkeypatch, tmp_path, name, module, word):
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / ("photo.dng" if name == "dng" else "photo.heic")
    path.write_bytes(dng() if name == "dng" else (HEIC / name).read_bytes())
    with pytest.raises(HfpieError, match=rf"photo\..*pip install 'hfpie\[{word}\]'"):
        read_photo(path)


def test_folders_take_them_only_with_the_extra(monkeypatch, tmp_path):
    for name in ("a.HEIC", "b.dng", "c.png"):
        (tmp_path / name).touch()
    monkeypatch.setattr(formats, "find_spec", lambda module: None if module == "rawpy" else object())
    assert [is_photo(tmp_path / name) for name in ("a.HEIC", "b.dng", "c.png")] == [True, False, True]
    plan = plan_jobs([str(tmp_path)], Naming("_denoised"))
    assert [job.target.name for job in plan.jobs] == ["a_denoised.jpg", "c_denoised.png"]
    assert [path.name for path in plan.left_out["raw"]] == ["b.dng"]


def test_a_heic_and_its_jpeg_do_not_become_one_file(monkeypatch, tmp_path):
    monkeypatch.setattr(formats, "find_spec", lambda module: object())
    for name in ("a.HEIC", "a.JPG", "b.heic", "c.gif", "c.png"):
        (tmp_path / name).touch()
    plan = plan_jobs([str(tmp_path)], Naming("_denoised", output=str(tmp_path / "out/")))
    assert [job.target.name for job in plan.jobs] == ["a.HEIC.jpg", "a.JPG", "b.jpg", "c.gif.png", "c.png"]


def test_they_are_not_written_in_place(tmp_path):
    (tmp_path / "a.heic").touch()
    with pytest.raises(UsageError, match="cannot write this format in place"):
        plan_jobs([str(tmp_path / "a.heic")], Naming("_denoised", in_place=True))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"8BPS\0\1", "PSD"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n<svg xmlns='x'>", "SVG"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "film"),
        (b"\xff\x0a rest", "JPEG XL"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
    ],
)
def test_a_file_of_a_wrong_ending_is_named_by_its_content(tmp_path, content, word):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(HfpieError, match=f"photo.jpg: .*{word}.*which hfpie does not read") as caught:
        read_photo(path)
    assert caught.value.hint


def test_every_extra_is_installed_alone_and_with_the_others_by_the_workflow():
    root = Path(__file__).parent.parent
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    extras = [name for name in listed if name != "dev"]
    workflow = (root / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    matrix = workflow.partition("        extra:\n")[2].partition("    runs-on")[0]
    assert re.findall(r"- (\S+)", matrix) == [*extras, ",".join(extras)]
    assert {package for name in extras for package in listed[name]} <= set(listed["dev"])
