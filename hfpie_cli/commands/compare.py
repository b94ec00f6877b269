"""`hfpie compare`, and the page that `--compare` of the other commands writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console
from ..errors import ExitCode, UsageError
from ..files import check_page
from ..jobs import Job
from ..shown import counted
from .options import TalkOptions, add_command

if TYPE_CHECKING:
    from ..pages.compare import Compared


@dataclass(frozen=True, kw_only=True)
class CompareOptions(TalkOptions):
    """Options of `hfpie compare`."""

    versions: Annotated[
        list[str], typer.Argument(help="Two or more files, or two or more folders.", show_default=False)
    ] = field(default_factory=list)
    output: Annotated[Path, typer.Option("--output", "-o", help="Output page, an .html file.")] = Path("compare.html")
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search folders recursively.")] = False
    max_mb: Annotated[int, typer.Option(min=1, help="Maximum size of the pictures in the page, MB.")] = 50
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "compare",
        CompareOptions,
        compare_versions,
        summary="Write a page that compares versions of pictures.",
        examples=(
            "hfpie compare photo.jpg photo_denoised.jpg -o page.html",
            "hfpie compare holiday/ clean/ cleaner/ -o page.html",
        ),
    )


def compare_versions(options: CompareOptions) -> int:
    """Match the files, write the page."""
    from ..pages.compare import write_comparison
    from ..pages.matching import match_versions

    console = options.console()
    matches = match_versions([Path(name) for name in options.versions], recursive=options.recursive)
    check_page(options.output, overwrite=options.overwrite)
    if matches.alone:
        console.say(f"skipped {counted(matches.alone, 'picture')} not found in every folder")
    room = options.max_mb * 1_000_000
    watch = partial(console.track, total=len(matches.pictures), what="comparing")
    _tell(write_comparison(matches.pictures, matches.versions, options.output, room=room, watch=watch), console)
    return ExitCode.OK


def check_request(page: Path | None, jobs: Sequence[Job], *, overwrite: bool) -> None:
    """Raise UsageError if a page of these jobs cannot be written."""
    if page is None:
        return
    if any(job.source is None or job.target is None for job in jobs):
        raise UsageError("--compare does not work with - (standard input or output)", "use file names instead of -")
    if any(job.source and job.target and job.source.resolve() == job.target.resolve() for job in jobs):
        raise UsageError(
            "--in-place and --compare exclude each other: the original would be gone", "remove one of the two"
        )
    check_page(page, overwrite=overwrite)


def compare_jobs(page: Path, jobs: Sequence[Job], weights: str, console: Console) -> None:
    """Write a page of inputs and outputs. weights: what the outputs were made with."""
    from ..pages.compare import write_comparison
    from ..pages.matching import Match

    files = [(job.source, job.target) for job in jobs if job.source and job.target and job.target.exists()]
    if not files:
        return
    base = os.path.commonpath([source.parent for source, _ in files])
    matches = [Match(os.path.relpath(source, base), (source, target)) for source, target in files]
    watch = partial(console.track, total=len(matches), what="comparing")
    _tell(write_comparison(matches, ("input", weights), page, watch=watch), console)


def _tell(page: Compared, console: Console) -> None:
    left_out = f", {page.left_out} left out: the page would be too large" if page.left_out else ""
    console.say(f"{page.path}: {counted(page.pictures, 'picture')} compared{left_out}, {page.size / 1e6:.1f} MB")
    console.result({"page": str(page.path), "pictures": page.pictures, "left_out": page.left_out, "bytes": page.size})
