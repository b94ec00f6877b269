"""Unusual names and special files: each fails alone, and devices are never replaced."""

import os
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import HfpieError
from hfpie_cli.files import atomic_path
from hfpie_cli.shown import shown

from .conftest import save_picture, smooth_picture


@pytest.fixture
def hfpie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


def make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def make_loop(path: Path) -> Path:
    path.symlink_to(path)
    return path


def make_folder(path: Path) -> Path:
    path.with_suffix("").mkdir()
    return path.with_suffix("")


def make_file(path: Path, data: bytes = b"") -> Path:
    path.write_bytes(data)
    return path


def make_long(path: Path) -> Path:
    return save_picture(path.with_name("x" * 247 + ".png"), smooth_picture(3))


def make_dangling(path: Path) -> Path:
    path.symlink_to("nowhere.png")
    return path


UNLUCKY = {
    "pipe": (make_pipe, "is a pipe, not a file"),
    "device": (lambda path: Path("/dev/zero"), "not a file"),
    "loop": (make_loop, "circular|Too many levels"),
    "link to nothing": (make_dangling, "no such file"),
    "empty folder": (make_folder, "no photographs in this folder"),
    "empty file": (make_file, "the file is empty"),
    "long name": (make_long, "File name too long"),
    "missing": (lambda path: path, "no such file"),
    "no picture": (lambda path: make_file(path, b"text"), "not a photograph"),
}


@pytest.mark.parametrize("kind", UNLUCKY)
def test_among_good_inputs_it_fails_alone(kind, hfpie, tmp_path):
    make, reason = UNLUCKY[kind]
    good = [save_picture(tmp_path / f"{name}.png", smooth_picture(1)) for name in "ab"]
    bad = make(tmp_path / "bad.png")
    result = hfpie("denoise", good[0], bad, good[1], "--weights", "unit-test")
    assert result.exit_code == 3, result.stderr
    assert "3 photographs: 2 denoised, 0 skipped, 1 failed" in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("hfpie: ")]
    assert len(lines) == 1
    assert bad.name in lines[0]
    assert re.search(reason, lines[0]), lines[0]
    assert "internal error" not in result.stderr
    assert all(path.with_name(f"{path.stem}_denoised.png").exists() for path in good)


@pytest.mark.parametrize("kind", ["pipe", "loop", "link to nothing", "empty file", "no picture"])
@pytest.mark.parametrize("how", [("-o", "out/"), ("--in-place",)])
def test_in_a_folder_it_fails_alone(kind, how, hfpie, tmp_path):
    save_picture(tmp_path / "in/a.png", smooth_picture(1))
    bad = UNLUCKY[kind][0](tmp_path / "in/bad.png")
    before = bad.lstat()
    result = hfpie("denoise", "in", *how, "--weights", "unit-test")
    assert result.exit_code == 3, result.stderr
    assert "2 photographs: 1 denoised, 0 skipped, 1 failed" in result.stderr
    assert "bad.png" in result.stderr
    assert (bad.lstat().st_mode, bad.lstat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_a_lone_one_has_its_own_exit_code(hfpie, tmp_path):
    assert hfpie("denoise", make_pipe(tmp_path / "a.png"), "--weights", "unit-test").exit_code == 1
    assert "is a pipe" in hfpie("denoise", tmp_path / "a.png", "--weights", "unit-test").stderr
    assert hfpie("denoise", make_folder(tmp_path / "b.png"), "--weights", "unit-test").exit_code == 1


def test_errors_of_a_file_being_written_name_it_and_not_the_temporary_one(tmp_path):
    with pytest.raises(FileNotFoundError) as problem, atomic_path(tmp_path / "gone/a.csv"):
        pass
    assert problem.value.filename == str(tmp_path / "gone/a.csv")


def test_a_device_or_pipe_is_never_replaced(hfpie, tmp_path, set5):
    pipe = make_pipe(tmp_path / "scores.csv")
    link = tmp_path / "link.csv"
    link.symlink_to("/dev/full")
    for target in (pipe, link, Path("/dev/full")):
        with pytest.raises(HfpieError, match="not a file"), atomic_path(target):
            pytest.fail("it was opened")
        result = hfpie("eval", "--dataset", set5, "--task", "denoise", "--csv", target, "--overwrite")
        assert result.exit_code == 1
        assert "not a file" in result.stderr
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
    picture = save_picture(tmp_path / "c.png", smooth_picture(1))
    result = hfpie("denoise", picture, "-o", "/dev/full", "--format", "png", "--weights", "unit-test", "--overwrite")
    assert result.exit_code == 2
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


NAMES = {"\x1b[2Jclear.png": r"\x1b[2Jclear.png", "\u202egnp.exe.png": r"\u202egnp.exe.png", "a\nb.png": r"a\nb.png"}


@pytest.mark.parametrize("name", NAMES)
def test_what_would_not_be_seen_in_a_name_is_escaped(name, hfpie, tmp_path):
    save_picture(tmp_path / name, smooth_picture(1))
    result = hfpie("denoise", name, "--weights", "unit-test")
    assert result.exit_code == 0, result.stderr
    assert NAMES[name] in result.stderr
    assert name not in result.stderr
    (tmp_path / name).write_bytes(b"text")
    refused = hfpie("denoise", name, "--weights", "unit-test", "--overwrite")
    assert f"hfpie: {NAMES[name]}: not a photograph" in refused.stderr


def test_names_of_all_scripts_stay_as_they_are():
    for name in ("Straße 東京 عيد.jpg", "می\u200cرسد.png", "👩\u200d👧 día.webp"):
        assert shown(name) == name
    assert shown("\udcff.png") == r"\udcff.png"
