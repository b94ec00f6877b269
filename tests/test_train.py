"""The training loop learns, resumes bit for bit however it ended, and is the same in several processes."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli import Restorer
from hfpie_cli.cli import app
from hfpie_cli.console import Console
from hfpie_cli.device import Device
from hfpie_cli.errors import HfpieError, UsageError
from hfpie_cli.interruption import Stopped
from hfpie_cli.models.highpass import HighpassConfig
from hfpie_cli.models.network import NetworkConfig
from hfpie_cli.photos.quality import psnr
from hfpie_cli.training.config import TrainConfig, load_config, write_config
from hfpie_cli.training.log import RunLog
from hfpie_cli.training.loop import fit
from hfpie_cli.training.losses import LossConfig
from hfpie_cli.training.muon import orthogonalise
from hfpie_cli.training.run import PICTURES_TO_CHOOSE, keep_best, setup
from hfpie_cli.training.validation import HeldOut, validate
from hfpie_cli.weights.checkpoint import load_checkpoint

from .conftest import run_on_a_terminal, run_twice

CPU = Device(torch.device("cpu"), "fp32")
CONFIG = TrainConfig(
    task="denoise",
    network=NetworkConfig(widths=(8, 8, 8), bodies=(1, 1, 1), unshuffle=2),
    degradation={"awgn-25": 1.0},
    validation=("awgn-25",),
    crop=32,
    batch=4,
    steps=60,
    rate=1e-2,
    warmup_share=0.03,
    ema=0.9,
    precision="fp32",
    validate_every=30,
)


def changed(**changes):
    return TrainConfig(**{**vars(CONFIG), **changes})


def train(config, folder, data):
    run = setup(config, folder, CPU)
    with RunLog(folder, Console(quiet=True), run.step) as log:
        fit(run, *data.split(), log)
    return run


def same_weights(a, b):
    return all(torch.equal(weight, b.state_dict()[name]) for name, weight in a.state_dict().items())


def log_of(folder):
    header, *rows = (folder / "log.csv").read_text().splitlines()
    return [dict(zip(header.split(","), map(float, row.split(",")), strict=True)) for row in rows]


def test_orthogonalised_matrices_have_singular_values_near_one():
    values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 16, 144)))
    assert 0.5 < values.min() < values.max() < 1.4


def test_60_steps_halve_the_loss_and_keep_a_checkpoint_and_samples(data, tmp_path):
    start = train(changed(steps=1, warmup_share=0), tmp_path / "start", data)
    run = train(CONFIG, tmp_path / "run", data)
    assert log_of(tmp_path / "run")[-1]["loss"] < log_of(tmp_path / "start")[0]["loss"] / 2
    assert run.best > 21.5 > 18 > start.best  # the noisy input has about 20.2 dB
    assert load_checkpoint(tmp_path / "run/best.safetensors").info["task"] == "denoise"
    with Image.open(tmp_path / "run/samples/0000060.png") as sheet:
        assert sheet.size[1] == 256  # one picture is held out: a row of degraded, restored, clean
        assert sheet.size[0] == 3 * round(96 * 256 / 80)


def test_a_run_interrupted_by_a_signal_goes_on_to_the_same_weights(data, tmp_path, monkeypatch):
    straight = train(changed(steps=8), tmp_path / "straight", data)

    def strike(self, *told):
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("hfpie_cli.training.loop.CHECK_EVERY", 3)
        patch.setattr(RunLog, "step", strike)
        with pytest.raises(Stopped) as stopped:
            train(changed(steps=8), tmp_path / "stopped", data)
    assert stopped.value.code == 143
    resumed = setup(changed(steps=8), tmp_path / "stopped", CPU)
    assert resumed.step in (3, 4)
    assert same_weights(train(changed(steps=8), tmp_path / "stopped", data).network, straight.network)


def command(photos, recipe, *more):
    return ["-m", "hfpie_cli", "train", "--task", "denoise", "--data", photos, "--recipe", recipe, *more]


def environment(tmp_path):
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}


def test_a_run_that_was_killed_goes_on_to_the_same_weights(photos, data, tmp_path):
    config = changed(steps=24, save_seconds=0)
    write_config(config, tmp_path / "tiny.toml")
    arguments = command(photos, tmp_path / "tiny.toml", "--out", tmp_path / "killed", "--device", "cpu")
    process = subprocess.Popen([sys.executable, *arguments], env=environment(tmp_path), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600  # on a busy machine the imports alone take minutes
    while step_of(tmp_path / "killed") == 0 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert 0 < step_of(tmp_path / "killed") < 24
    straight = train(config, tmp_path / "straight", data)
    assert same_weights(train(config, tmp_path / "killed", data).network, straight.network)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 129)])
def test_a_signal_or_a_closed_terminal_saves_and_ends_with_its_code(number, code, photos, tmp_path):
    write_config(changed(steps=10**6, save_seconds=10**6, validate_every=10**6), tmp_path / "tiny.toml")
    arguments = command(photos, tmp_path / "tiny.toml", "--out", tmp_path / "run", "--device", "cpu")
    child, terminal = pty.fork()
    if child == 0:
        for each in (signal.SIGINT, signal.SIGHUP):  # which background jobs and nohup are started ignoring
            signal.signal(each, signal.SIG_DFL)
        os.execve(sys.executable, [sys.executable, *map(str, arguments)], environment(tmp_path))
    told = b""
    while b"loss" not in told:
        told += os.read(terminal, 4096)
    (tmp_path / "run/state.pt").unlink()
    if number is None:
        os.close(terminal)
    else:
        os.kill(child, number)
    with suppress(OSError):
        while os.read(terminal, 4096):
            pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
    assert step_of(tmp_path / "run") > 0


def step_of(folder):
    state = folder / "state.pt"
    return torch.load(state, weights_only=True)["step"] if state.exists() else 0


def test_a_run_killed_before_its_first_step_keeps_the_weights_it_was_given(data, tmp_path):
    train(changed(steps=2), tmp_path / "first", data)
    begun = setup(CONFIG, tmp_path / "second", CPU, init=tmp_path / "first/best.safetensors")
    again = setup(CONFIG, tmp_path / "second", CPU)
    assert again.step == 0
    assert same_weights(begun.network, again.network)
    with pytest.raises(HfpieError, match="the state of a different kind of run"):
        setup(changed(network=NetworkConfig(widths=(16, 16, 16), bodies=(1, 1, 1))), tmp_path / "second", CPU)


def test_another_rate_holds_from_the_first_step_of_a_run_that_goes_on(data, tmp_path):
    setup(changed(steps=2, rate=0.1), tmp_path / "run", CPU)  # its state is that of step 0
    for optimizer in train(changed(steps=2, rate=1e-3), tmp_path / "run", data).optimizers:
        assert max(group["lr"] for group in optimizer.param_groups) <= 1e-3


def test_another_validation_begins_another_log_and_another_best(data, tmp_path):
    train(changed(steps=2), tmp_path / "run", data)
    said = []
    config = changed(steps=4, validation=("awgn-50",))
    run = setup(config, tmp_path / "run", CPU, say=said.append)
    assert run.best == float("-inf")
    assert "was validated by awgn-25 before" in said[0]
    train(config, tmp_path / "run", data)
    assert [row["step"] for row in log_of(tmp_path / "run")] == [4]
    assert "awgn-50" in log_of(tmp_path / "run")[0]
    assert "awgn-25" in (tmp_path / "run/log-before-4.csv").read_text()


def test_weights_that_fit_in_part_are_said_and_those_of_another_network_refused(data, tmp_path):
    train(changed(steps=1), tmp_path / "first", data)
    said = []
    wider = changed(network=NetworkConfig(widths=(8, 8, 12), bodies=(1, 1, 2), unshuffle=2))
    setup(wider, tmp_path / "second", CPU, init=tmp_path / "first/best.safetensors", say=said.append)
    assert "lacks 1 block, started as the identity" in said[0]
    assert "tensors start from random values" in said[1]
    for config, match in (
        (changed(network=HighpassConfig(width=4)), " 0 of the"),
        (TrainConfig(**{**vars(wider), "losses": LossConfig(adversarial=1.0)}), "tensors of the recipe's network"),
    ):
        with pytest.raises(UsageError, match=match):
            setup(config, tmp_path / "third", CPU, init=tmp_path / "first/best.safetensors")
    assert not (tmp_path / "third").exists()


def test_blocks_that_the_start_lacks_start_as_the_identity(data, tmp_path):
    """Deeper networks go on from shallower ones, adversarial ones too."""
    first = train(changed(steps=1), tmp_path / "first", data)
    said, shape = [], first.config.network
    deeper = replace(shape, tails=(shape.tails[0] + 2, *shape.tails[1:]))
    losses = LossConfig(adversarial=1.0)
    init = tmp_path / "first/best.safetensors"
    run = setup(changed(network=deeper, losses=losses), tmp_path / "second", CPU, init=init, say=said.append)
    assert said == [f"{init}: lacks 2 blocks, started as the identity"]
    shallower = replace(shape, tails=(0, *shape.tails[1:]))
    with pytest.raises(UsageError, match="tensors of the recipe's network and 8 others"):
        setup(changed(network=shallower, losses=losses), tmp_path / "third", CPU, init=init)
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(run.network(picture), load_checkpoint(init).network()(picture), atol=1e-6)
    added = run.network.tails[0][-1]
    assert added.conv1.weight.any()
    assert not added.conv2.weight.any()


def test_two_processes_train_as_one(photos, data, tmp_path):
    config = changed(steps=12, validate_every=4, optimizer="adam", rate=2e-3)
    alone = train(config, tmp_path / "alone", data)
    write_config(config, tmp_path / "tiny.toml")
    arguments = command(photos, tmp_path / "tiny.toml", "--out", tmp_path / "both", "--device", "cpu")
    done = run_twice(*arguments, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    both = setup(config, tmp_path / "both", CPU)
    for name, weight in alone.network.state_dict().items():
        assert torch.allclose(weight, both.network.state_dict()[name], atol=1e-3), name
    for one, two in zip(log_of(tmp_path / "alone"), log_of(tmp_path / "both"), strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
        assert one["awgn-25"] == pytest.approx(two["awgn-25"], abs=0.002)


def test_a_loss_that_is_not_finite_stops_with_advice_and_keeps_the_good_state(data, tmp_path, monkeypatch):
    train(changed(steps=4), tmp_path / "run", data)
    wrong = {
        "loss": lambda a, b: (a - b).mean() * float("nan"),
        "gradient": lambda a, b: (a - a.detach()).sqrt().mean(),
    }
    for pixel_loss in wrong.values():
        with monkeypatch.context() as patch:
            patch.setattr("hfpie_cli.training.objective.losses.pixel_loss", pixel_loss)
            with pytest.raises(HfpieError, match="is not finite") as caught:
                train(changed(steps=8, save_seconds=0), tmp_path / "run", data)
        assert "--rate" in caught.value.hint
        assert step_of(tmp_path / "run") == 4
        assert all(weight.isfinite().all() for weight in setup(CONFIG, tmp_path / "run", CPU).network.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"network": NetworkConfig(widths=(8, 8, 8), bodies=(1, 1, 1), edges=False)},
        {"network": NetworkConfig(widths=(8, 8, 8), bodies=(1, 1, 1), feature_attention=False)},
        {"losses": LossConfig(gms=True)},
        {"losses": LossConfig(highpass=1.0)},
        {"optimizer": "adam", "rate": 1e-3},
        {"compile": True},
    ],
    ids=["w/o edge", "w/o feature attention", "gms", "highpass", "adam", "compile"],
)
def test_the_ablations_train(changes, data, tmp_path, monkeypatch):
    if changes.get("compile"):
        monkeypatch.setattr(torch, "compile", as_if_compiled)
    run = train(changed(steps=2, **changes), tmp_path / "run", data)
    assert np.isfinite(run.best)
    assert not same_weights(run.network, setup(changed(steps=2, **changes), tmp_path / "fresh", CPU).network)


def as_if_compiled(network, *, dynamic):
    assert dynamic is False, "one graph for all sizes of crops does not compile"
    return torch.nn.Sequential(network)


def test_validations_tell_what_each_part_does(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("hfpie_cli.training.loop.PICTURES_FOR_PARTS", 1)
    monkeypatch.setattr("hfpie_cli.training.log.ALIVE_BY", 2)
    run = setup(changed(steps=2, validate_every=1), tmp_path / "run", CPU)
    torch.nn.init.zeros_(run.network.ups[1][0].weight)
    run.network.ups[1][0].requires_grad_(False)
    run.network.ups[1][0].bias.data.zero_()
    run.average.load_state_dict(run.network.state_dict())
    with RunLog(run.folder, Console(), run.step) as log:
        fit(run, *data.split(), log)
    header, *rows = (tmp_path / "run/parts.csv").read_text().splitlines()
    assert header == "step,name,peak,share,worth"
    names = ["body 1", "body 1/2", "body 1/4", "tail 1", "tail 1/2", "up from 1/2", "up from 1/4"]
    assert [row.split(",")[:2] for row in rows] == [[step, name] for step in "12" for name in names]
    warned = capsys.readouterr().err
    assert "step 1, " not in warned
    assert "warning: step 2, body 1/4: does nothing" in " ".join(warned.split())


def test_validation_scores_what_users_get(data, tmp_path):
    run = setup(changed(steps=1, validation=("awgn-25-8bit", "clean")), tmp_path / "run", CPU)
    torch.nn.init.zeros_(run.average.output[0].weight)
    torch.nn.init.constant_(run.average.output[0].bias, 0.001)  # so slight that the Restorer changes nothing
    held_out = HeldOut(data, 1)
    scores = validate(run, held_out)
    keep_best(run, 0.0)
    restorer = Restorer.from_weights(tmp_path / "run/best.safetensors", device="cpu", precision="fp32")
    for name, shown in scores.items():
        pairs = [held_out.pair(name, number) for number in range(held_out.count(name))]
        assert all(pair.degraded.pixels.dtype == pair.clean.dtype == np.uint8 for pair in pairs)
        sides = [(restorer(pair.degraded.pixels).astype(float), pair.clean.astype(float)) for pair in pairs]
        assert shown == pytest.approx(np.mean([min(psnr(*each), 45) for each in sides]))
    assert scores["awgn-25-8bit"] == pytest.approx(held_out.input_scores(run)["awgn-25-8bit"], abs=1e-9)


@pytest.mark.parametrize(
    ("pictures", "changes", "kept"),
    [
        (40, {}, "1"),
        (PICTURES_TO_CHOOSE, {}, "1"),
        (PICTURES_TO_CHOOSE - 1, {}, "2"),
        (1, {}, "2"),
        (40, {"drawn": 0.1}, "1"),
        (40, {"drawn": 0.6}, "2"),
        (40, {"drawn": 0.9}, "2"),
    ],
)
def test_the_last_weights_are_kept_where_scores_are_no_guide(pictures, changes, kept, tmp_path):
    run = setup(changed(steps=2, **changes), tmp_path / "run", CPU)
    run.pictures = pictures
    for run.step, score in ((1, 30.0), (2, 29.9)):
        keep_best(run, score)
    assert load_checkpoint(tmp_path / "run/best.safetensors").info["steps"] == kept


def test_tensorboard_gets_loss_and_scores(data, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(changed(steps=2), tmp_path / "run", data)
    events = accumulator.EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    assert {"loss", "psnr/awgn-25", "peak/body 1/2", "share/up from 1/4", "worth/tail 1"} <= set(
        events.Tags()["scalars"]
    )
    logged = log_of(tmp_path / "run")[0]["awgn-25"]
    assert events.Scalars("psnr/awgn-25")[0].value == pytest.approx(logged, abs=0.001)


def test_training_without_data_says_what_to_fetch(tmp_path):
    result = CliRunner().invoke(app, ["train", "--task", "deblur", "--data-root", str(tmp_path)])
    assert result.exit_code == 4
    assert "REDS" in result.stderr
    assert "hfpie data pull REDS --train" in result.stderr
    assert "--data FOLDER" in result.stderr


def test_too_few_pictures_begin_no_run(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "one").mkdir()
    first = sorted(photos.iterdir())[0]
    (tmp_path / "one" / first.name).write_bytes(first.read_bytes())
    result = invoke("--data", tmp_path / "one", "--out", tmp_path / "run", "--steps", 1)
    assert result.exit_code == 4
    assert "at least two photographs" in result.stderr
    assert not (tmp_path / "run").exists()


def invoke(*arguments):
    return CliRunner().invoke(app, ["train", "--task", "denoise", *map(str, arguments)])


def test_the_command_trains_and_resumes(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_config(CONFIG, tmp_path / "tiny.toml")
    run = tmp_path / "run"
    common = ["--data", photos, "--out", run, "--recipe", tmp_path / "tiny.toml"]
    first = invoke(*common, "--steps", 2, "--set", "losses.gms=true")
    assert first.exit_code == 0, first.stderr
    assert "gms = true" in (run / "config.toml").read_text()
    assert re.search(r"awgn-25 \d+\.\d\d dB \(input 20\.\d\d\)", first.stderr)
    assert first.stderr.endswith(f"try it: hfpie denoise photo.png --weights {run / 'best.safetensors'}\n")
    assert (
        f"warning: the network is no better than its input yet; to train further: hfpie train --resume {run} --steps N"
        in first.stderr
    )
    assert first.stderr.startswith("training denoise on ")
    assert invoke(*common).exit_code == 2
    (run / "config.toml").rename(tmp_path / "aside.toml")
    assert "already holds a run" in invoke(*common).stderr
    (tmp_path / "aside.toml").rename(run / "config.toml")
    begun = (run / "data.json").read_text()
    (run / "data.json").write_text("{}")
    assert "changed since hfpie wrote it" in CliRunner().invoke(app, ["train", "--resume", str(run)]).stderr
    (run / "data.json").write_text(begun)
    more = CliRunner().invoke(app, ["train", "--resume", str(run), "--steps", "4"])
    assert more.exit_code == 0, more.stderr
    assert "step 4 " in more.stderr
    assert load_config(run / "config.toml").steps == 4
    fewer = CliRunner().invoke(app, ["train", "--resume", str(run), "--steps", "3"])
    assert fewer.exit_code == 2
    assert "has done 4 steps already, more than 3" in fewer.stderr
    assert load_config(run / "config.toml").steps == 4
    (photos / "another.png").write_bytes((photos / "1.png").read_bytes())
    assert "have changed since the run began" in invoke("--resume", run, "--steps", 5).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--resume", "run", "--out", "elsewhere"], "--output is only for new runs"),
        (["--resume", "run", "--recipe", "paper"], "--recipe is only for new runs"),
        (["--resume", "run", "--init", "compact.sr-x4"], "--init is only for new runs"),
        (["--resume", "nowhere"], "no run to resume"),
        (["--degraded", "noisy"], "--degraded and --clean must be used together"),
        (["--gan"], "name its weights with --init"),
        (["--data", ".", "--set", "losses.adversarial=1.0"], "use --gan and --init"),
        (["--data", ".", "--gan", "--init", "compact.denoise", "--recipe", "compact-denoise"], "no adversarial loss"),
    ],
)
def test_options_that_do_not_go_together_are_named(arguments, told):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_task_is_asked_for():
    result = CliRunner().invoke(app, ["train", "--data", "photos"])
    assert result.exit_code == 2
    assert "--task is missing" in result.stderr


def test_pairs_take_the_place_of_degradations_that_do_not_name_them(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_config(changed(steps=1), tmp_path / "tiny.toml")
    pairs = ["--degraded", photos, "--clean", photos]
    done = invoke(*pairs, "--out", tmp_path / "run", "--recipe", tmp_path / "tiny.toml")
    assert done.exit_code == 0, done.stderr
    assert "training on pairs instead of the recipe's awgn-25" in done.stderr
    both = invoke("--data", photos, *pairs, "--out", tmp_path / "both", "--recipe", tmp_path / "tiny.toml")
    assert both.exit_code == 2
    assert "cannot mix them with photographs" in both.stderr
    assert invoke(*pairs[:2]).exit_code == 2
    needs_pairs = invoke("--data", photos, "--out", tmp_path / "other", "--set", "degradation.pairs=1")
    assert needs_pairs.exit_code == 2
    assert "--degraded and --clean" in needs_pairs.stderr


def test_the_progress_line_says_what_goes_on_and_begins_at_the_step_reached(photos, tmp_path):
    write_config(changed(steps=4, validate_every=2), tmp_path / "tiny.toml")
    options = {"columns": 120, "env": environment(tmp_path)}
    told, code = run_on_a_terminal(*command(photos, tmp_path / "tiny.toml", "-o", tmp_path / "run")[2:], **options)
    assert code == 0, told
    for stage in ("decoding", "sorting the pictures by scene", "building the network", "step 0 "):
        assert stage in told, stage
    assert told.count("training denoise") == 1
    assert "6 photographs, 4 steps, cpu fp32" in told
    more, code = run_on_a_terminal("train", "--resume", tmp_path / "run", "--steps", 6, **options)
    assert code == 0, more
    assert f"resuming {tmp_path}/run on cpu" in more
    assert "step 4 " in more
    assert "step 0 " not in more


def test_the_progress_line_names_the_stages_of_a_run(data, tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(RunLog, "doing", lambda log, what: done.append(what.partition(" ")[0]))
    monkeypatch.setattr(RunLog, "moved", lambda log, step, progress: done.append((step, progress)))
    train(changed(steps=2, validate_every=1), tmp_path / "run", data)
    step = [["scoring", "loss"], ["scoring", "loss"]]
    assert done == ["", (0, 0.0), "first", (1, 0.5), *step[0], (2, 1.0), *step[1]]
    done.clear()
    train(changed(steps=0, minutes=0.01), tmp_path / "short", data)
    assert done[0] == "preparing"
    assert done[1][0] == 0
    assert done[-3][1] == pytest.approx(1, abs=0.3)


def test_a_run_s_folder_that_is_a_file_is_told_before_anything_is_decoded(photos, tmp_path):
    (tmp_path / "run").write_text("kept")
    result = invoke("--data", photos, "--out", tmp_path / "run/denoise")
    assert result.exit_code == 2
    assert f"{tmp_path / 'run'}: is a file, not a folder" in result.stderr
    assert "decoding" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--minutes", "0"], "--minutes must be more than 0, not 0"),
        (["--minutes", "-3"], "--minutes must be more than 0, not -3"),
        (["--minutes", "1", "--steps", "5"], "--steps and --minutes both set the length of the run"),
        (["--set", "minutes=0"], "set exactly one of steps and minutes, to more than 0"),
        (["--set", "steps=none"], "steps must be of type int"),
        (["--init", "no.safetensors"], "no.safetensors: no such file"),
        (["--init", "compct.denoise"], "did you mean compact.denoise"),
        (["--recipe", "compct"], "no recipe 'compct'"),
    ],
)
def test_options_are_checked_before_the_run_s_folder(photos, tmp_path, arguments, told):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/log.csv").write_text("kept")
    result = invoke("--data", photos, "--out", tmp_path / "run", *arguments)
    assert result.exit_code in (2, 4)
    assert told in result.stderr
    assert "already holds a run" not in result.stderr


def test_without_data_the_steps_are_numbered(tmp_path):
    first = CliRunner().invoke(app, ["train"]).stderr.splitlines()
    assert first[0] == "hfpie: --task is missing"
    assert [line.strip()[:2] for line in first[1:4]] == ["1.", "2.", "3."]
    assert "hfpie train --task denoise --data FOLDER" in first[2]
    for task, commands in (("denoise", 3), ("deblur", 2)):
        lines = CliRunner().invoke(app, ["train", "--task", task, "--data-root", str(tmp_path)]).stderr.splitlines()
        assert lines[1].strip() == "train on your own photographs:"
        assert [line.strip()[:2] for line in lines[2:4]] == ["1.", "2."]
        assert lines[3].endswith(f"hfpie train --task {task} --data FOLDER")
        assert lines[-1].strip() == f"{commands}. hfpie train --task {task}"
