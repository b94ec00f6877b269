"""A run's progress, by steps or by the clock, which determines its rate, crops, validations and end."""

from __future__ import annotations

import time
from collections import deque
from statistics import fmean
from typing import Protocol

from ..distributed import Ranks
from .config import TrainConfig

CHECK_EVERY = 20  # steps between checks of the loss or of other processes, for which a GPU waits
SLOW = 0.1  # steps of at least so many seconds: asking other processes then costs nothing
LAST_REPORT, REPORTS, SAVES = 0.01, 0.03, 0.01  # shares of a run's time: its last validation, earlier ones, saving
MOST_REPORTS = 40  # number of validations of a run by the clock
MARGIN = 1.5  # factor by which the last validation may take longer than earlier ones
ENDING = 1.0  # seconds that Python needs to start and to end
SAVES_AT_LEAST = 20  # in a run by the clock, if saving is quick


class Budget(Protocol):
    """What a run may use, and what it has used. step: steps done."""

    def progress(self, step: int) -> float:
        """The share of the budget used when `step` steps are done, 0 to 1; also for future steps."""

    def middle(self, step: int) -> float:
        """The progress in the middle of the next step."""

    def is_over(self, step: int) -> bool:
        """Whether no more steps fit."""

    def report_is_due(self, step: int) -> bool:
        """Whether to validate now; all processes agree."""

    def save_is_due(self) -> bool:
        """Whether to save now."""

    def ends_soon(self, step: int) -> bool:
        """Whether to wait for the device after every step, so that the clock is right."""

    def stepped(self, step: int, seconds: float) -> None:
        """Record that a step is done, after `seconds` of the run; called by every process."""

    def rested(self, seconds: float, *, reported: bool, saved: bool) -> None:
        """Record that the work after a step is done."""


class Steps:
    """A number of steps, independent of interruptions, so that a run resumes bit for bit."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._saved = time.monotonic()

    def progress(self, step: int) -> float:
        return step / self._config.steps

    def middle(self, step: int) -> float:
        return (step + 0.5) / self._config.steps

    def is_over(self, step: int) -> bool:
        return step >= self._config.steps

    def report_is_due(self, step: int) -> bool:
        return step % self._config.validate_every == 0

    def save_is_due(self) -> bool:
        return time.monotonic() - self._saved > self._config.save_seconds

    def ends_soon(self, step: int) -> bool:
        return False

    def stepped(self, step: int, seconds: float) -> None:
        return

    def rested(self, seconds: float, *, reported: bool, saved: bool) -> None:
        if saved:
            self._saved = time.monotonic()


class Minutes:
    """A time, whose end is reserved for the last validation and for saving.

    The clock is the leader's. Between checks, all processes assume the same duration of a step, so that they train at
    one rate and end together.
    """

    def __init__(
        self, config: TrainConfig, ranks: Ranks, step: int, seconds: float, *, report_cost: float, save_cost: float
    ) -> None:
        """step, seconds: done so far. report_cost, save_cost: what a validation with its save, and a save, may take."""
        self._total, self._save_seconds, self._ranks = 60 * config.minutes, config.save_seconds, ranks
        self._report_cost, self._save_cost = report_cost, save_cost
        self._durations: deque[float] = deque(maxlen=CHECK_EVERY)
        self._begun = self._reported = self._saved = seconds
        self._step, self._seconds, self._step_seconds, self._report_is_due = step, seconds, 0.0, False
        self._is_first = self._is_unmeasured = True

    @property
    def end(self) -> float:
        """Seconds of the run by which the last step must be done."""
        return max(self._total - MARGIN * self._report_cost - ENDING, 1e-3)

    def progress(self, step: int) -> float:
        return min(self._at(step) / self.end, 1.0)

    def middle(self, step: int) -> float:
        if not self._step_seconds:
            return self.progress(step)
        return min(max(1 - (max(self._fitting(step), 1) - 0.5) * self._step_seconds / self.end, 0.0), 1.0)

    def is_over(self, step: int) -> bool:
        return self._fitting(step) < 1

    def report_is_due(self, step: int) -> bool:
        return self._report_is_due and step == self._step

    def save_is_due(self) -> bool:
        spacing = max(self._save_cost / SAVES, min(self._save_seconds, self._total / SAVES_AT_LEAST))
        return self._begun - self._saved > spacing

    def ends_soon(self, step: int) -> bool:
        return self._fitting(step) <= CHECK_EVERY

    def stepped(self, step: int, seconds: float) -> None:
        self._note(seconds - self._begun)
        self._begun = seconds
        rarely = self._ranks.count > 1 and 0 < self._step_seconds < SLOW and not self.ends_soon(step)
        if not rarely or step % CHECK_EVERY == 0:
            self._look(step, seconds)

    def rested(self, seconds: float, *, reported: bool, saved: bool) -> None:
        cost, self._begun = seconds - self._begun, seconds
        if reported:
            self._report_cost = cost if self._is_unmeasured else max(cost, (cost + self._report_cost) / 2)
            self._reported, self._is_unmeasured = seconds, False
            self._look(self._step, seconds)
        elif saved:
            self._save_cost = max(cost, (cost + self._save_cost) / 2)
        if saved:
            self._saved = seconds

    def _note(self, duration: float) -> None:
        """Record a step's duration; the first one, which includes compiling, counts only until there is another."""
        if self._is_first:
            self._is_first = False
            self._duration = duration
            return
        self._durations.append(duration)
        self._duration = fmean(self._durations)

    def _look(self, step: int, seconds: float) -> None:
        """Adopt the leader's clock."""
        spacing = max(self._report_cost / REPORTS, self._total / MOST_REPORTS)
        due = seconds - self._reported >= spacing and self.end - seconds >= spacing / 2
        self._seconds, self._step_seconds, self._report_is_due, self._report_cost = self._ranks.gather(
            (seconds, self._duration, due, self._report_cost)
        )[0]
        self._step = step

    def _at(self, step: int) -> float:
        """Estimated seconds of the run when `step` steps are done."""
        return self._seconds + (step - self._step) * self._step_seconds

    def _fitting(self, step: int) -> int:
        """Number of steps that fit after `step` steps."""
        left = self.end - self._at(step)
        return int(left / self._step_seconds) if self._step_seconds else int(left > 0)
