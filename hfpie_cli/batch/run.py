"""Through the files of a run: one in, one out, none lost; reading, restoring and writing overlap."""

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

import torch

from ..console import Console
from ..errors import HfpieError
from ..files import atomic_path, sha256_of
from ..outcome import Outcome
from ..photos.contents import Content, first_of, read_content
from ..photos.formats import OutputStyle
from ..photos.gate import read_stream
from ..plan import Job
from ..restore import Restorer
from .amount import Amount
from .content import Done, Place, checked, count_of, megapixels_of, pictures_of, restored, write_into
from .door import Door
from .frames import Averages
from .journal import Entry, Stamp
from .pipeline import Crew, Pipeline, Settled
from .progress import RunProgress, run_progress
from .tally import Tally, tell_failed, tell_skipped

MOST_WORKERS = 4  # photographs that a CPU restores at a time, each with its share of the threads
WAITING = 3  # photographs beyond those: one that is read, two that are written
ROOM = 1 << 30  # bytes of pixels that may be on their way


@dataclass(frozen=True)
class Told:
    """What is said of a file that is done: lines for people, a record for programs.

    changed: False where there was nothing to restore.
    """

    lines: tuple[str, ...]
    record: dict[str, Any]
    changed: bool = True


@dataclass(frozen=True)
class Skipped:
    """Why a file was left as it is."""

    reason: str


Describe = Callable[[Job, Outcome, float], Told]  # the last is seconds
AsError = Callable[[Exception, str], HfpieError]  # the last is the file's name


@dataclass(frozen=True)
class Manner:
    """How files are written and talked about."""

    style: OutputStyle
    describe: Describe
    as_error: AsError
    keep_times: bool = False
    debug: bool = False
    shots: Sequence[Sequence[Job]] = ()  # frames that share their averages
    shared_frames: bool = True  # whether those of an animation do


@dataclass(frozen=True)
class Loaded:
    """What is to be restored. replaces: a file that is there. stamp, read_at: of the source, when it was read."""

    content: Content
    style: OutputStyle
    notes: tuple[str, ...]
    replaces: bool
    stamp: Stamp
    read_at: int
    seconds: float


@dataclass(frozen=True)
class Restored:
    """What is to be written."""

    content: Done
    outcome: Outcome
    loaded: Loaded
    seconds: float


@dataclass
class Stages:
    """What the threads of a run do to a job."""

    restorer: Restorer
    door: Door
    manner: Manner
    progress: RunProgress
    averages: Averages
    check: Callable[[], None] = lambda: None

    def load(self, job: Job) -> Loaded | Settled:
        """Read a photograph whose turn has come."""
        if reason := self.door.enter(job):
            return Settled(Skipped(reason))
        with self._leaving(job):
            started, replaces = time.monotonic(), self.door.replaces(job)
            stamp, read_at = _stamp_of(job)
            scale = self.restorer.out_scale
            content = read_content(job.source or read_stream(sys.stdin.buffer, job.name), job.name)
            style = replace(self.manner.style, format=job.format or content.format)
            notes = checked(content, style, job.target, scale=scale, name=job.name)
            if self.door.naming.in_place and not first_of(content).is_kept_whole(scale):
                message = f"{job.name}: --in-place would lose its embedded preview, gain map or video"
                raise HfpieError(message, "remove --in-place")
            self.progress.start(job, megapixels_of(content))
            return Loaded(content, style, notes, replaces, stamp, read_at, time.monotonic() - started)

    def work(self, job: Job, loaded: Loaded) -> Restored:
        """Restore it."""

        def tell(done: int, total: int) -> None:
            self.check()
            self.progress.tiles(job, done, total)

        with self._leaving(job):
            started = time.monotonic()
            content = loaded.content
            several = count_of(content) > 1
            shared = self.averages.within(lambda: pictures_of(content)) if several else [self.averages.of(job)]
            place = Place(job.target.parent if job.target else None, loaded.style, str(job.target or job.name))
            done, outcome = restored(content, self.restorer, tell, shared, place)
            notes = tuple(dict.fromkeys((*loaded.notes, *outcome.photo.notes)))
            outcome = replace(outcome, photo=replace(outcome.photo, notes=notes))
            return Restored(done, outcome, loaded, loaded.seconds + time.monotonic() - started)

    def save(self, job: Job, done: Restored) -> Told:
        """Write it, its line in the journal first."""
        with self._leaving(job):
            started, loaded = time.monotonic(), done.loaded
            if job.target is None:
                self._write_to_stdout(done.content, loaded.style, job.name)
            else:
                self._write(job.target, job, done)
        self.door.leave(job)
        return self.manner.describe(job, done.outcome, done.seconds + time.monotonic() - started)

    def _write_to_stdout(self, content: Done, style: OutputStyle, name: str) -> None:
        whole = io.BytesIO()  # nothing is written of a picture that cannot be encoded
        write_into(whole, content, style, name=name)
        self.check()
        try:
            sys.stdout.buffer.write(whole.getbuffer())
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # ends the run
            raise
        except OSError as error:
            raise HfpieError(f"standard output: cannot write it ({error.strerror})") from None

    def _write(self, target: Path, job: Job, done: Restored) -> None:
        journal, loaded = self.door.journals.of(target), done.loaded
        try:
            with atomic_path(target, overwrite=loaded.replaces) as temporary:
                with temporary.open("w+b") as stream:
                    write_into(stream, done.content, loaded.style, name=str(target))
                if self.manner.keep_times and job.source:
                    os.utime(temporary, ns=(loaded.read_at, loaded.stamp.time))
                digest = sha256_of(temporary)
                self.check()
                journal.add(self._entry(job, loaded.stamp, Stamp.of(temporary), digest))
        except OSError as error:
            raise HfpieError(f"{target}: cannot write it ({error.strerror})") from None

    def note_failure(self, job: Job, error: HfpieError) -> None:
        """Its line in the journal."""
        if job.target is not None:
            entry = self._entry(job, _stamp_of(job)[0], None, "", error.message)
            self.door.journals.of(job.target).add(entry)

    def _entry(self, job: Job, stamp: Stamp, result: Stamp | None, digest: str, error: str = "") -> Entry:
        assert job.target is not None
        name = self.door.journals.of(job.target).name(job.target)
        source = str(job.source.absolute()) if job.source else job.name
        return Entry(name, source, stamp, self.door.settings, result, digest, error)

    @contextmanager
    def _leaving(self, job: Job) -> Iterator[None]:
        """Whatever goes wrong in the block, the job is no longer claimed."""
        try:
            yield
        except BaseException:
            self.door.leave(job)
            raise


def restore_all(
    jobs: Sequence[Job],
    amounts: Sequence[Amount],
    restorer: Restorer,
    door: Door,
    manner: Manner,
    *,
    tally: Tally,
    console: Console,
) -> None:
    """Restore the jobs, which are of these amounts, and count what becomes of them; one bad file never stops the rest.

    On Ctrl-C and its like: what is under way is dropped, with its temporary files.
    """
    crew = choose_crew(restorer, amounts)
    pipeline: Pipeline[Job] | None = None
    try:
        with run_progress(console, jobs, amounts) as progress, _threads_each(crew.workers):
            stages = Stages(restorer, door, manner, progress, Averages(restorer, manner.shots, manner.shared_frames))
            pipeline = Pipeline(stages.load, stages.work, stages.save, crew)
            stages.check = pipeline.check
            with closing(pipeline.run(jobs)) as results:
                for job, result in results:
                    progress.finish(job)
                    _settle(job, result, stages, tally, console)
    except KeyboardInterrupt as stop:
        if pipeline and pipeline.lingers:  # in a long computation, which nothing else ends
            with suppress(OSError):  # the terminal may be gone
                tally.tell_interrupted(console)
                sys.stdout.flush()
            os._exit(getattr(stop, "code", 130))
        raise


def choose_crew(restorer: Restorer, amounts: Sequence[Amount]) -> Crew:
    """Several photographs at a time on a CPU, which is faster than several threads on each; one on other devices."""
    largest = max((amount.pixels for amount in amounts), default=0.0) * 3 * (1 + restorer.scale**2)
    room = max(1, int(ROOM / max(largest, 1.0)))
    most = min(MOST_WORKERS, torch.get_num_threads()) if restorer.device.torch_device.type == "cpu" else 1
    workers = max(1, min(most, len(amounts), room))
    return Crew(1, workers, min(2, len(amounts) or 1), max(1, min(workers + WAITING, room)))


@contextmanager
def _threads_each(workers: int) -> Iterator[None]:
    """Within the block each of several workers has its share of torch's threads."""
    before = torch.get_num_threads()
    if workers > 1:
        torch.set_num_threads(max(1, before // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _settle(job: Job, result: Any, stages: Stages, tally: Tally, console: Console) -> None:
    """Count and tell one result."""
    if isinstance(result, Told):
        tally.done += 1
        tally.unchanged += not result.changed
        for line in result.lines:
            console.say(line)
        console.result(result.record)
    elif isinstance(result, Skipped):
        tell_skipped(job, result.reason, tally, console)
    else:
        if stages.manner.debug:
            traceback.print_exception(result)
        error = stages.manner.as_error(result, job.name)
        tell_failed(job.name, error, tally, console)
        try:
            stages.note_failure(job, error)
        except (OSError, HfpieError) as problem:
            console.say(f"{job.name}: not recorded in the journal ({problem})")


def _stamp_of(job: Job) -> tuple[Stamp, int]:
    """(of the source, when it was read last), nothing of what is not there."""
    try:
        status = job.source.stat() if job.source else None
    except OSError:
        status = None
    return (Stamp(status.st_size, status.st_mtime_ns), status.st_atime_ns) if status else (Stamp(0, 0), 0)
