"""A run's progress, by its steps or by the clock, which decides its rate, crops, validations and end."""

from __future__ import annotations

import time
from collections import deque
from statistics import fmean
from typing import Protocol

from ..distributed import Ranks
from .config import TrainConfig

CHECK_EVERY = 20  # steps between two looks at the loss or at another process, which make a GPU wait
SLOW = 0.1  # seconds of a step beside which asking the other processes costs nothing
LAST_REPORT, REPORTS, SAVES = 0.01, 0.03, 0.01  # of a run's time: its last validation, those before it, saving
MOST_REPORTS = 40  # validations of a run by the clock
MARGIN = 1.5  # that the last validation may take longer than those before it
ENDING = 1.0  # seconds that Python needs to start and to end
SAVES_AT_LEAST = 20  # in a run by the clock, if saving is quick


class Budget(Protocol):
    """What a run may use, and what it has used. `step`: steps done."""

    def progress(self, step: int) -> float:
        """The part of the budget that is used when `step` steps are done, 0 to 1; also of steps to come."""

    def middle(self, step: int) -> float:
        """The progress in the middle of the step that follows."""

    def is_over(self, step: int) -> bool:
        """Whether no further step fits."""

    def report_is_due(self, step: int) -> bool:
        """Whether to validate now; several processes agree."""

    def save_is_due(self) -> bool:
        """Whether to save now."""

    def ends_soon(self, step: int) -> bool:
        """Whether it is time to wait for the device after every step, for the clock to be right."""

    def stepped(self, step: int, seconds: float) -> None:
        """Note that a step is done, after `seconds` of the run; every process does."""

    def rested(self, seconds: float, *, reported: bool, saved: bool) -> None:
        """Note that the work after a step is done too."""


class Steps:
    """A number of steps. It does not depend on interruptions, so that a run resumes bit for bit."""

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
    """A time, the last of which is kept for the last validation and for saving.

    The clock is the leader's. Between two looks at it every process reckons with the same duration of a step, so that
    all of them train at one rate and end together.
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
        """Seconds of the run at which the last step has to be done."""
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
        """Keep a step's duration; the first of all, of compiling and warming up, counts until there is another."""
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
        """How many steps fit in after `step` of them."""
        left = self.end - self._at(step)
        return int(left / self._step_seconds) if self._step_seconds else int(left > 0)
