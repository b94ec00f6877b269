"""What can happen to a run's folder: a full disk, damaged files, two runs at once; one clear line for each."""

import resource
import zipfile
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.data.sources import Opener
from hfpie_cli.errors import HfpieError
from hfpie_cli.training.config import write_config
from hfpie_cli.training.run import keep_best, locked, save_state, setup
from hfpie_cli.weights.checkpoint import load_checkpoint

from .test_train import CPU, changed, same_weights, train


@contextmanager
def room_for(size):
    """Files of at most `size` bytes."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


SAVES = {"state.pt": save_state, "best.safetensors": lambda run: keep_best(run, run.best + 1)}


@pytest.mark.parametrize("name", SAVES)
def test_a_full_disk_is_told_as_such_and_leaves_the_last_state(name, data, tmp_path):
    run = train(changed(steps=1), tmp_path / "run", data)
    before = files_of(tmp_path / "run")
    with room_for(16 << 10), pytest.raises(OSError, match="File too large") as caught:
        SAVES[name](run)
    assert caught.value.filename == str(tmp_path / "run" / name)
    assert files_of(tmp_path / "run") == before


def test_the_command_tells_a_full_disk_in_one_line(photos, data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train(changed(steps=1), tmp_path / "run", data)
    Opener("denoise", 1, tmp_path / "hfpie/decoded", print).training_set(photos, None, None)
    arguments = ["train", "--resume", tmp_path / "run", "--data", photos, "--device", "cpu", "--steps", "2"]
    with room_for(16 << 10):
        result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 1
    assert "state.pt: File too large" in result.stderr
    assert "internal error" not in result.stderr


def test_a_damaged_state_is_told_as_such(data, tmp_path):
    train(changed(steps=1), tmp_path / "run", data)
    state = tmp_path / "run/state.pt"
    whole = state.read_bytes()
    flipped = bytearray(whole)
    with zipfile.ZipFile(state) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        flipped[whole.index(archive.read(largest)) + 5] ^= 1
    for damaged in (whole[:-1], whole[: len(whole) // 2], bytes(flipped), b"", b"PK", b"nonsense"):
        state.write_bytes(damaged)
        with pytest.raises(HfpieError, match=r"state\.pt: is damaged") as caught:
            setup(changed(steps=2), tmp_path / "run", CPU)
        assert "--init" in caught.value.hint
    state.write_bytes(whole)
    assert setup(changed(steps=2), tmp_path / "run", CPU).step == 1


def test_two_runs_in_one_folder_are_refused(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_config(changed(steps=1), tmp_path / "tiny.toml")
    arguments = ["train", "--task", "denoise", "--data", photos, "--recipe", tmp_path / "tiny.toml", "--device", "cpu"]
    with locked(tmp_path / "run"):
        result = CliRunner().invoke(app, [*map(str, arguments), "--out", str(tmp_path / "run")])
        assert result.exit_code == 1
        assert f"{tmp_path / 'run'}: another process trains there" in result.stderr
        assert "--out" in result.stderr
    assert not (tmp_path / "run").exists()
    result = CliRunner().invoke(app, [*map(str, arguments), "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.stderr


def test_a_missing_best_is_made_anew(data, tmp_path):
    run = train(changed(steps=2), tmp_path / "run", data)
    (tmp_path / "run/best.safetensors").unlink()
    said = []
    again = setup(changed(steps=2), tmp_path / "run", CPU, say=said.append)
    assert "best.safetensors: is missing" in said[0]
    assert again.best == float("-inf")
    made = load_checkpoint(tmp_path / "run/best.safetensors").network()
    assert same_weights(made, run.average)
