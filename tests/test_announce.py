"""Announcements before a command's work begins."""

import json
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli import Restorer
from hfpie_cli.batch.amount import Amount
from hfpie_cli.cli import app
from hfpie_cli.commands import announce
from hfpie_cli.commands.announce import Request, announce_large, check_network
from hfpie_cli.console import Console, in_words
from hfpie_cli.errors import UsageError
from hfpie_cli.files import sha256_of
from hfpie_cli.pace import covered_pixels, measure_pace
from hfpie_cli.photos.limits import raised_limit
from hfpie_cli.photos.sizes import Size, read_size
from hfpie_cli.settings import choose_setting, default_threads

LARGE = Amount(5e6, Size(2000, 2500, 1))


def test_the_first_line_comes_before_torch(tmp_path):
    from subprocess import run

    program = (
        "import sys; from hfpie_cli.commands.folder_run import FolderRun\n"
        "def stop(*_): print('torch' in sys.modules, 'numpy' in sys.modules); raise SystemExit\n"
        "FolderRun._load = stop; sys.argv = ['hfpie', 'denoise', 'a.png']\n"
        "from hfpie_cli.cli import main; main()"
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    done = run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False False"
    assert done.stderr.startswith("compact.denoise on ")


def test_the_announced_setting_is_what_runs(identity, monkeypatch):
    name, setting = check_network(str(identity), Request("auto", "auto"))
    restorer = Restorer.from_weights(str(identity))
    assert name == "identity"
    assert (setting.device, setting.precision) == (str(restorer.device.torch_device), restorer.device.precision)
    assert check_network("denoise", Request("cpu", "fp32", threads=3)) == (
        "compact.denoise",
        choose_setting("cpu", "fp32", residual=True, threads=3),
    )
    assert check_network("realesrgan-x4plus", Request("cpu", "auto"))[1].precision == "fp32"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert default_threads() == 5
    assert str(choose_setting("cpu", "bf16", residual=True)) == "cpu (bf16, 5 threads)"


def test_a_device_that_is_missing_is_told_with_the_reason(monkeypatch):
    monkeypatch.setattr("hfpie_cli.settings.cuda_problem", lambda: "this PyTorch is a CPU build")
    monkeypatch.setattr("hfpie_cli.settings.mps_problem", lambda: "requires macOS on Apple silicon")
    with pytest.raises(UsageError, match="CUDA is not available: this PyTorch is a CPU build"):
        choose_setting("cuda", "auto", residual=True)
    assert choose_setting("auto", "auto", residual=False, threads=2).device == "cpu"
    with pytest.raises(UsageError, match="fp16 does not run on a CPU"):
        choose_setting("auto", "fp16", residual=True)
    monkeypatch.setattr("hfpie_cli.settings.cuda_problem", lambda: "")
    assert str(choose_setting("auto", "auto", residual=True)) == "cuda (fp16)"
    assert str(choose_setting("cuda:1", "bf16", residual=True)) == "cuda:1 (bf16)"


def test_sizes_come_from_the_head_of_a_file(tmp_path):
    Image.new("RGB", (7, 5)).save(tmp_path / "a.jpg")
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(tmp_path / "b.png")
    Image.fromarray(np.zeros((3, 2), np.float32)).save(tmp_path / "c.tif")
    (tmp_path / "d.png").write_text("text")
    sizes = [read_size(tmp_path / name) for name in ("a.jpg", "b.png", "c.tif", "d.png", "none.png")]
    assert sizes == [Size(5, 7, 1), Size(4, 6, 2), Size(3, 2, 4), None, None]


def test_a_picture_that_is_refused_by_its_size_does_not_count(tmp_path):
    head = b"IHDR" + struct.pack(">IIBBBBB", 18_000, 18_000, 8, 2, 0, 0, 0)
    chunks = (b"\0\0\0\r" + head, b"\0\0\0\0IDAT")
    parts = (chunk + struct.pack(">I", zlib.crc32(chunk[4:])) for chunk in chunks)
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    Image.new("RGB", (70, 50)).save(tmp_path / "a.png")
    assert read_size(tmp_path / "huge.png") is None
    arguments = ["denoise", str(tmp_path), "-o", str(tmp_path / "out"), "--dry-run", "--weights", "unit-test"]
    planned = CliRunner().invoke(app, arguments)
    assert "1 photograph to restore, 0.00 MP" in planned.stdout
    assert "huge.png: claims 324 megapixels" in planned.stdout
    with raised_limit(400_000_000):
        assert read_size(tmp_path / "huge.png").pixels == 18_000**2


def test_all_frames_of_an_animation_are_in_memory_and_one_page_of_a_stack(tmp_path):
    pictures = [Image.new("RGB", (7, 5), (number, 0, 0)) for number in range(3)]
    for name in ("a.webp", "a.tif"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], lossless=True)
    animation, stack = (read_size(tmp_path / name) for name in ("a.webp", "a.tif"))
    assert (animation, stack) == (Size(5, 7, 1, frames=3, held=3), Size(5, 7, 1, frames=3))
    assert (animation.held_bytes, stack.held_bytes) == (3 * 105, 105)


def test_the_pace_predicts_the_time(identity, rng):
    restorer = Restorer.from_weights(str(identity), tile=64, overlap=16)
    assert measure_pace(restorer, rng, at_least=0.05) > 0
    assert covered_pixels(restorer, 50, 60) == 56 * 64  # one tile, in whole multiples of the stride
    assert covered_pixels(restorer, 112, 112) == 4 * 64 * 64


def test_a_large_job_is_announced_and_needs_yes_on_a_terminal(enlarger, monkeypatch, capsys):
    monkeypatch.setattr("hfpie_cli.pace.measure_pace", lambda restorer, rng: 30e-6)
    restorer = Restorer.from_weights(str(enlarger))
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    announce_large([LARGE], restorer, yes=False, console=Console())
    told = capsys.readouterr().err
    assert told.startswith("5 MP -> 80 MP, about 3 min, 255 MB of memory")
    monkeypatch.setattr("hfpie_cli.pace.measure_pace", lambda restorer, rng: 300e-6)
    announce_large([LARGE] * 3, restorer, yes=False, console=Console())
    assert capsys.readouterr().err.startswith("3 photographs, 15 MP -> 240 MP, about 1 h ")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    announce_large([LARGE], restorer, yes=True, console=Console())
    with pytest.raises(UsageError, match="5 MP -> 80 MP") as caught:
        announce_large([LARGE], restorer, yes=False, console=Console())
    assert caught.value.hint == "use --yes to continue"
    monkeypatch.setattr("hfpie_cli.pace.measure_pace", lambda restorer, rng: 1e-9)
    capsys.readouterr()
    announce_large([LARGE], restorer, yes=False, console=Console())
    assert capsys.readouterr().err == "", "what takes no time is not announced"
    monkeypatch.setattr(announce, "_free_memory", lambda: 10**6)
    with pytest.raises(UsageError):
        announce_large([LARGE], restorer, yes=False, console=Console())


def test_durations_are_told_in_words():
    assert [in_words(seconds) for seconds in (25.4, 99, 100, 2400, 12000)] == [
        "25 s",
        "99 s",
        "2 min",
        "40 min",
        "3 h 20 min",
    ]


def test_records_tell_device_precision_and_weights(tmp_path, monkeypatch, identity):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (30, 20)).save("a.png")
    command = ["denoise", "a.png", "--json", "--weights", str(identity), "--precision", "fp32"]
    result = CliRunner().invoke(app, command)
    record = json.loads(result.stdout)
    assert record["weights"] == "identity"
    assert record["sha256"] == sha256_of(identity)
    assert (record["device"], record["precision"]) == ("cpu", "fp32")
    assert record["threads"] >= 1
    assert record["seconds_per_megapixel"] == pytest.approx(record["seconds"] / 600e-6, rel=0.3, abs=1)
    assert result.stderr.startswith("identity on cpu (fp32, ")
    assert " s/MP" in result.stderr


def test_a_name_without_an_ending_makes_a_folder(tmp_path, monkeypatch, identity):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (30, 20)).save("a.png")
    done = CliRunner().invoke(app, ["denoise", "a.png", "-o", "new", "--weights", str(identity)])
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "new/a.png").exists()
    (tmp_path / "file").write_text("")
    kept = CliRunner().invoke(app, ["denoise", "a.png", "-o", "file", "--weights", str(identity)])
    assert kept.exit_code == 2
    assert "cannot tell the output format" in kept.stderr
