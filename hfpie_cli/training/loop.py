"""Training: `fit` a run to its end with `train_step`, validating and saving on the way.

    RUN/config.toml   the resolved configuration        RUN/state.pt            weights, EMA, optimisers, step
    RUN/log.csv       one line per validation           RUN/best.safetensors    the best, or the last, EMA weights
    RUN/samples/      pictures of each validation       RUN/tensorboard/        if TensorBoard is installed

A sample depends only on (seed, step, index), so that resuming needs only the step, and a process only its indices.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..data.training_set import TrainingSet
from ..errors import HfpieError
from ..interruption import Interruption, stop_by
from .budget import CHECK_EVERY, LAST_REPORT, REPORTS, Budget, Minutes, Steps
from .gan import adversarial_step
from .graphs import CudaRecorder, Losses, Recorded, Work
from .loading import batches
from .log import RunLog
from .objective import Restoration
from .run import PICTURES_TO_CHOOSE, Run, chooses, keep_best, save_state
from .validation import PARTS_PICTURES, PARTS_SCORES, HeldOut, parts, samples, seconds_a_picture, validate

REPORTS_WANTED = 5  # least number of validations before the last, if they can score enough pictures
ENOUGH_PICTURES = 4
PICTURES_FOR_PARTS = 10  # pictures; a validation that has time to score so many has time to measure the parts

Item = TypeVar("Item")


def fit(run: Run, training: TrainingSet, held_out: TrainingSet, log: RunLog) -> None:
    """Train to the end of the run, validating and saving on the way.

    Raises HfpieError when the loss is not finite. When interrupted (SIGINT, SIGTERM, SIGHUP), it finishes the step,
    saves, and raises KeyboardInterrupt, for the last two Stopped.
    """
    pace = Pace(run)
    log.doing("preparing held-out pictures" if run.config.minutes else "")
    pairs = HeldOut(held_out, run.config.scale, shrunk=run.config.shrunk > 0)
    there = pairs.most(run.config.validation)
    budget, scored, has_time = _begin(run, pairs, there, pace)
    log.scored(run.pictures, there, chooses=chooses(run))
    log.moved(run.step, budget.progress(run.step))
    log.doing("first step")
    gradients = chosen_gradients(run)
    with Interruption() as interruption:
        for degraded, clean in pace.waiting_for(batches(run, training, budget)):
            rate = run.config.rate_at(budget.middle(run.step), run.step)
            pace.count(*train_step(run, gradients, degraded, clean, rate), clean)
            run.step += 1
            if run.step % CHECK_EVERY == 0:
                log.step(pace.loss(), pace.pixels_per_second(), pace.waiting())
            elif budget.ends_soon(run.step):
                run.device.wait()
            budget.stepped(run.step, pace.seconds())
            log.moved(run.step, budget.progress(run.step))
            last = budget.is_over(run.step)
            stop = 0 if last else _agreed(interruption, run)
            reported = last or budget.report_is_due(run.step)
            if reported:
                _report(run, scored, pace, log, worth=has_time)
            run.minutes_done = run.config.minutes if last else run.minutes_done
            saved = run.ranks.leads and (reported or stop > 0 or budget.save_is_due())
            if saved:
                pace.check()  # a state that is not finite is not saved
                save_state(run)
            budget.rested(pace.seconds(), reported=reported, saved=saved)
            if stop:
                raise stop_by(stop)
            if last:
                return


def _begin(run: Run, held_out: HeldOut, there: int, pace: Pace) -> tuple[Budget, HeldOut, bool]:
    """(the run's budget, those of the `there` held-out pictures that each validation has time to score, and whether
    it has time to score each part of the network)."""
    pictures, seconds, saving, has_time = there, 0.0, 0.0, True
    before = min(run.pictures, there)
    if run.config.minutes:
        seconds = seconds_a_picture(run, held_out)
        if run.ranks.leads:
            started = time.monotonic()
            save_state(run)
            saving = time.monotonic() - started
        saving = run.ranks.gather(saving)[0]
        once = 3 * seconds / (60 * run.config.minutes)  # a picture's share of the run, including samples and parts
        last = LAST_REPORT / once - saving / seconds / 3
        affordable = max(int(min(last, max(REPORTS / REPORTS_WANTED / once, ENOUGH_PICTURES))), 1)
        pictures, has_time = min(affordable, there), affordable >= PICTURES_FOR_PARTS
        choose_at_last = before < PICTURES_TO_CHOOSE <= pictures
        if 0 < before <= 2 * pictures and not choose_at_last:
            pictures = before
    if before not in (0, pictures):
        run.best = float("-inf")  # of other pictures
    run.pictures = pictures
    if not run.config.minutes:
        return Steps(run.config), held_out, has_time
    examined = PARTS_PICTURES * (PARTS_SCORES if has_time else 1)
    report = (2 * pictures + examined) * seconds + saving
    budget = Minutes(run.config, run.ranks, run.step, pace.seconds(), report_cost=report, save_cost=saving)
    return budget, held_out.thinned(pictures), has_time


def chosen_gradients(run: Run) -> Work:
    """How this run computes its gradients: recorded on one GPU, step by step elsewhere."""

    def compute(degraded: Tensor, clean: Tensor, step: Tensor) -> Losses:
        """(loss, norm of its gradient before it is clipped); leaves the gradients in the network."""
        with run.device.autocast():
            restored = run.trained(degraded)
        if run.adversaries and isinstance(run.objective, Restoration):
            loss = adversarial_step(run.objective, run.adversaries, restored.float(), clean, step)
        else:
            loss = run.objective.loss(restored.float(), clean, step)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(run.network.parameters(), run.config.clip or math.inf)
        return loss.detach(), norm

    on_one_gpu = run.device.torch_device.type == "cuda" and run.ranks.count == 1
    if not on_one_gpu or run.config.compile or not isinstance(run.objective, Restoration):
        return compute
    return Recorded(compute, run.network.parameters(), CudaRecorder())


def train_step(run: Run, gradients: Work, degraded: Tensor, clean: Tensor, rate: float) -> Losses:
    """One step of optimisation on a batch: (loss, norm of its gradient before it is clipped)."""
    losses = gradients(degraded, clean, torch.full((), run.step, device=degraded.device))
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        optimizer.step()
        optimizer.zero_grad()
    decay = min(run.config.ema, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        torch._foreach_lerp_(list(run.average.parameters()), list(run.network.parameters()), 1 - decay)
    return losses


class Pace:
    """Loss and speed since the last validation, and the total time of the run, kept in `run.seconds`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._started = time.monotonic() - run.seconds
        self.restart()

    def seconds(self) -> float:
        """Time that the run has taken so far."""
        self._run.seconds = time.monotonic() - self._started
        return self._run.seconds

    def restart(self) -> None:
        """Reset the counters."""
        self._sums: Tensor | None = None  # of the losses and of the gradients' norms, where they were computed
        self._steps, self._pixels, self._waited, self._since = 0, 0, 0.0, time.monotonic()

    def waiting_for(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, and record the time spent waiting for them."""
        iterator, asked = iter(items), time.monotonic()
        for item in iterator:
            self._waited += time.monotonic() - asked
            yield item
            asked = time.monotonic()

    def count(self, loss: Tensor, norm: Tensor, clean: Tensor) -> None:
        """Count a step."""
        both = torch.stack([loss, norm])
        self._sums = both if self._sums is None else self._sums + both
        self._steps += 1
        self._pixels += clean.shape[0] * clean.shape[2] * clean.shape[3] * self._run.ranks.count

    def loss(self) -> float:
        """The mean loss of all processes, all called at the same step. Raises HfpieError as `check` does."""
        self.check()
        assert self._sums is not None
        return float(self._run.ranks.total(self._sums[0] / self._steps) / self._run.ranks.count)

    def check(self) -> None:
        """Raises HfpieError if a loss or a gradient was not finite, because then the weights are not either."""
        if self._sums is not None and not bool(self._sums.isfinite().all()):
            raise HfpieError(
                f"{self._run.folder}: the loss or its gradient is not finite (step {self._run.step})",
                f"resume from the last saved state with --resume {self._run.folder} and a lower --rate, "
                "--precision fp32, or a stronger --set clip=0.1",
            )

    def waiting(self) -> float:
        """Share of the time that steps have waited for batches, 0 to 1."""
        return self._waited / max(time.monotonic() - self._since, 1e-6)

    def pixels_per_second(self) -> float:
        """Clean pixels per second, over all processes."""
        return self._pixels / max(time.monotonic() - self._since, 1e-6)


def _agreed(interruption: Interruption, run: Run) -> int:
    """The signal by which to stop now, 0 to go on; processes agree on it at intervals."""
    if run.ranks.count == 1:
        return interruption.number
    return 0 if run.step % CHECK_EVERY else max(run.ranks.gather(interruption.number))


def _report(run: Run, held_out: HeldOut, pace: Pace, log: RunLog, *, worth: bool) -> None:
    loss, speed, waiting = (
        pace.loss(),
        pace.pixels_per_second(),
        pace.waiting(),
    )  # the loss waits for the device
    log.doing("scoring held-out pictures")
    scores = validate(run, held_out)
    if run.ranks.leads:
        hours = pace.seconds() / 3600
        log.report(run.step, hours, loss, scores, inputs=held_out.input_scores(run), waiting=waiting, speed=speed)
        log.sample(run.step, samples(run, held_out))
        log.parts(run.step, parts(run, held_out, worth=worth))
        keep_best(run, sum(scores.values()) / len(scores))
    pace.restart()
