"""`hfpie denoise`, `hfpie deblur`, `hfpie sr`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from ..console import Console
from ..distributed import PATIENCE, joined_ranks
from ..errors import UsageError
from ..jobs import Plan
from ..photos.formats import EXTRAS
from ..plan import is_film_job, plan_jobs
from ..shown import counted
from ..tasks import TASKS, Task
from ..weights.registry import default_weights, find_here
from .announce import Request, check_network
from .compare import check_request
from .folder_run import FolderRun
from .options import add_command
from .restore_options import DenoiseOptions, EnlargeOptions, RestoreOptions

OPTIONS: dict[str, type[RestoreOptions]] = {"denoise": DenoiseOptions}  # of tasks with options of their own
FEW = 3  # names shown of skipped files


def register(app: typer.Typer) -> None:
    """Add a command for each task."""
    for task in TASKS.values():
        usual = EnlargeOptions if task.enlarges else RestoreOptions
        run: Callable[[Any], int] = partial(enlarge_files if task.enlarges else restore_files, task)
        add_command(app, task.name, OPTIONS.get(task.name, usual), run, summary=task.summary, examples=task.examples)


def enlarge_files(task: Task, options: EnlargeOptions) -> int:
    """Enlarge photographs; --gan chooses the default weights."""
    if options.gan and options.weights:
        raise UsageError("--gan and --weights both choose the weights", "remove one of them")
    if options.in_place and not options.overwrite:
        raise UsageError(f"{task.name} --in-place replaces photographs with larger ones", "add --overwrite to confirm")
    return restore_files(task, options, default_weights(task.name, gan=options.gan), options.scale)


def restore_files(task: Task, options: RestoreOptions, default: str = "", scale: int = 1) -> int:
    """Check options and weights, plan the jobs, then do them, or print them with --dry-run."""
    console, default = options.console(), default or default_weights(task.name)
    request = Request(options.device, options.precision, options.tile, options.overlap, options.threads)
    name, setting = check_network(options.weights or default, request)
    weights = find_here(options.weights or default, options.hub(), task=task.name, force=options.force)
    if options.frames and options.in_place:
        raise UsageError("--frames and --in-place exclude each other", "name a folder with --output")
    with joined_ranks(patience=PATIENCE) as ranks:
        naming = options.naming(task.output_suffix(scale))
        plan = plan_jobs([*options.inputs, *options.more_inputs], naming)
        if options.json and any(job.target is None for job in plan.jobs):
            raise UsageError("--json and the picture would both go to standard output", "name a file with --output")
        check_request(options.compare, plan.jobs, overwrite=options.overwrite)
        if ranks.leads:
            _report_skipped(plan, options, console)
            _warn_of_noise(plan, options, console)
        run = FolderRun(task, options, naming, default, weights, scale, f"{name} on {setting}", console, ranks)
        return run.show(plan) if options.dry_run else run.restore(plan)


def _warn_of_noise(plan: Plan, options: RestoreOptions, console: Console) -> None:
    """Invented detail turns noise into grain, which shows more in a film than in a photograph."""
    if getattr(options, "gan", False) and any(map(is_film_job, plan.jobs)):
        console.say("sr --gan makes the noise of a noisy film stronger: run hfpie denoise on it first")


def _report_skipped(plan: Plan, options: RestoreOptions, console: Console) -> None:
    """Report every skipped file that a user may have meant."""
    reasons = [
        (
            "folders",
            "subfolder",
            "",
            "they are links or cannot be read" if options.recursive else "--recursive includes them",
        )
    ]
    for extra, _, _, endings in EXTRAS.values():
        hint = f"pip install 'hfpie[{extra}]' to read {' '.join(endings[:3])}"
        reasons.append((extra, "picture", " needing an extra", hint))
    reasons += [
        ("unread", "picture", " in formats that hfpie does not read", "convert them to PNG or TIFF first"),
        ("films", "film", "", "name a film to restore it (slow)"),
        ("outputs", "file", " named like hfpie outputs", "name a file to restore it"),
        ("links", "link", " to files outside the folder", "--follow-symlinks replaces those files"),
    ]
    for reason, noun, which, hint in reasons:
        if left := plan.left_out.get(reason):
            console.say(f"skipped {counted(len(left), noun)}{which}; {hint} ({_few(left)})")


def _few(paths: Sequence[Path]) -> str:
    """The names of the first few."""
    more = f" and {len(paths) - FEW} more" if len(paths) > FEW else ""
    return ", ".join(path.name for path in paths[:FEW]) + more
