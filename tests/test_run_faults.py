"""Faults of a run's folder: a full disk, damaged files, two runs at once; one clear line for each."""

import io
import resource
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.data.sources import Opener
from hfpie_cli.errors import HfpieError
from hfpie_cli.files import atomic_path
from hfpie_cli.training.config import write_config
from hfpie_cli.training.run import keep_best, locked, save_state, setup
from hfpie_cli.training.state import find_whole
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


def ways_to_damage(whole):
    """The file cut short, replaced, and with single bits changed everywhere in it, its hash and its end included."""
    yield from (whole[:-1], whole[: len(whole) // 2], b"", b"PK", b"nonsense", whole + b"\0")
    places = np.random.default_rng(0).integers(0, len(whole), 20)
    for place in (
        0,
        *map(int, places),
        len(whole) - 95,
        len(whole) - 73,
        len(whole) - 72,
        len(whole) - 60,
        len(whole) - 1,
    ):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        yield bytes(flipped)


def test_a_damaged_state_gives_way_to_the_one_before(data, tmp_path):
    folder = tmp_path / "run"
    train(changed(steps=2), folder, data)
    state, before = folder / "state.pt", folder / "state-before.pt"
    steps = [torch.load(path, weights_only=True)["step"] for path in (before, state)]
    assert steps == [0, 2]
    whole = state.read_bytes()
    for damaged in ways_to_damage(whole):
        state.write_bytes(damaged)
        said = []
        archive = find_whole(folder, said.append)
        assert torch.load(archive, weights_only=True)["step"] == 0
        assert "state.pt: damaged" in said[0]
    assert setup(changed(steps=2), folder, CPU, say=said.append).step == 0
    assert find_whole(folder, pytest.fail)  # saved anew, and the one before was not lost for a damaged one
    before.write_bytes(b"")
    state.write_bytes(whole[:-1])
    with pytest.raises(HfpieError, match=r"state\.pt: damaged") as caught:
        setup(changed(steps=2), folder, CPU)
    assert "--init" in caught.value.hint
    state.write_bytes(whole)
    assert setup(changed(steps=2), folder, CPU).step == 2


def test_a_state_that_has_no_hash_yet_is_read(data, tmp_path):
    run = train(changed(steps=1), tmp_path / "run", data)
    plain = io.BytesIO()
    torch.save(torch.load(run.folder / "state.pt", weights_only=True), plain)
    (run.folder / "state.pt").write_bytes(plain.getvalue())
    assert setup(changed(steps=1), tmp_path / "run", CPU).step == 1


def test_the_tables_are_cut_to_the_step_that_the_state_has(data, tmp_path):
    folder = tmp_path / "run"
    straight = train(changed(steps=4, validate_every=1), tmp_path / "straight", data)
    train(changed(steps=2, validate_every=1), folder, data)
    rows = (folder / "log.csv").read_text()
    ahead = rows + rows.splitlines()[-1].replace("2,", "3,", 1) + "\n3,0.1,torn"
    (folder / "log.csv").write_text(ahead)
    (folder / "parts.csv").write_bytes((folder / "parts.csv").read_bytes() + b"9,body 1,\xff\xfe")
    train(changed(steps=4, validate_every=1), folder, data)
    for table in ("log.csv", "parts.csv"):
        steps = [row.split(",")[0] for row in (folder / table).read_text().splitlines()]
        assert steps == [row.split(",")[0] for row in (straight.folder / table).read_text().splitlines()]


def test_two_runs_in_one_folder_are_refused(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_config(changed(steps=1), tmp_path / "tiny.toml")
    arguments = ["train", "--task", "denoise", "--data", photos, "--recipe", tmp_path / "tiny.toml", "--device", "cpu"]
    with locked(tmp_path / "run"):
        result = CliRunner().invoke(app, [*map(str, arguments), "--out", str(tmp_path / "run")])
        assert result.exit_code == 1
        assert f"{tmp_path / 'run'}: another process is training there" in result.stderr
        assert "--out" in result.stderr
    assert not (tmp_path / "run").exists()
    result = CliRunner().invoke(app, [*map(str, arguments), "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.stderr


def test_a_missing_best_is_made_anew(data, tmp_path):
    run = train(changed(steps=2), tmp_path / "run", data)
    (tmp_path / "run/best.safetensors").unlink()
    said = []
    again = setup(changed(steps=2), tmp_path / "run", CPU, say=said.append)
    assert "best.safetensors: missing" in said[0]
    assert again.best == float("-inf")
    made = load_checkpoint(tmp_path / "run/best.safetensors").network()
    assert same_weights(made, run.average)


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    (tmp_path / "samples").mkdir()
    for name in (".hfpie-killed.pt", "samples/.hfpie-killed.png"):
        (tmp_path / name).write_bytes(b"half")
    with atomic_path(tmp_path / "copy.pt") as living, locked(tmp_path):
        assert [path.name for path in tmp_path.rglob(".hfpie-*")] == [living.name]
