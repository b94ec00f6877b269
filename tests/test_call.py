"""One call from Python: what the README says, and what the commands do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hfpie_cli
from hfpie_cli.console import Console, LoggedConsole
from hfpie_cli.errors import UnavailableError, UsageError
from hfpie_cli.training.config import write_config

from .conftest import save_picture, smooth_picture
from .test_train import changed, same_weights

README = Path(__file__).parent.parent / "README.md"
TINY = "'steps=2', 'batch=1', 'crop=32', 'network.widths=[8,8,8]', 'network.bodies=[1,1,1]', 'network.tails=[1,1,0]'"


def test_the_line_of_the_readme_trains_on_four_pictures(tmp_path):
    for index in range(4):
        save_picture(tmp_path / "photos" / f"{index}.png", smooth_picture(index))
    line = next(line for line in README.read_text().splitlines() if line.startswith("python -c") and ".train(" in line)
    program = line.split('"')[1]
    assert "'minutes=30'" in program
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program.replace("'minutes=30'", TINY)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nobody asked to be told"
    restorer = hfpie_cli.Restorer.from_weights(str(tmp_path / "runs/mine/best.safetensors"))
    assert restorer(smooth_picture(0)).shape == (64, 48, 3)


def test_the_package_is_imported_without_torch():
    program = "import sys, hfpie_cli; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = hfpie_cli.trian


def test_a_configuration_trains_and_goes_on_by_itself(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    straight = hfpie_cli.train(changed(steps=4), photos, tmp_path / "straight", device="cpu")
    assert hfpie_cli.train(changed(steps=2), photos, tmp_path / "run", device="cpu").step == 2
    run = hfpie_cli.train(None, None, tmp_path / "run", settings=["steps=4"], resume=True, device="cpu")
    assert (run.step, run.is_done) == (4, True)
    write_config(changed(steps=4), tmp_path / "mine.toml")
    again = hfpie_cli.train(tmp_path / "mine.toml", photos, tmp_path / "again", device="cpu")
    assert same_weights(straight.network, again.network)
    assert torch.isfinite(next(run.network.parameters())).all()


def test_what_does_not_go_together_is_named(photos, tmp_path):
    for arguments, options, error, told in (
        ((changed(), None, tmp_path / "run"), {}, UsageError, "no training data given"),
        ((None, photos, tmp_path / "run"), {"resume": True}, UsageError, "no run to resume"),
        ((changed(), tmp_path / "none", tmp_path / "run"), {}, UnavailableError, "no such folder"),
        ((changed(), None, tmp_path / "run"), {"clean": photos}, UsageError, "must be used together"),
        ((changed(), photos, tmp_path / "run"), {"settings": ["steps=1"]}, UsageError, "settings apply to recipes"),
    ):
        with pytest.raises(error, match=told):
            hfpie_cli.train(*arguments, **options)
    assert not (tmp_path / "run").exists()


def test_an_interrupted_run_says_how_to_go_on(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def strike(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hfpie_cli.training.call.fit", strike)
    with pytest.raises(KeyboardInterrupt):
        hfpie_cli.train(changed(steps=4), photos, tmp_path / "run", device="cpu", console=Console())
    assert capsys.readouterr().err.endswith(f"saved at step 0; to continue: hfpie train --resume {tmp_path / 'run'}\n")


def test_evaluate_gives_boards(set5, identity, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shown = []
    boards = hfpie_cli.evaluate(
        "Set5",
        task="denoise",
        degradation="awgn-25",
        weights=[str(identity)],
        data_root=set5.parent,
        limit=2,
        csv=tmp_path / "scores.csv",
        show=shown.append,
    )
    assert boards == shown
    assert str(identity) in (tmp_path / "scores.csv").read_text()
    with pytest.raises(UsageError, match="already exists"):
        hfpie_cli.evaluate("Set5", task="denoise", csv=tmp_path / "scores.csv")


def test_python_is_told_by_a_logger(photos, tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with caplog.at_level("INFO", "hfpie_cli"):
        hfpie_cli.train(changed(steps=1), photos, tmp_path / "run", device="cpu")
    lines = [record.message for record in caplog.records if record.name == "hfpie_cli"]
    assert f"6 photographs, 1 step, cpu fp32, run folder {tmp_path / 'run'}" in lines
    assert lines[-2] == f"done: {tmp_path / 'run/best.safetensors'}"
    assert capfd.readouterr() == ("", ""), "nobody asked to be told"
    LoggedConsole().warn("a part does nothing")
    assert (caplog.records[-1].levelname, caplog.records[-1].message) == ("WARNING", "a part does nothing")
