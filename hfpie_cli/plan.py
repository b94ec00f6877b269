"""Plan input-to-output jobs; refuse every conflict of names before anything is computed."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import HfpieError, UsageError
from .files import check_ordinary, walk
from .jobs import Job, LeftOut, Naming, Plan
from .photos.formats import (
    FILM_ENDINGS,
    SUFFIXES,
    endings_of,
    format_named,
    is_hidden,
    is_output_of_another,
    is_photo,
    passed_over,
    written_as,
)

STREAM = "-"  # standard input or output


def plan_jobs(inputs: Sequence[str], naming: Naming) -> Plan:
    """The jobs for files, folders and `-`.

    Raises UsageError before anything is written; HfpieError if the only input cannot be done.
    """
    _check_request(inputs, naming)
    plan = _list_jobs(inputs, naming)
    _check_targets(plan, naming)
    if plan.faults and not plan.jobs and len(inputs) == 1:
        raise plan.faults[0][1]
    return plan


def _check_request(inputs: Sequence[str], naming: Naming) -> None:
    if not inputs:
        raise UsageError("nothing to restore", "name a file or a folder, such as photo.png")
    if "" in inputs or naming.output == "":
        raise UsageError("an empty file name", "check your shell variables; use . for the current folder")
    if naming.in_place and (naming.output is not None or STREAM in inputs):
        raise UsageError("--in-place replaces the inputs, without --output or -", "remove one of them")
    if naming.in_place and (naming.format or naming.skip_existing):
        raise UsageError("--in-place keeps the name and the format", "remove --format and --skip-existing")
    for other in ("overwrite", "resume"):
        if naming.skip_existing and getattr(naming, other):
            raise UsageError(f"--{other} and --skip-existing exclude each other", "remove one of them")
    if naming.follow_symlinks and not naming.in_place:
        raise UsageError("--follow-symlinks works only with --in-place", "remove it, or add --in-place")


def _list_jobs(inputs: Sequence[str], naming: Naming) -> Plan:
    is_new = inputs[0] != STREAM and _is_new_folder(naming.output)
    to_folder = len(inputs) > 1 or Path(inputs[0]).is_dir() or _is_folder(naming.output) or is_new
    folder = Path(str(naming.output)) if to_folder and naming.output not in (None, STREAM) else None
    plan = Plan([], defaultdict(list), folder=folder)
    if len(inputs) == 1 and inputs[0] != STREAM and not os.path.lexists(inputs[0]):
        raise HfpieError(f"{inputs[0]}: no such file or folder", "check the name and the current folder")
    if to_folder and naming.output and not _is_folder(naming.output) and format_named(Path(naming.output).suffix):
        raise UsageError(f"{naming.output}: one file for several photographs", "end a folder's name with /")
    for name in inputs:
        if name == STREAM:
            plan.jobs.append(_stream_job(naming, to_folder=to_folder))
            continue
        root = Path(name)
        if not root.is_dir() and _leads_out(root, root.parent, naming):
            raise UsageError(f"{name}: a link to {root.resolve()}", "use --follow-symlinks to replace that file")
        with _alone(name, plan):
            sources = _photos_in(root, naming, plan.left_out) if root.is_dir() else [root]
            base = root if root.is_dir() else root.parent
            for source in sources:
                with _alone(str(source), plan):
                    plan.jobs.append(_file_job(source, source.relative_to(base), naming, to_folder=to_folder))
    if sum(job.target is None for job in plan.jobs) and len(plan.jobs) > 1:
        raise UsageError("standard output takes only one photograph", "name a folder with --output")
    return plan


def is_film_job(job: Job) -> bool:
    """Whether its input has the ending of a film."""
    return job.source is not None and job.source.suffix.lower() in FILM_ENDINGS


@contextmanager
def _alone(name: str, plan: Plan) -> Iterator[None]:
    """Turn errors of the input `name` into faults of the plan, except UsageError."""
    try:
        yield
    except UsageError:
        raise
    except HfpieError as error:
        plan.faults.append((name, error))
    except OSError as error:
        plan.faults.append((name, HfpieError(f"{name}: {error.strerror}", "rename or remove it")))
    except RuntimeError:  # as Python 3.11 and 3.12 report it
        plan.faults.append((name, HfpieError(f"{name}: a circular link", "remove it")))


def _is_folder(output: str | None) -> bool:
    return output is not None and output != STREAM and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def _is_new_folder(output: str | None) -> bool:
    """Whether `output` does not exist and has no suffix: `-o sharp` creates a folder."""
    return output not in (None, STREAM) and not Path(str(output)).suffix and not Path(str(output)).exists()


def _stream_job(naming: Naming, *, to_folder: bool) -> Job:
    if naming.output in (None, STREAM):
        return Job(None, None, naming.format)
    if to_folder:
        raise UsageError("standard input has no file name to use in a folder", "name a file with --output")
    target = Path(str(naming.output))
    return Job(None, target, _format_of(target, naming))


def _file_job(source: Path, relative: Path, naming: Naming, *, to_folder: bool) -> Job:
    written = written_as(source.suffix.lower())
    if naming.in_place and written:
        raise UsageError(f"{source}: hfpie cannot write this format in place", "remove --in-place")
    if naming.in_place:
        return Job(source, source.resolve(), naming.format)
    if naming.output == STREAM:
        return Job(source, None, naming.format)
    if naming.output is not None and not to_folder:
        target = Path(naming.output)
        return Job(source, target, _format_of(target, naming))
    form = naming.format or written
    ending = endings_of(form)[0] if form else source.suffix
    stem = source.name if written and _has_twin(source, ending) else source.stem
    if naming.output is None:
        return Job(source, source.with_name(stem + naming.suffix + ending), naming.format)
    return Job(source, Path(naming.output) / relative.with_name(stem + ending), naming.format)


def _has_twin(source: Path, ending: str) -> bool:
    """Whether the same photograph exists beside it in the output's format, as phones export them."""
    endings = endings_of(str(format_named(ending)))
    return any(source.with_suffix(case(other)).exists() for other in endings for case in (str.lower, str.upper))


def _format_of(target: Path, naming: Naming) -> str:
    """The format that was requested or that the target's suffix names; the two must not differ."""
    named = format_named(target.suffix)
    if named and naming.format not in (None, named):
        message = f"{target}: the ending says {named}, but --format says {naming.format}"
        raise UsageError(message, f"name it {target.with_suffix(endings_of(naming.format)[0])}, or remove --format")
    form = naming.format or named
    if form is None:
        known = " ".join(SUFFIXES)
        raise UsageError(
            f"{target}: cannot tell the output format from {target.suffix or 'its name'!r}",
            f"end it in one of {known}, use --format, or end a folder's name with /",
        )
    return form


def _photos_in(folder: Path, naming: Naming, left_out: LeftOut) -> list[Path]:
    """The photographs of a folder, except hidden ones and those in the output folder.

    Adds skipped paths to `left_out`, by reason. Raises HfpieError if there are none.
    """
    output = Path(naming.output).resolve() if naming.output not in (None, STREAM) else None
    if output is not None and (output == folder.resolve() or not output.is_relative_to(folder.resolve())):
        output = None  # not a folder within this one
    photos = []
    for path in sorted(walk(folder, recursive=naming.recursive)):
        if is_hidden(path) or (output and path.resolve().is_relative_to(output)):
            continue
        if path.is_dir():
            left_out["folders"].append(path)
        elif reason := passed_over(path):
            left_out[reason].append(path)
        elif is_photo(path):
            if not naming.in_place and is_output_of_another(path):
                left_out["outputs"].append(path)
            elif _leads_out(path, folder, naming):
                left_out["links"].append(path)
            else:
                photos.append(path)
    if not photos:
        hint = f"hfpie looks for {' '.join(SUFFIXES)}" + (
            "" if naming.recursive else "; --recursive searches subfolders"
        )
        raise HfpieError(f"{folder}: no photographs in this folder", hint)
    return photos


def _leads_out(path: Path, folder: Path, naming: Naming) -> bool:
    """Whether --in-place would replace a file outside the folder through a link that must not be followed."""
    if not naming.in_place or naming.follow_symlinks:
        return False
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # circular links, which fail when they are read
        return False


def _check_targets(plan: Plan, naming: Naming) -> None:
    """Keep the jobs whose targets can be written. Raises UsageError for those that must not be."""
    if any(job.target is None for job in plan.jobs) and sys.stdout.isatty():
        raise UsageError("cannot write a picture to the terminal", "redirect standard output, or use --output FILE")
    targets: list[tuple[Job, Path]] = []
    sources: set[Path] = set()
    for job in plan.jobs:
        with _alone(job.name, plan):
            sources |= {job.source.resolve()} if job.source else set()
            if job.target:
                _check_file(job.target, naming)
                targets.append((job, job.target.resolve()))
    plan.jobs[:] = [*(job for job in plan.jobs if job.target is None), *(job for job, _ in targets)]
    seen: dict[Path, Job] = {}
    for job, target in targets:
        _check_target(job, target, seen, sources, naming)
        seen[target] = job


def _check_file(target: Path, naming: Naming) -> None:
    """Raises UsageError for what an output cannot replace, OSError for an impossible name.

    HfpieError with --in-place, where the target is an input that is not a file.
    """
    if target.is_dir():
        raise UsageError(f"{target}: is a folder", "name a file with --output, or end the folder's name with /")
    try:
        check_ordinary(target)
    except HfpieError as error:
        raise error if naming.in_place else UsageError(error.message, "use another --output") from None


def _check_target(job: Job, target: Path, seen: dict[Path, Job], sources: set[Path], naming: Naming) -> None:
    if target in seen:
        if job.source and job.source.resolve() == Path(seen[target].name).resolve():
            same = "is given twice" if job.name == seen[target].name else f"is the same file as {seen[target].name}"
            raise UsageError(f"{job.name}: {same}", "give it once, without links to it")
        raise UsageError(f"{job.name} and {seen[target].name} would both become {job.target}", "rename one of them")
    if target in sources and not naming.in_place:
        hint = "use another --output, or --in-place to replace it"
        raise UsageError(f"{job.target}: would overwrite an input", hint)
    if naming.keeps_outputs and os.path.lexists(str(job.target)):
        hint = "use --overwrite to replace it, --skip-existing to keep it, or --resume to continue a run"
        raise UsageError(f"{job.target}: already exists", hint)
