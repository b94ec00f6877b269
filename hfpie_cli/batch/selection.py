"""Decides whether to restore a file, before the run and again just before reading it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import HfpieError, UsageError
from ..jobs import Job, Naming
from .journal import Entry, Journals, Stamp

EXISTS = "output already exists"
DONE = "already done"
ELSEWHERE = "another process has restored it or is restoring it"
EDITED = "output was changed after hfpie wrote it; use --overwrite to replace it"
RESTORED_IN_PLACE = "already restored in place with other settings"


@dataclass(frozen=True)
class Selector:
    """Decides which files to restore, by the command line and the journals."""

    naming: Naming
    """How outputs are named."""
    journals: Journals
    """Journals of the output folders."""
    settings: str
    """Hash of everything that decides the outputs' content."""

    def split(self, jobs: Sequence[Job]) -> tuple[list[Job], list[tuple[Job, str]]]:
        """(jobs to do, those to skip and why). Raises UsageError if one would replace a file that is not hfpie's."""
        wanted: list[Job] = []
        skipped: list[tuple[Job, str]] = []
        strangers: list[Path] = []
        for job in jobs:
            try:
                reason = self.reason_to_skip(job)
            except FileExistsError:
                strangers.append(Path(str(job.target)))
                continue
            if reason:
                skipped.append((job, reason))
            else:
                wanted.append(job)
        if strangers:
            whose = ", and no journal lists it as an hfpie output" if self.naming.resume else ""
            others = f", and {len(strangers) - 1} more" if len(strangers) > 1 else ""
            hint = "use --overwrite to replace existing files or --skip-existing to keep them"
            raise UsageError(f"{strangers[0]}: already exists{whose}{others}", hint)
        return wanted, skipped

    def claim(self, job: Job) -> str:
        """Claim a job. Returns the reason to skip it, without a claim, or an empty text.

        Raises HfpieError if its output has appeared in the meantime.
        """
        if job.target is None:
            return ""
        journal = self.journals.of(job.target)
        if not journal.claim(job.target):
            return ELSEWHERE
        try:
            journal.refresh()
            reason = self.reason_to_skip(job)
        except FileExistsError:
            journal.release(job.target)
            raise HfpieError(f"{job.target}: already exists", "use --overwrite to replace it") from None
        except BaseException:
            journal.release(job.target)
            raise
        if reason:
            journal.release(job.target)
        return reason

    def release(self, job: Job) -> None:
        """End a claim."""
        if job.target is not None:
            self.journals.of(job.target).release(job.target)

    def replaces(self, job: Job) -> bool:
        """Whether the job may replace an existing file."""
        return self.naming.in_place or self.naming.overwrite or (job.target is not None and os.path.lexists(job.target))

    def reason_to_skip(self, job: Job) -> str:
        """The reason to skip a job, or "". Raises FileExistsError if it would replace a file that is not hfpie's."""
        if job.target is None:
            return ""
        journal, target, naming = self.journals.of(job.target), job.target, self.naming
        entry = journal.find(target)
        ours = entry if entry is not None and entry.is_at(target) else None
        is_new = naming.keeps_outputs or journal.is_fresh(target)  # planning refuses older ones
        if ours and (reason := self._made_before(job, ours, is_new=is_new)):
            return reason
        if naming.in_place or naming.overwrite or not os.path.lexists(target):
            return ""
        if not naming.resume and not naming.skip_existing:
            raise FileExistsError(target)
        if is_empty(target):
            return ""
        if naming.skip_existing:
            return EXISTS
        if entry is None:
            raise FileExistsError(target)
        from ..photos.contents import is_readable

        return "" if ours or not is_readable(target) else EDITED

    def _made_before(self, job: Job, entry: Entry, *, is_new: bool) -> str:
        """The reason to skip a job whose output is as hfpie wrote it. is_new: written since this run began."""
        if (self.naming.resume or is_new) and self._is_made_so(job, entry):
            return ELSEWHERE if is_new else DONE
        return RESTORED_IN_PLACE if self.naming.in_place and self.naming.resume else ""

    def _is_made_so(self, job: Job, entry: Entry) -> bool:
        """Whether an entry's file was made from this job's unchanged input with these settings."""
        if entry.settings != self.settings or job.source is None:
            return False
        if self.naming.in_place:  # the input is what was written
            return True
        return Path(entry.source).name == job.source.name and entry.source_stamp == Stamp.of(job.source)


def is_empty(path: Path) -> bool:
    """Whether an existing file has no bytes."""
    return path.is_file() and path.stat().st_size == 0
