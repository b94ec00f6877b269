"""Restores the files of a run: reading, restoring and writing overlap, and every file gets its result."""

from __future__ import annotations

import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..console import Console
from ..errors import HfpieError
from ..files import atomic_path, sha256_of
from ..jobs import Job
from ..outcome import Outcome
from ..photos.contents import Content, first_of, read_content
from ..photos.film_parts import Kept
from ..photos.formats import OutputStyle
from ..photos.gate import read_stream
from ..restore import Restorer
from ..streams import threads_each
from .amount import Amount
from .content import Destination, Done, checked, clear, megapixels_of, noted, restored, write_into
from .crew import choose_crew
from .frames import Averages
from .journal import Entry, Stamp
from .pipeline import Pipeline, Settled
from .progress import RunProgress, run_progress
from .selection import Selector
from .tally import Tally, report_failed, report_skipped


@dataclass(frozen=True)
class Report:
    """Report of a finished file."""

    lines: tuple[str, ...]
    """Lines for people."""
    record: dict[str, Any]
    """JSON record for programs."""
    changed: bool = True
    """False if there was nothing to restore."""


@dataclass(frozen=True)
class Skipped:
    """A file that was skipped."""

    reason: str
    """Why, for the summary."""


Describe = Callable[[Job, Outcome, float], Report]  # the last is seconds
AsError = Callable[[Exception, str], HfpieError]  # the last is the file's name


@dataclass(frozen=True)
class Handling:
    """How files are written and reported."""

    style: OutputStyle
    """How outputs are encoded."""
    describe: Describe
    """Makes the report of a finished file."""
    as_error: AsError
    """Turns any exception into an HfpieError."""
    keep_times: bool = False
    """Whether outputs get the timestamps of their inputs."""
    debug: bool = False
    """Whether to print tracebacks."""
    shots: Sequence[Sequence[Job]] = ()
    """Frames that share their averages."""
    shared_frames: bool = True
    """Whether the frames of an animation share theirs."""


@dataclass(frozen=True)
class Loaded:
    """An input that was read."""

    content: Content
    """The decoded input."""
    style: OutputStyle
    """How its output is encoded."""
    notes: tuple[str, ...]
    """Remarks about the file, for the user."""
    replaces: bool
    """Whether the output replaces a file."""
    stamp: Stamp
    """The input when it was read."""
    read_at: int
    """When it was read, nanoseconds."""
    seconds: float
    """Time that reading took."""


@dataclass(frozen=True)
class Restored:
    """A restored input, ready to be written."""

    content: Done
    """What is written."""
    outcome: Outcome
    """How it was restored."""
    loaded: Loaded
    """The input."""
    seconds: float
    """Time that reading and restoring took."""


@dataclass
class Stages:
    """The three stages that the threads of a run put each job through."""

    restorer: Restorer
    """The network and its settings."""
    selector: Selector
    """Decides which jobs to do."""
    handling: Handling
    """How outputs are written and reported."""
    progress: RunProgress
    """The run's progress bar."""
    averages: Averages
    """What frames of a shot share."""
    check: Callable[[], None] = lambda: None
    """Raises when the run is stopped."""

    def load(self, job: Job) -> Loaded | Settled:
        """Read a photograph."""
        if reason := self.selector.claim(job):
            return Settled(Skipped(reason))
        with self._leaving(job):
            started, replaces = time.monotonic(), self.selector.replaces(job)
            stamp, read_at = _stamp_of(job)
            scale = self.restorer.out_scale
            content = read_content(job.source or read_stream(sys.stdin.buffer, job.name), job.name)
            style = replace(self.handling.style, format=job.format or content.format)
            notes = checked(content, style, job.target, scale=scale, name=job.name)
            if self.selector.naming.in_place and not first_of(content).is_kept_whole(scale):
                message = f"{job.name}: --in-place would lose its embedded preview, gain map or video"
                raise HfpieError(message, "remove --in-place")
            self.progress.start(job, megapixels_of(content))
            return Loaded(content, style, notes, replaces, stamp, read_at, time.monotonic() - started)

    def work(self, job: Job, loaded: Loaded) -> Restored:
        """Restore it."""

        def report(done: int, total: int) -> None:
            self.check()
            self.progress.tiles(job, done, total)

        with self._leaving(job):
            started = time.monotonic()
            sharing = self.averages.sharing(job, loaded.content)
            done, outcome = restored(loaded.content, self.restorer, report, sharing, self._destination(job, loaded))
            return Restored(done, noted(outcome, loaded.notes), loaded, loaded.seconds + time.monotonic() - started)

    def _destination(self, job: Job, loaded: Loaded) -> Destination:
        if job.target is None or job.source is None:
            return Destination(None, loaded.style, job.name)
        origin = f"{job.source.name} {loaded.stamp} {self.selector.settings}"
        kept = Kept(job.target, origin, self.selector.naming.resume)
        return Destination(job.target.parent, loaded.style, str(job.target), kept)

    def save(self, job: Job, done: Restored) -> Report:
        """Write it, its line in the journal first."""
        with self._leaving(job):
            started, loaded = time.monotonic(), done.loaded
            if job.target is None:
                self._write_to_stdout(done.content, loaded.style, job.name)
            else:
                self._write(job.target, job, done)
            clear(done.content)
        self.selector.release(job)
        return self.handling.describe(job, done.outcome, done.seconds + time.monotonic() - started)

    def _write_to_stdout(self, content: Done, style: OutputStyle, name: str) -> None:
        whole = io.BytesIO()  # first, so that nothing is written if encoding fails
        write_into(whole, content, style, name=name)
        self.check()
        sys.stdout.buffer.write(whole.getbuffer())
        sys.stdout.buffer.flush()

    def _write(self, target: Path, job: Job, done: Restored) -> None:
        journal, loaded = self.selector.journals.of(target), done.loaded
        try:
            with atomic_path(target, overwrite=loaded.replaces) as temporary:
                with temporary.open("w+b") as stream:
                    write_into(stream, done.content, loaded.style, name=str(target))
                if self.handling.keep_times and job.source:
                    os.utime(temporary, ns=(loaded.read_at, loaded.stamp.time))
                digest = sha256_of(temporary)
                self.check()
                journal.add(self._entry(job, loaded.stamp, Stamp.of(temporary), digest))
        except OSError as error:
            raise HfpieError(f"{target}: cannot write it ({error.strerror})") from None

    def note_failure(self, job: Job, error: HfpieError) -> None:
        """Write its line in the journal."""
        if job.target is not None:
            entry = self._entry(job, _stamp_of(job)[0], None, "", error.message)
            self.selector.journals.of(job.target).add(entry)

    def _entry(self, job: Job, stamp: Stamp, result: Stamp | None, digest: str, error: str = "") -> Entry:
        assert job.target is not None
        name = self.selector.journals.of(job.target).name(job.target)
        source = str(job.source.absolute()) if job.source else job.name
        return Entry(name, source, stamp, self.selector.settings, result, digest, error)

    @contextmanager
    def _leaving(self, job: Job) -> Iterator[None]:
        """Release the job's claim if the block fails."""
        try:
            yield
        except BaseException:
            self.selector.release(job)
            raise


def restore_all(
    jobs: Sequence[Job],
    amounts: Sequence[Amount],
    restorer: Restorer,
    selector: Selector,
    handling: Handling,
    *,
    tally: Tally,
    console: Console,
) -> None:
    """Restore the jobs and count the results; one bad file never stops the rest.

    A signal such as Ctrl-C drops the files in progress, with their temporary files.
    """
    crew = choose_crew(restorer, amounts)
    pipeline: Pipeline[Job] | None = None
    try:
        with run_progress(console, jobs, amounts) as progress, threads_each(crew.workers):
            averages = Averages(restorer, handling.shots, handling.shared_frames)
            stages = Stages(restorer, selector, handling, progress, averages)
            pipeline = Pipeline(stages.load, stages.work, stages.save, crew)
            stages.check = pipeline.check
            with closing(pipeline.run(jobs)) as results:
                for job, result in results:
                    progress.finish(job)
                    _settle(job, result, stages, tally, console)
    except KeyboardInterrupt as stop:
        if pipeline and pipeline.lingers:  # a long computation that cannot be stopped otherwise
            with suppress(OSError, HfpieError):  # the terminal may be gone, standard output full
                tally.report_interrupted(console)
                sys.stdout.flush()
            os._exit(getattr(stop, "code", 130))
        raise


def _settle(job: Job, result: Any, stages: Stages, tally: Tally, console: Console) -> None:
    """Count and report one result."""
    if isinstance(result, Report):
        tally.done += 1
        tally.unchanged += not result.changed
        for line in result.lines:
            console.say(line)
        console.result(result.record)
    elif isinstance(result, Skipped):
        report_skipped(job, result.reason, tally, console)
    else:
        if stages.handling.debug:
            traceback.print_exception(result)
        error = stages.handling.as_error(result, job.name)
        report_failed(job.name, error, tally, console)
        try:
            stages.note_failure(job, error)
        except (OSError, HfpieError) as problem:
            console.say(f"{job.name}: not recorded in the journal ({problem})")


def _stamp_of(job: Job) -> tuple[Stamp, int]:
    """(stamp of the source, time of the last read); zeros for a missing source."""
    try:
        status = job.source.stat() if job.source else None
    except OSError:
        status = None
    return (Stamp(status.st_size, status.st_mtime_ns), status.st_atime_ns) if status else (Stamp(0, 0), 0)
