"""`hfpie denoise`, `hfpie deblur`, `hfpie sr`."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console, FileProgress
from ..errors import ExitCode, HfpieError, UsageError
from ..jobs import Job, Naming, Plan, make_folders, plan_jobs
from ..photos.formats import DEFAULT_QUALITY, EXTRAS, OutputStyle, format_named
from ..tasks import TASKS, Task
from ..weights.table import default_weights, resolve
from .animations import restore_animation
from .options import HubOptions, add_command, as_hfpie_error

if TYPE_CHECKING:
    from ..restore import Outcome, Restorer


FEW = 3  # names that are told of files that are passed over


@dataclass(frozen=True, kw_only=True)
class RestoreOptions(HubOptions):
    """Options of all three commands."""

    inputs: Annotated[
        list[str], typer.Argument(help="Photographs, folders of them, or - for standard input.", show_default=False)
    ] = field(default_factory=list)
    more_inputs: Annotated[
        list[str], typer.Option("--input", "-i", help="The same as an argument.", show_default=False)
    ] = field(default_factory=list)
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="A file, a folder, or - for standard output.")
    ] = None
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders with all that lies below.")] = False
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Leave outputs that exist, do the rest.")] = (
        False
    )
    in_place: Annotated[bool, typer.Option("--in-place", help="Replace the inputs.")] = False
    weights: Annotated[
        str | None,
        typer.Option(help="A name of `weights list`, a .safetensors file, or hf://owner/repo/file@revision."),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Take weights that were made for another task.")] = False
    strength: Annotated[float, typer.Option(min=0, max=1, help="Share of the restored picture in the result.")] = 1.0
    tta: Annotated[bool, typer.Option("--tta", help="Average over 8 turned and mirrored inputs: 8 times slower.")] = (
        False
    )
    format: Annotated[
        str | None, typer.Option(help="png, jpg, tiff, webp, avif, bmp or ppm; default: the input's.")
    ] = None
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")] = DEFAULT_QUALITY
    strip_metadata: Annotated[bool, typer.Option("--strip-metadata", help="Drop EXIF, XMP and DPI; ICC stays.")] = False
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto"
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all cores.")] = None
    tile: Annotated[int | None, typer.Option(min=1, help="Side of the tiles; default: the checkpoint's.")] = None
    overlap: Annotated[int | None, typer.Option(min=0, help="Of the tiles; default: the checkpoint's.")] = None

    def style(self) -> OutputStyle:
        form = format_named(self.format) if self.format else None
        if self.format and form is None:
            raise UsageError(f"no format {self.format!r}", "use png, jpg, tiff, webp, avif, bmp or ppm")
        return OutputStyle(form, self.quality, self.strip_metadata)


@dataclass(frozen=True, kw_only=True)
class EnlargeOptions(RestoreOptions):
    """Options of `sr` alone."""

    scale: Annotated[int, typer.Option(min=2, max=4, help="2, 3 or 4: below 4, reduced from it.")] = 4
    gan: Annotated[bool, typer.Option("--gan", help="Sharp, invented detail instead of faithful softness.")] = False


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    add_command(
        app,
        "denoise",
        RestoreOptions,
        lambda options: restore_files(TASKS["denoise"], options, default_weights("denoise")),
        summary="Remove noise from photographs.",
        examples="Examples: [bold]hfpie denoise photo.png[/] | [bold]hfpie denoise holiday/ -o clean/[/] | "
        "[bold]hfpie denoise night.jpg --strength 0.7[/]",
    )
    add_command(
        app,
        "deblur",
        RestoreOptions,
        lambda options: restore_files(TASKS["deblur"], options, default_weights("deblur")),
        summary="Remove blur from photographs.",
        examples="Examples: [bold]hfpie deblur photo.png[/] | [bold]hfpie deblur scans/ -r -o sharp/[/] | "
        "[bold]hfpie deblur - < soft.png > sharp.png[/]",
    )
    add_command(
        app,
        "sr",
        EnlargeOptions,
        enlarge_files,
        summary="Enlarge photographs 2, 3 or 4 times.",
        examples="Examples: [bold]hfpie sr photo.png[/] | [bold]hfpie sr --gan -i frames/ -o out/[/] | "
        "[bold]hfpie sr small.jpg --scale 2 -o large.png[/]",
    )


def enlarge_files(options: EnlargeOptions) -> int:
    """The same for `sr`, whose default weights --gan chooses."""
    if options.gan and options.weights:
        raise UsageError("--gan and --weights both choose the weights", "leave one of them out")
    return restore_files(TASKS["sr"], options, default_weights("sr", gan=options.gan), options.scale)


def restore_files(task: Task, options: RestoreOptions, default: str, scale: int = 1) -> int:
    """Plan the jobs, load the network once, restore file by file; one bad file never stops the rest."""
    console = options.console()
    naming = Naming(
        suffix=task.output_suffix(scale),
        output=options.output,
        format=options.style().format,
        recursive=options.recursive,
        in_place=options.in_place,
        overwrite=options.overwrite,
        skip_existing=options.skip_existing,
    )
    plan = plan_jobs([*options.inputs, *options.more_inputs], naming)
    jobs = [job for job in plan.jobs if not (options.skip_existing and job.target and job.target.exists())]
    if options.json and any(job.target is None for job in jobs):
        raise UsageError("--json and the picture would both go to standard output", "name a file with --output")
    _tell_left_out(plan, len(plan.jobs) - len(jobs), options, console)
    restorer = _load(task, options, default, scale)
    make_folders(jobs)
    failures: list[HfpieError] = []
    with console.progress(len(jobs)) as progress:
        for job in jobs:
            try:
                outcome, seconds = _restore_file(job, restorer, options, progress)
                _summarise(job, outcome, seconds, task.flaw if options.strength else "", console)
            except (KeyboardInterrupt, BrokenPipeError):
                raise
            except Exception as problem:
                if options.debug:
                    traceback.print_exc()
                failures.append(error := as_hfpie_error(problem, job.name))
                console.error(error)
                console.result({"input": job.name, "error": error.message, "hint": error.hint})
            progress.finish()
    if len(jobs) > 1:
        console.say(f"{len(jobs) - len(failures)} of {len(jobs)} photographs {task.verb}")
    if failures:
        return ExitCode.SOME_FAILED if len(jobs) > 1 else failures[0].code
    return ExitCode.OK


def _tell_left_out(plan: Plan, skipped: int, options: RestoreOptions, console: Console) -> None:
    """Nothing that a user may have meant is passed over without a word."""
    if skipped:
        console.say(f"{skipped} of {len(plan.jobs)} left as they are: their outputs exist")
    if left := plan.left_out.get("folders"):
        hint = "they are links, or locked" if options.recursive else "--recursive enters them"
        console.say(f"folders inside that were not entered: {len(left)}; {hint} ({_few(left)})")
    for extra, _, _, endings in EXTRAS.values():
        if left := plan.left_out.get(extra):
            hint = f"pip install 'hfpie[{extra}]' reads {' '.join(endings[:3])} and the like"
            console.say(f"pictures that need an extra: {len(left)}; {hint} ({_few(left)})")
    if left := plan.left_out.get("unread"):
        console.say(
            f"pictures of formats that are not read: {len(left)}; convert them to PNG or TIFF first ({_few(left)})"
        )
    if left := plan.left_out.get("outputs"):
        console.say(
            f"files left out, with names of hfpie's outputs: {len(left)}; name such a file to restore it ({_few(left)})"
        )


def _few(paths: Sequence[Path]) -> str:
    """The names of the first few."""
    more = f" and {len(paths) - FEW} more" if len(paths) > FEW else ""
    return ", ".join(path.name for path in paths[:FEW]) + more


def _load(task: Task, options: RestoreOptions, default: str, scale: int) -> Restorer:
    weights = resolve(options.weights or default, options.hub(), task="" if options.force else task.name)
    import torch

    from ..restore import Restorer

    if options.threads:
        torch.set_num_threads(options.threads)
    restorer = Restorer.from_weights(
        weights,
        device=options.device,
        precision=options.precision,
        tile=options.tile,
        overlap=options.overlap,
        strength=options.strength,
        tta=options.tta,
        out_scale=scale,
    )
    if (scale == 1) != (restorer.scale == 1) or scale > restorer.scale:
        hint = "choose weights made for this task" + (
            f", or --scale {restorer.scale}" if 1 < restorer.scale < scale else ""
        )
        raise UsageError(f"{weights.name}: a network of scale {restorer.scale}", hint)
    return restorer


def _restore_file(
    job: Job, restorer: Restorer, options: RestoreOptions, progress: FileProgress
) -> tuple[Outcome, float]:
    """What became of it, and after how many seconds."""
    from ..photos.animation import read_animation
    from ..photos.reader import read_photo
    from ..photos.writer import check_writable, encode_photo, told, write_photo

    started = time.monotonic()
    source = job.source or sys.stdin.buffer.read()
    if animation := read_animation(source, job.name):
        replaces = options.overwrite or options.in_place
        outcome = restore_animation(animation, job, restorer, options.style(), progress, overwrite=replaces)
        return outcome, time.monotonic() - started
    photo = read_photo(source, job.name)
    style = replace(options.style(), format=job.format or photo.format)
    check_writable(photo, style, scale=restorer.out_scale, name=job.name)
    photo = replace(photo, notes=told(photo, style, job.target, scale=restorer.out_scale))
    if options.in_place and not photo.is_kept_whole(restorer.out_scale):
        message = f"{job.name}: --in-place would lose what else it holds (a preview, a gain map, a video)"
        raise HfpieError(message, "leave --in-place out")
    progress.start(job.name, photo.width * photo.height / 1e6)
    outcome = restorer.restore(photo, progress.tiles)
    if job.target:
        write_photo(outcome.photo, job.target, style, overwrite=options.overwrite or options.in_place)
    else:
        sys.stdout.buffer.write(encode_photo(outcome.photo, style, name=job.name))
    return outcome, time.monotonic() - started


def _summarise(job: Job, outcome: Outcome, seconds: float, flaw: str, console: Console) -> None:
    """One line, or one JSON object. flaw: what was looked for."""
    restored = outcome.photo
    halved = f", device memory short: tiles of {outcome.tile}" if outcome.halved else ""
    target = job.target or "standard output"
    size = f"{restored.width} x {restored.height}"
    found = f"; little {flaw} found: nothing changed" if flaw and not outcome.changed else ""
    console.say(f"{job.name} -> {target}  {size}, {seconds:.1f} s{halved}{found}")
    for note in restored.notes:
        console.say(f"{job.name}: {note}")
    console.result(
        {
            "input": job.name,
            "output": str(target),
            "width": restored.width,
            "height": restored.height,
            "tile": outcome.tile,
            "overlap": outcome.overlap,
            "tiles": outcome.tiles,
            "tile_halved": outcome.halved,
            "changed": outcome.changed,
            "notes": list(restored.notes),
            "seconds": round(seconds, 3),
        }
    )
