"""A run of `denoise`, `deblur` or `sr` over its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from ..console import Console
from ..distributed import Ranks
from ..errors import ExitCode, HfpieError, UsageError
from ..files import make_folders, sha256_of, sweep, unfinished_path
from ..hub.client import Hub
from ..jobs import Job, Naming, Plan
from ..lifetime import uncollected
from ..plan import is_film_job
from ..shown import counted
from ..tasks import Task
from ..weights.registry import Weights, resolve
from .announce import announce_large
from .compare import compare_jobs
from .options import as_hfpie_error

if TYPE_CHECKING:
    from ..batch.run import Report
    from ..batch.selection import Selector
    from ..batch.tally import Tally
    from ..outcome import Outcome
    from ..restore import Restorer
    from .restore_options import RestoreOptions


@dataclass(frozen=True)
class FolderRun:
    """A run over planned jobs; this process does its rank's share."""

    task: Task
    """What is done."""
    options: RestoreOptions
    """Command-line options."""
    naming: Naming
    """How outputs are named."""
    default: str
    """Weights used if none are named."""
    here: Weights | None
    """Weights to use; None if they must be downloaded."""
    scale: int
    """Scale of the outputs."""
    heading: str
    """Network and device, in words."""
    console: Console
    """For messages."""
    ranks: Ranks
    """Processes that share the run."""

    def restore(self, plan: Plan) -> int:
        """Restore the jobs that are not skipped. Returns the exit code."""
        from ..batch.tally import Tally

        faults = plan.faults if self.ranks.leads else []
        tally = Tally(len(self.ranks.share(plan.jobs)) + len(faults), self.task.verb, self._keeps_journal(plan))
        try:
            self._restore(plan, tally)
        except KeyboardInterrupt:
            with suppress(OSError, HfpieError):  # the terminal may be gone, standard output full
                tally.report_interrupted(self.console)
            raise
        everyone = self.ranks.gather(tally)
        if not self.ranks.leads:
            return ExitCode.OK
        tally = reduce(Tally.plus, everyone)
        tally.report(self.console)
        if self.options.compare:
            whole = [job for job in plan.jobs if job.name not in tally.failed]
            compare_jobs(self.options.compare, whole, self.options.weights or self.default, self.console)
        return tally.code

    def _restore(self, plan: Plan, tally: Tally) -> None:
        from ..batch.selection import DONE
        from ..batch.tally import report_failed, report_skipped

        for name, fault in plan.faults if self.ranks.leads else []:
            report_failed(name, fault, tally, self.console)
        options = self.options
        weights = self.here or self._download(options.hub())
        settings = self._settings(weights) if self._keeps_journal(plan) else ""
        wanted, skipped = self._sort_out(plan, self.ranks.share(plan.jobs), settings)
        for job, reason in skipped:
            report_skipped(job, reason, tally, self.console)
            if job.target and is_film_job(job) and reason == DONE:
                unfinished_path(job.target).unlink(missing_ok=True)  # of a run that was killed at its very end
        if not wanted:
            return
        if self.ranks.leads:
            self.console.say(self.heading)
        restorer = self._load(weights)
        from ..batch.amount import measure_amounts
        from ..batch.run import Handling, restore_all

        amounts = measure_amounts(wanted)
        announce_large(amounts, restorer, yes=options.yes, console=self.console)
        folders = [job.target.parent for job in wanted if job.target]
        make_folders(folders)
        sweep(set(folders))
        style, shots = options.style(), self._shots(plan)
        describe = partial(self._describe, self._made_with(weights, restorer))
        handling = Handling(
            style, describe, as_hfpie_error, options.keep_times, options.debug, shots, options.frames is not False
        )
        with self._selector(plan, wanted, settings) as selector:
            restore_all(wanted, amounts, restorer, selector, handling, tally=tally, console=self.console)

    def _shots(self, plan: Plan) -> list[list[Job]]:
        """Frames that share their averages; none with --in-place, where they could be measured on restored frames."""
        from ..batch.frames import find_shots, folder_sequences, numbered_sequences

        if self.options.frames is False or self.naming.in_place:
            return []
        sequences = folder_sequences(plan.jobs) if self.options.frames else numbered_sequences(plan.jobs)
        shots = find_shots(sequences)
        if shots and self.ranks.leads:
            found = f"{counted(sum(map(len, shots)), 'frame')} in {counted(len(shots), 'shot')}"
            self.console.say(f"{found}, each shot with its own averages; --no-frames turns this off")
        return shots

    def show(self, plan: Plan) -> int:
        """Print what would be done, and how long it would take; nothing is written.

        Returns the exit code that the files which cannot be read would bring.
        """
        from ..batch.forecast import make_forecast, print_plan
        from ..batch.tally import Tally

        wanted, skipped = self._sort_out(plan, plan.jobs, self._settings(self.here) if self.here else "")
        restorer = self._load(self.here) if self.here and wanted else None
        forecast = make_forecast(wanted, restorer)
        faults = [*plan.faults, *forecast.faults]
        print_plan(forecast, skipped, faults, self.console)
        tally = Tally(len(plan.jobs) + len(plan.faults), self.task.verb)
        for name, fault in faults:
            tally.fail(name, fault)
        return tally.code

    def _keeps_journal(self, plan: Plan) -> bool:
        """Whether --resume can continue the run."""
        film = any(job.target and is_film_job(job) for job in plan.jobs)
        return len(plan.jobs) > 1 or self.naming.resume or film

    def _sort_out(self, plan: Plan, jobs: Sequence[Job], settings: str) -> tuple[list[Job], list[tuple[Job, str]]]:
        """(the jobs to do, those to skip and why), without writing anything."""
        from ..batch.journal import Journals
        from ..batch.selection import Selector

        with closing(Journals.to_look_at(plan.folder)) as journals:
            return Selector(self.naming, journals, settings).split(jobs)

    @contextmanager
    def _selector(self, plan: Plan, jobs: Sequence[Job], settings: str) -> Iterator[Selector]:
        """A selector with the run's journals. Without --resume, a run continues even if it cannot keep a journal."""
        from ..batch.journal import Journals
        from ..batch.selection import Selector

        journals = Journals(plan.folder) if self._keeps_journal(plan) else Journals.of_nothing()
        try:
            for job in jobs:
                if job.target:
                    journals.of(job.target)
        except HfpieError as error:
            journals.close()
            if self.naming.resume:
                raise
            self.console.say(f"{error.message}; --resume cannot continue this run")
            journals = Journals.of_nothing()
        with closing(journals):
            yield Selector(self.naming, journals, settings)

    def _download(self, hub: Hub) -> Weights:
        options = self.options
        return resolve(options.weights or self.default, hub, task=self.task.name, force=options.force)

    def _settings(self, weights: Weights) -> str:
        """A hash of everything that decides the outputs' content, including the weights but not the machine."""
        options = self.options
        keys = ("strength", "tta", "noise", "quality", "strip_metadata", "precision", "tile", "overlap", "frames")
        values = {key: getattr(options, key, None) for key in keys} | {
            "task": self.task.name,
            "scale": self.scale,
            "format": self.naming.format,
            "weights": sha256_of(weights.path),
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def _load(self, weights: Weights) -> Restorer:
        with uncollected():
            import torch

            from ..batch import run  # noqa: F401  # with its imports
            from ..restore import Restorer

        options = self.options
        if options.threads:
            torch.set_num_threads(options.threads)
        restorer = Restorer.from_weights(
            weights,
            device=self.ranks.device(options.device, self._device_kind()),
            precision=options.precision,
            tile=options.tile,
            overlap=options.overlap,
            strength=options.strength,
            tta=options.tta,
            out_scale=self.scale,
            noise=getattr(options, "noise", None),
        )
        if (self.scale == 1) != (restorer.scale == 1) or self.scale > restorer.scale:
            hint = "choose weights made for this task" + (
                f", or --scale {restorer.scale}" if 1 < restorer.scale < self.scale else ""
            )
            raise UsageError(f"{weights.name}: a network of scale {restorer.scale}", hint)
        return restorer

    def _device_kind(self) -> str:
        """Kind of the requested device; only needed with several ranks."""
        if self.ranks.count == 1:
            return ""
        from ..device import choose_device

        return choose_device(self.options.device).torch_device.type

    def _made_with(self, weights: Weights, restorer: Restorer) -> dict[str, Any]:
        """What the restorer runs with, for --json."""
        import torch

        return {
            "weights": weights.name,
            "sha256": sha256_of(weights.path) if self.options.json else "",
            "device": str(restorer.device.torch_device),
            "precision": restorer.device.precision,
            "threads": torch.get_num_threads(),
        }

    def _describe(self, made_with: dict[str, Any], job: Job, outcome: Outcome, seconds: float) -> Report:
        """A line and its notes, and one JSON object."""
        from ..batch.run import Report

        restored = outcome.photo
        halved = f", device memory ran out, used tiles of {outcome.tile}" if outcome.halved else ""
        doubled = f", the network failed on smaller tiles, used tiles of {outcome.tile}" if outcome.doubled else ""
        noise = "" if outcome.noise is None else f", noise {outcome.noise:.1f}"
        size = f"{restored.width} x {restored.height}"
        flaw = self.task.flaw if self.options.strength else ""
        found = f"; little {flaw} found: nothing changed" if flaw and not outcome.changed else ""
        record = {
            "input": job.name,
            "output": job.output_name,
            "status": "done",
            "width": restored.width,
            "height": restored.height,
            "tile": outcome.tile,
            "overlap": outcome.overlap,
            "tiles": outcome.tiles,
            "tile_halved": outcome.halved,
            "tile_doubled": outcome.doubled,
            "noise": None if outcome.noise is None else round(outcome.noise, 2),
            "changed": outcome.changed,
            "notes": list(restored.notes),
            "seconds": round(seconds, 3),
            "seconds_per_megapixel": round(seconds / outcome.input_megapixels, 3),
            **made_with,
        }
        pace = f"{seconds:.1f} s, {seconds / outcome.input_megapixels:.1f} s/MP"
        notes = (f"{job.name}: {note}" for note in restored.notes)
        return Report(
            (f"{job.name} -> {job.output_name}  {size}, {pace}{noise}{halved}{doubled}{found}", *notes),
            record,
            outcome.changed,
        )
