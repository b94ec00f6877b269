"""From what the user names to a list of jobs, and through the list: one file in, one file out, none lost.

Everything that can go wrong with names is found before the first pixel is computed.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import HfpieError, UsageError
from .photos.formats import FORMATS, NOT_READ, SUFFIXES, WRITTEN_AS, format_named, is_hidden, is_photo, missing_extra
from .tasks import TASKS

LeftOut = dict[str, list[Path]]  # paths by the reason, as Plan names them
STREAM = "-"  # standard input or output
OUTPUT_SUFFIXES = [task.output_suffix(scale) for task in TASKS.values() for scale in task.scales]


@dataclass(frozen=True)
class Job:
    """A file to restore. source: None is standard input. target: None is standard output. format: None is its own."""

    source: Path | None
    target: Path | None
    format: str | None

    @property
    def name(self) -> str:
        return str(self.source) if self.source else "standard input"


@dataclass(frozen=True)
class Plan:
    """The jobs in order, also those whose outputs exist and may be skipped, and what of the folders is left out.

    left_out: `outputs` (photographs with the names of earlier ones), `folders` within that are not entered, `unread`
    pictures of other formats, and those that need an extra, by its name.
    """

    jobs: list[Job]
    left_out: LeftOut


@dataclass(frozen=True)
class Naming:
    """How outputs are named: `suffix` behind the stem beside the input; `output` as the user gave it, if at all."""

    suffix: str
    output: str | None = None
    format: str | None = None
    recursive: bool = False
    in_place: bool = False
    overwrite: bool = False
    skip_existing: bool = False


def plan_jobs(inputs: Sequence[str], naming: Naming) -> Plan:
    """The jobs for files, folders and `-`.

    Raises UsageError or HfpieError before anything is written.
    """
    _check_request(inputs, naming)
    try:
        plan = _list_jobs(inputs, naming)
        _check_targets(plan.jobs, naming)
        return plan
    except (OSError, RuntimeError) as error:  # a name that is too long, links that lead in a circle
        raise HfpieError(f"a name cannot be looked up: {error}") from None


def _check_request(inputs: Sequence[str], naming: Naming) -> None:
    if not inputs:
        raise UsageError("nothing to restore", "name a file or a folder, such as photo.png")
    if "" in inputs or naming.output == "":
        raise UsageError("an empty name", "is a shell variable not set? the current folder is .")
    if naming.in_place and (naming.output is not None or STREAM in inputs):
        raise UsageError("--in-place writes onto the input", "leave --output and - out")
    if naming.in_place and (naming.format or naming.skip_existing):
        raise UsageError("--in-place keeps the name and the format", "leave --format and --skip-existing out")
    if naming.overwrite and naming.skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other", "leave one of them out")


def _list_jobs(inputs: Sequence[str], naming: Naming) -> Plan:
    jobs: list[Job] = []
    left_out: LeftOut = defaultdict(list)
    to_folder = len(inputs) > 1 or Path(inputs[0]).is_dir() or _is_folder(naming.output)
    if len(inputs) == 1 and inputs[0] != STREAM and not Path(inputs[0]).exists():
        raise HfpieError(f"{inputs[0]}: no such file or folder", "check its name, and the folder that you are in")
    if to_folder and naming.output and not _is_folder(naming.output) and format_named(Path(naming.output).suffix):
        raise UsageError(f"{naming.output}: a file's name, for several photographs", "a folder's name ends with /")
    for name in inputs:
        if name == STREAM:
            jobs.append(_stream_job(naming, to_folder=to_folder))
            continue
        root = Path(name)
        sources = _photos_in(root, naming, left_out) if root.is_dir() else [root]
        base = root if root.is_dir() else root.parent
        jobs += [_file_job(source, source.relative_to(base), naming, to_folder=to_folder) for source in sources]
    if sum(job.target is None for job in jobs) and len(jobs) > 1:
        raise UsageError("standard output takes one photograph", "name a folder with --output")
    return Plan(jobs, left_out)


def make_folders(jobs: Sequence[Job]) -> None:
    """Create the folders that the targets lie in. Raises HfpieError naming one that cannot be written to."""
    for folder in dict.fromkeys(job.target.parent for job in jobs if job.target):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HfpieError(
                f"{folder}: cannot be made a folder ({error.strerror})", "choose another --output"
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise HfpieError(f"{folder}: cannot be written to", "choose another --output, or change its permissions")


def _is_folder(output: str | None) -> bool:
    return output is not None and output != STREAM and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def _stream_job(naming: Naming, *, to_folder: bool) -> Job:
    if naming.output in (None, STREAM):
        return Job(None, None, naming.format)
    if to_folder:
        raise UsageError("standard input has no name to write under in a folder", "name a file with --output")
    target = Path(str(naming.output))
    return Job(None, target, _format_of(target, naming))


def _file_job(source: Path, relative: Path, naming: Naming, *, to_folder: bool) -> Job:
    written = WRITTEN_AS.get(source.suffix.lower())
    if naming.in_place and written:
        raise UsageError(f"{source}: --in-place keeps the format, which hfpie does not write", "leave --in-place out")
    if naming.in_place:
        return Job(source, source.resolve(), naming.format)
    if naming.output == STREAM:
        return Job(source, None, naming.format)
    if naming.output is not None and not to_folder:
        target = Path(naming.output)
        return Job(source, target, _format_of(target, naming))
    form = naming.format or written
    ending = FORMATS[form][0] if form else source.suffix
    stem = source.name if written and _has_twin(source, ending) else source.stem
    if naming.output is None:
        return Job(source, source.with_name(stem + naming.suffix + ending), naming.format)
    return Job(source, Path(naming.output) / relative.with_name(stem + ending), naming.format)


def _has_twin(source: Path, ending: str) -> bool:
    """Whether the same picture lies beside it in the format that it becomes, as telephones export them."""
    endings = FORMATS[SUFFIXES[ending]]
    return any(source.with_suffix(case(other)).exists() for other in endings for case in (str.lower, str.upper))


def _format_of(target: Path, naming: Naming) -> str:
    """The format that is asked for or that the target's ending names; both must not name different ones."""
    named = format_named(target.suffix)
    if named and naming.format not in (None, named):
        message = f"{target}: its ending names {named}, and --format {naming.format}"
        raise UsageError(message, f"name it {target.with_suffix(FORMATS[naming.format][0])}, or leave --format out")
    form = naming.format or named
    if form is None:
        known = " ".join(SUFFIXES)
        raise UsageError(
            f"{target}: its ending names no format that hfpie writes",
            f"a folder's name ends with /; or use --format, or one of {known}",
        )
    return form


def _photos_in(folder: Path, naming: Naming, left_out: LeftOut) -> list[Path]:
    """The photographs of a folder, without what is hidden and what lies in the output folder.

    Adds to `left_out` what is passed over, as Plan has it. Raises HfpieError if there are none.
    """
    output = Path(naming.output).resolve() if naming.output not in (None, STREAM) else None
    if output is not None and (output == folder.resolve() or not output.is_relative_to(folder.resolve())):
        output = None  # not a folder within this one
    photos = []
    for path in sorted(_walk(folder, naming.recursive)):
        if is_hidden(path) or (output and path.resolve().is_relative_to(output)):
            continue
        if path.is_dir():
            left_out["folders"].append(path)
        elif path.suffix.lower() in NOT_READ or (path.suffix.lower() in WRITTEN_AS and not is_photo(path)):
            left_out[missing_extra(path.suffix.lower()) or "unread"].append(path)
        elif is_photo(path) and path.is_file():
            if _is_earlier_output(path, naming):
                left_out["outputs"].append(path)
            else:
                photos.append(path)
    if not photos:
        hint = f"hfpie looks for {' '.join(SUFFIXES)}" + ("" if naming.recursive else "; --recursive looks deeper")
        raise HfpieError(f"{folder}: no photographs in this folder", hint)
    return photos


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    """Files and folders in the folder; or all files in it and below, and the folders below that are links or locked."""
    if not recursive:
        yield from folder.iterdir()
        return
    locked: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=locked.append):
        folders[:] = [name for name in folders if not is_hidden(Path(name))]
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in (*files, *links))
    for error in locked:
        if Path(error.filename) == folder:
            raise error
        yield Path(error.filename)


def _is_earlier_output(path: Path, naming: Naming) -> bool:
    """Whether outputs go beside their inputs, and a file's name says that hfpie made it from another one there."""
    if naming.output is not None or naming.in_place:
        return False
    endings = {path.suffix, *SUFFIXES, *map(str.upper, SUFFIXES)}
    stems = [path.stem.removesuffix(suffix) for suffix in OUTPUT_SUFFIXES if path.stem.endswith(suffix)]
    return any(path.with_name(stem + ending).exists() for stem in stems for ending in endings)


def _check_targets(jobs: Sequence[Job], naming: Naming) -> None:
    if any(job.target is None for job in jobs) and sys.stdout.isatty():
        raise UsageError("a picture is not written to a terminal", "redirect standard output, or name --output")
    seen: dict[Path, Job] = {}
    sources = {job.source.resolve() for job in jobs if job.source}
    for job in jobs:
        if job.target is None:
            continue
        place = job.target.resolve()
        if place in seen:
            if job.source and job.source.resolve() == Path(seen[place].name).resolve():
                same = "is named twice" if job.name == seen[place].name else f"is the same file as {seen[place].name}"
                raise UsageError(f"{job.name}: {same}", "name it once, without links to it")
            raise UsageError(f"{job.name} and {seen[place].name} would both become {job.target}", "rename one of them")
        seen[place] = job
        if place in sources and not naming.in_place:
            hint = "name another --output, or say --in-place to replace it"
            raise UsageError(f"{job.target}: would be written onto an input", hint)
        if job.target.exists() and not job.target.is_file() and not job.target.is_dir():
            raise UsageError(f"{job.target}: is not an ordinary file", "name another --output")
        if job.target.is_dir():
            raise UsageError(f"{job.target}: is a folder", "name a file with --output, or end the folder's name with /")
        if os.path.lexists(job.target) and not (naming.overwrite or naming.in_place or naming.skip_existing):
            hint = "say --overwrite to replace it, or --skip-existing to leave it"
            raise UsageError(f"{job.target}: exists already", hint)
