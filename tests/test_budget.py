"""A run's length, in steps or by the clock, and the rates, crops and validations that depend on it."""

import os
import signal
import subprocess
import sys
import time
from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.console import Console
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.distributed import Ranks
from hfpie_cli.errors import UsageError
from hfpie_cli.training import loop, validation
from hfpie_cli.training.budget import LAST_REPORT, REPORTS, Minutes, Steps
from hfpie_cli.training.config import Finish, load_config, write_config
from hfpie_cli.training.log import RunLog
from hfpie_cli.training.loop import fit
from hfpie_cli.training.run import chooses, keep_best, save_state, setup

from .conftest import run_twice
from .test_train import CONFIG, CPU, changed, command, environment, log_of, train


def by_the_clock(minutes, **changes):
    return changed(steps=0, minutes=minutes, **changes)


def played(minutes, step_seconds, *, report=2.0, save=0.1, seconds=0.0, ranks=None):
    """A run on a clock of its own: (seconds at its end, seconds of upkeep, rates of its steps, crops of its steps)."""
    config = by_the_clock(minutes, rate=1.0, warmup_share=0.1, decay_share=0.2, finish=Finish(0.1, 64, 2))
    budget = Minutes(config, ranks or Ranks(), 0, seconds, report_cost=report, save_cost=save)
    upkeep, rates, crops, step = 0.0, [], [], 0
    while True:
        rates.append(config.rate_at(budget.middle(step), step))
        crops.append(config.crops_at(budget.progress(step))[0])
        seconds += step_seconds(step)
        step += 1
        budget.stepped(step, seconds)
        last = budget.is_over(step)
        reported, saved = last or budget.report_is_due(step), budget.save_is_due()
        spent = report if reported else save if saved else 0.0
        seconds, upkeep = seconds + spent, upkeep + spent
        budget.rested(seconds, reported=reported, saved=reported or saved)
        if last:
            return seconds, upkeep, rates, crops


PACES = {
    "quick": lambda step: 0.02,
    "slow": lambda step: 0.9,
    "compiled": lambda step: 20.0 if step == 0 else 0.1,
    "uneven": lambda step: 0.2 + 0.1 * (step % 3),
    "slower at the end": lambda step: 0.1 if step < 1500 else 0.3,
}


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
def test_a_run_by_the_clock_rises_stays_falls_to_zero_and_ends_in_time(pace):
    seconds, upkeep, rates, crops = played(4, pace)
    assert 0.96 * 240 < seconds < 240
    assert upkeep <= 0.05 * 240
    assert max(rates) == 1.0
    assert rates[-1] < 0.03
    assert sum(rate == 1.0 for rate in rates) == pytest.approx(0.7 * len(rates), rel=0.35)
    falling = rates[-len(rates) // 20 :]
    assert all(after < before + 0.02 for before, after in pairwise(falling))
    assert (crops[0], crops[-1]) == (32, 64)


def test_a_run_is_validated_on_the_way_however_dear_its_pictures_are():
    estimate = LAST_REPORT * 60 * 80  # of as many pictures as may be
    for cost in (estimate, estimate / 2):
        config = by_the_clock(80)
        budget, seconds, reports = Minutes(config, Ranks(), 0, 60.0, report_cost=estimate, save_cost=0.1), 60.0, []
        for step in count(1):
            seconds += 0.5
            budget.stepped(step, seconds)
            reported = budget.is_over(step) or budget.report_is_due(step)
            seconds += cost if reported else 0.0
            reports += [seconds] if reported else []
            if budget.is_over(step):
                break
            budget.rested(seconds, reported=reported, saved=reported)
        assert 3 <= len(reports) <= 1 + REPORTS * 80 * 60 / cost
        assert reports[0] < 0.4 * 80 * 60
        assert len(reports) * cost <= (LAST_REPORT + REPORTS) * 80 * 60
        assert seconds < 80 * 60


def test_a_run_that_goes_on_has_the_minutes_that_are_left():
    seconds, _, rates, _ = played(4, PACES["slow"], seconds=120.0)
    assert 230 < seconds < 240
    assert 100 < len(rates) < 120 / 0.9
    assert rates[0] == 1.0  # warm already


def test_processes_follow_the_leader_and_seldom_ask(monkeypatch):
    asked = []
    monkeypatch.setattr(Ranks, "gather", lambda self, mine: asked.append(mine) or [mine, None])
    seconds, _, rates, _ = played(4, PACES["quick"], ranks=Ranks(0, 2, 0))
    assert seconds < 240
    assert rates[-1] < 0.03
    assert len(asked) < len(rates) / 10


def test_steps_are_counted():
    config = changed(steps=10, validate_every=4)
    budget = Steps(config)
    assert [budget.progress(step) for step in (0, 5, 10)] == [0, 0.5, 1]
    assert [step for step in range(11) if budget.report_is_due(step)] == [0, 4, 8]
    assert not budget.is_over(9)
    assert budget.is_over(10)


def test_a_run_has_steps_or_minutes(tmp_path):
    write_config(CONFIG, tmp_path / "steps.toml")
    config = load_config(tmp_path / "steps.toml", ["minutes=2.5"])
    assert (config.steps, config.minutes) == (0, 2.5)
    write_config(config, tmp_path / "minutes.toml")
    assert "steps" not in (tmp_path / "minutes.toml").read_text()
    assert load_config(tmp_path / "minutes.toml") == config
    assert load_config(tmp_path / "minutes.toml", ["steps=7"]).minutes == 0
    for changes in (["steps=7", "minutes=1"], ["steps=0"], ["minutes=0"]):
        with pytest.raises(UsageError, match="exactly one of steps and minutes"):
            load_config(tmp_path / "steps.toml", changes)


def test_a_run_stopped_at_half_time_trains_the_other_half(data, tmp_path, monkeypatch):
    for module in (loop, validation):  # a clock that stands still while other programs run
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.process_time))
    config, folder = by_the_clock(0.1, decay_share=0.3), tmp_path / "run"
    steps = loop.train_step

    def stopped_at_half_time(run, *arguments):
        if run.seconds > 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return steps(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", stopped_at_half_time)
        with pytest.raises(KeyboardInterrupt):
            train(config, folder, data)
    half = setup(config, folder, CPU)
    assert not half.is_done
    assert 3 < half.seconds < 4
    run = train(config, folder, data)
    assert run.is_done
    assert 1.2 * half.step < run.step
    assert 4.4 < run.seconds < 7
    assert max(group["lr"] for optimizer in run.optimizers for group in optimizer.param_groups) < 0.2 * config.rate
    assert log_of(folder)[-1]["step"] == run.step
    assert (folder / "best.safetensors").exists()
    assert setup(config, folder, CPU).is_done
    assert not setup(by_the_clock(0.2), folder, CPU).is_done
    with pytest.raises(UsageError, match=r"has trained for 0\.1 minutes already, more than 0\.05"):
        setup(by_the_clock(0.05), folder, CPU)


def test_the_command_ends_within_its_minutes(photos, tmp_path):
    write_config(CONFIG, tmp_path / "tiny.toml")
    arguments = command(
        photos, tmp_path / "tiny.toml", "--out", tmp_path / "run", "--device", "cpu", "--minutes", "0.1"
    )
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert "a resumed run uses the minutes left" in done.stderr
    again = CliRunner().invoke(app, ["train", "--resume", str(tmp_path / "run")])
    assert (
        f"0.1 minutes done, nothing left to do; to train further: hfpie train --resume {tmp_path / 'run'} --minutes M"
        in again.stderr
    )


def test_two_processes_end_together(photos, tmp_path):
    write_config(CONFIG, tmp_path / "tiny.toml")
    arguments = command(
        photos, tmp_path / "tiny.toml", "--out", tmp_path / "run", "--device", "cpu", "--minutes", "0.1"
    )
    done = run_twice(*arguments, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    run = setup(load_config(tmp_path / "run/config.toml"), tmp_path / "run", CPU)
    assert run.is_done


def test_a_short_run_says_how_few_pictures_it_scores(data, tmp_path, capsys):
    for config in (by_the_clock(0.02), changed(steps=1)):
        run = setup(config, tmp_path / config.length, CPU)
        with RunLog(run.folder, Console(), run.step) as log:
            fit(run, data, data, log)
    assert capsys.readouterr().err.count("validations score 1 of 6 held-out pictures: the run is too short") == 1


@pytest.mark.parametrize("pairs", [0, 12])
def test_six_pictures_are_too_few_to_choose_by(pairs, data, tmp_path, capsys):
    run = fitted(changed(steps=1), tmp_path / "run", many(data, 6, pairs))
    assert run.pictures == 6
    assert not chooses(run)
    told = "validations score 6 held-out pictures, too few to choose the weights; the last weights are kept"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("validation", [("pairs",), ("pairs", "awgn-25")])
def test_pairs_are_counted_where_they_are_scored(validation, data, tmp_path, capsys):
    run = fitted(changed(steps=1, validation=validation), tmp_path / "run", many(data, 6, 12))
    assert run.pictures == 12
    assert chooses(run)
    assert "validations score" not in capsys.readouterr().err


def test_a_resumed_run_counts_what_is_there_and_keeps_its_best(data, tmp_path):
    """Older states say 40, whatever was there."""
    run = setup(changed(steps=1), tmp_path / "run", CPU)
    run.pictures = 40
    keep_best(run, 99.0)
    save_state(run)
    run = fitted(changed(steps=1), tmp_path / "run", many(data, 12))
    assert (run.pictures, run.best) == (12, 99.0)


def many(data, photographs, pairs=0):
    """As many held-out pictures, those of a small set again and again."""
    photos, paired = ([number % len(data.photos) for number in range(count)] for count in (photographs, pairs))
    return TrainingSet(data.photos.pick(photos), paired=data.photos.pick(paired), degraded=data.photos.pick(paired))


def fitted(config, folder, held_out):
    """A run that has scored these pictures."""
    run = setup(config, folder, CPU)
    with RunLog(run.folder, Console(), run.step) as log:
        fit(run, many(held_out, 6), held_out, log)
    return run


@pytest.mark.parametrize(("before", "after"), [(7, 40), (10, 10), (30, 30), (60, 40)])
def test_a_longer_run_scores_enough_pictures_to_choose_by(before, after, data, tmp_path, monkeypatch):
    """A resumed one goes on with the pictures that it has scored, unless they were too few."""
    monkeypatch.setattr(loop, "seconds_a_picture", lambda run, held_out: 0.01)
    run = setup(by_the_clock(600), tmp_path / "run", CPU)
    run.pictures = before
    with RunLog(run.folder, Console(), run.step) as log:
        monkeypatch.setattr(loop, "batches", lambda *arguments: [])
        fit(run, data, many(data, 40), log)
    assert run.pictures == after
