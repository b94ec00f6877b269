"""Counts the results of a run: planned = done + skipped + failed. Unchanged files count as done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..console import Console
from ..errors import ExitCode, HfpieError
from ..jobs import Job
from ..shown import counted


@dataclass
class Tally:
    """Counts of a run; `plus` adds those of other processes."""

    planned: int
    """Jobs of the run."""
    verb: str
    """Past participle of the task, for messages."""
    resumable: bool = False
    """Whether --resume can continue the run."""
    done: int = 0
    """Jobs that were done."""
    unchanged: int = 0
    """Done jobs that had nothing to restore."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Skipped jobs, by reason."""
    failed: list[str] = field(default_factory=list)
    """Inputs that failed."""
    first_code: ExitCode = ExitCode.FAILED
    """Exit code of the first that failed."""

    def fail(self, name: str, error: HfpieError) -> None:
        """Count a file that failed."""
        if not self.failed:
            self.first_code = error.code
        self.failed.append(name)

    @property
    def missing(self) -> int:
        """Jobs not yet done."""
        return self.planned - self.done - self.skipped.total() - len(self.failed)

    @property
    def code(self) -> ExitCode:
        """Exit code of the process."""
        if not self.failed:
            return ExitCode.OK
        return ExitCode.SOME_FAILED if self.planned > 1 else self.first_code

    def plus(self, other: Tally) -> Tally:
        """The sum of two."""
        return Tally(
            self.planned + other.planned,
            self.verb,
            self.resumable,
            self.done + other.done,
            self.unchanged + other.unchanged,
            self.skipped + other.skipped,
            self.failed + other.failed,
            self.first_code if self.failed else other.first_code,
        )

    def report(self, console: Console) -> None:
        """Report the end of a run, unless it has a single file, which was reported."""
        for reason, count in sorted(self.skipped.items()):
            console.say(f"skipped {count} of {self.planned}: {reason}")
        if self.planned == 1:
            return
        console.say(f"{counted(self.planned, 'photograph')}: {self.counts()}")
        for name in self.failed:
            console.say(f"failed: {name}")
        console.result({"summary": self.record()})

    def report_interrupted(self, console: Console) -> None:
        """The same for a run that was interrupted, and how to continue it."""
        if self.planned > 1:
            console.say(f"{counted(self.planned, 'photograph')}: {self.counts()}, {self.missing} to do")
        if self.resumable:
            console.say("continue with the same command and --resume")
        if self.planned == 1:
            return
        console.result({"summary": {**self.record(), "interrupted": True}})

    def counts(self) -> str:
        """In words."""
        unchanged = f"{self.unchanged} unchanged, " if self.unchanged else ""
        restored = self.done - self.unchanged
        return f"{restored} {self.verb}, {unchanged}{self.skipped.total()} skipped, {len(self.failed)} failed"

    def record(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "planned": self.planned,
            "done": self.done,
            "unchanged": self.unchanged,
            "skipped": self.skipped.total(),
            "failed": len(self.failed),
            "failed_inputs": self.failed,
        }


def report_failed(name: str, error: HfpieError, tally: Tally, console: Console) -> None:
    """Count an input that failed and report it."""
    tally.fail(name, error)
    console.error(error)
    console.result({"input": name, "status": "failed", "error": error.message, "hint": error.hint})


def report_skipped(job: Job, reason: str, tally: Tally, console: Console) -> None:
    """Count a skipped file and report it."""
    tally.skipped[reason] += 1
    console.result({"input": job.name, "output": job.output_name, "status": "skipped", "reason": reason})
