"""`hfpie data`: the table, downloads from a server that answers as the Hub does, and malicious archives."""

import io
import json
import os
import signal
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.console import Console
from hfpie_cli.data.catalogue import data_sets, find
from hfpie_cli.data.download import unpack
from hfpie_cli.errors import UnavailableError
from hfpie_cli.files import temporary_folder

from .conftest import save_picture
from .hub_server import HubServer

REDS = find("REDS")
QUIET = Console(quiet=True).progress


def run(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def picture(side=32) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files) -> bytes:
    """A zip file of contents by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_table_fits_a_terminal_of_80_columns(monkeypatch, tmp_path):
    monkeypatch.setattr("hfpie_cli.commands.tables.columns_of", lambda stream: 80)
    told = run("list", "--data-root", tmp_path).stdout
    table = told.partition("\nhere: ")[0]
    assert max(map(len, table.splitlines())) <= 80
    for entry in data_sets().values():
        assert {entry.name, *entry.about.split(), *entry.licence.split()} <= set(table.split()), entry.name
    assert "hfpie data pull NAME" in told


@pytest.fixture
def server(tmp_path, monkeypatch):
    """REDS as published, one picture of each side, at the commit that the table names."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with HubServer(commit=REDS.hub.revision) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        for archive in REDS.hub.archives:
            side = 8 if "bicubic" in archive.file else 32
            inner = "/X4/000/00000000.png" if "bicubic" in archive.file else "/000/00000000.png"
            files = {archive.gives[0] + inner: picture(side), "notes.txt": b"hello"}
            server.add(f"datasets/{REDS.hub.repo}", archive.file, zipped(files))
        yield server


def test_the_list_tells_licence_and_place(tmp_path):
    save_picture(tmp_path / "Set5/baby.png", np.zeros((8, 8, 3), np.uint8))
    result = run("list", "--data-root", tmp_path, "--json")
    assert result.exit_code == 0, result.stderr
    sets = {record["name"]: record for record in map(json.loads, result.stdout.splitlines())}
    assert set(sets) == set(data_sets())
    assert [name for name, record in sets.items() if record["here"]] == ["Set5"]
    assert sets["REDS"]["hub"] == {"repo": "snah/REDS", "revision": REDS.hub.revision}
    assert all(record["licence"] and record["source"] and record["layout"] for record in sets.values())
    assert "CC BY 4.0" in run("list", "--data-root", tmp_path).stdout


def test_a_set_is_pulled_once_and_ready_to_score(server, tmp_path):
    result = run("pull", "REDS", "--data-root", tmp_path)
    assert "1 picture, expected 3000" in result.stderr  # it is checked; here it is small
    assert result.exit_code == 4
    unpacked = sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "REDS").rglob("*.*"))
    assert "REDS/val/val_blur_bicubic/X4/000/00000000.png" in unpacked
    assert len(unpacked) == 5  # no notes, no training pictures, nothing left of the work
    asked = [request.path for request in server.requests]
    assert any(f"/datasets/snah/REDS/resolve/{REDS.hub.revision}/val_sharp.zip" in path for path in asked)
    again = run("pull", "REDS", "--data-root", tmp_path, "--train", "--json")
    assert [json.loads(line)["unpacked"] for line in again.stdout.splitlines()[:7]] == [False] * 5 + [True] * 2
    assert (tmp_path / "REDS/train/train_sharp/000/00000000.png").is_file()


def test_a_signal_leaves_nothing_half_unpacked(server, tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "extract", lambda *arguments: os.kill(os.getpid(), signal.SIGTERM))
    pulled = run("pull", "REDS", "--data-root", tmp_path / "data")
    assert pulled.exit_code == 143, pulled.stderr
    assert list((tmp_path / "data/REDS").iterdir()) == []


def test_a_pull_removes_what_killed_ones_left_and_nothing_of_living_ones(server, tmp_path):
    folder = tmp_path / "data/REDS"
    (folder / ".hfpie-killed/val").mkdir(parents=True)
    (folder / ".hfpie-killed/val/0.png").touch()
    with temporary_folder(folder) as living:
        assert "unpacked" in run("pull", "REDS", "--data-root", tmp_path / "data").stderr
        assert [path.name for path in folder.glob(".*")] == [living.name]
    assert not living.exists()


def test_a_set_without_a_repository_says_where_to_get_it(tmp_path):
    result = run("pull", "SIDD", "--data-root", tmp_path)
    assert result.exit_code == 4
    assert find("SIDD").source in result.stderr
    assert run("pull", "nothing").exit_code == 2


def test_verify_counts_and_opens(tmp_path):
    assert run("verify", "Set5", "--data-root", tmp_path).exit_code == 4
    for number in range(5):
        save_picture(tmp_path / f"Set5/{number}.png", np.zeros((8, 8, 3), np.uint8))
    result = run("verify", "Set5", "--data-root", tmp_path)
    assert (result.exit_code, "5 pictures, as published" in result.stderr) == (0, True)
    for number in (0, 3):  # the first is not the only one that is opened
        (tmp_path / f"Set5/{number}.png").write_bytes(b"not a picture")
    broken = run("verify", "Set5", "--data-root", tmp_path)
    assert (broken.exit_code, "0.png: not a photograph that hfpie can read" in broken.stderr) == (4, True)
    assert "(and 1 more)" in broken.stderr
    save_picture(tmp_path / "Set5/0.png", np.zeros((8, 8, 3), np.uint8))
    assert "3.png: not a photograph" in run("verify", "Set5", "--data-root", tmp_path).stderr


@pytest.mark.parametrize("name", ["../out.png", "/out.png", "a/../../out.png", "..\\out.png", "C:/out.png"])
def test_no_path_leads_outside(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(zipped({"a/good.png": b"1", name: b"2"}))
    (tmp_path / "target").mkdir()
    with pytest.raises(UnavailableError, match="points outside"):
        unpack(tmp_path / "a.zip", tmp_path / "target", ["a"], QUIET)
    assert list((tmp_path / "target").iterdir()) == []
    assert not (tmp_path / "out.png").exists()


def test_links_bombs_and_broken_archives_are_refused(tmp_path):
    link = zipfile.ZipInfo("a/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/zeros", bytes(70 << 20))
    whole = zipped({"a/1.png": picture(), "a/2.png": picture()})
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.zip").write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with zipfile.ZipFile(tmp_path / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(range(256)) * 9)
    deflated = (tmp_path / "deflated.zip").read_bytes()
    (tmp_path / "deflated.zip").write_bytes(deflated[:40] + bytes([deflated[40] ^ 255]) + deflated[41:])
    (tmp_path / "other.zip").write_bytes(zipped({"b/1.png": b"1"}))
    (tmp_path / "target").mkdir()
    reasons = {
        "link": "not a regular file",
        "bomb": "far too large",
        "cut": "damaged archive",
        "flipped": "damaged archive",
        "deflated": "damaged archive",
        "other": "no folder a",
    }
    for name, reason in reasons.items():
        with pytest.raises(UnavailableError, match=reason):
            unpack(tmp_path / f"{name}.zip", tmp_path / "target", ["a"], QUIET)
        assert list((tmp_path / "target").iterdir()) == [], name


def test_outer_folders_may_be_missing(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"val_sharp/000/0.png": b"1"}))
    (tmp_path / "target").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "target", ["val/val_sharp"], QUIET)
    assert (tmp_path / "target/val/val_sharp/000/0.png").read_bytes() == b"1"
