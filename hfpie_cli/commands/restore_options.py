"""The options of `hfpie denoise`, `hfpie deblur` and `hfpie sr`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..jobs import Naming
from ..photos.formats import DEFAULT_QUALITY, FORMAT_NAMES, OutputStyle, format_named
from .options import PictureOptions


@dataclass(frozen=True, kw_only=True)
class RestoreOptions(PictureOptions):
    """Options of all three commands."""

    inputs: Annotated[
        list[str], typer.Argument(help="Photographs, folders, or - for standard input.", show_default=False)
    ] = field(default_factory=list)
    more_inputs: Annotated[
        list[str],
        typer.Option("--input", "-i", help="An input, the same as an argument; repeatable.", show_default=False),
    ] = field(default_factory=list)
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="A file, a folder, or - for standard output.")
    ] = None
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")] = False
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Keep existing outputs, make the others.")] = (
        False
    )
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run: make outputs that are missing, broken or out of date.")
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done and how long it would take.")] = (
        False
    )
    frames: Annotated[
        bool | None,
        typer.Option(
            "--frames/--no-frames",
            help="Treat inputs as video frames, for less flicker; default: only files numbered consecutively.",
        ),
    ] = None
    in_place: Annotated[bool, typer.Option("--in-place", help="Replace the inputs.")] = False
    follow_symlinks: Annotated[
        bool, typer.Option("--follow-symlinks", help="With --in-place, replace the files that links point to.")
    ] = False
    keep_times: Annotated[bool, typer.Option("--keep-times", help="Give outputs the timestamps of their inputs.")] = (
        False
    )
    weights: Annotated[
        str | None,
        typer.Option(help="A name from `weights list`, a .safetensors file, or hf://owner/repo/file@revision."),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Allow weights trained for another task.")] = False
    strength: Annotated[float, typer.Option(min=0, max=1, help="Blend: 1 is the restored picture, 0 the input.")] = 1.0
    tta: Annotated[bool, typer.Option("--tta", help="Average over 8 rotations and flips: 8 times slower.")] = False
    format: Annotated[str | None, typer.Option(help=f"{FORMAT_NAMES}; default: the input's.")] = None
    quality: Annotated[int, typer.Option(min=1, max=100, help="Quality of lossy formats.")] = DEFAULT_QUALITY
    yes: Annotated[bool, typer.Option("--yes", help="Start jobs of more than 10 minutes without asking.")] = False
    compare: Annotated[
        Path | None, typer.Option(help="Write a page that compares inputs and outputs to this .html file.")
    ] = None
    strip_metadata: Annotated[bool, typer.Option("--strip-metadata", help="Drop EXIF, XMP and DPI; keep ICC.")] = False
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto"
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all cores.")] = None
    tile: Annotated[int | None, typer.Option(min=1, help="Tile side in pixels; default: the checkpoint's.")] = None
    overlap: Annotated[int | None, typer.Option(min=0, help="Tile overlap in pixels; default: the checkpoint's.")] = (
        None
    )

    def naming(self, suffix: str) -> Naming:
        """How outputs are named, with this suffix if they are beside their inputs."""
        return Naming(
            suffix=suffix,
            output=self.output,
            format=self.style().format,
            recursive=self.recursive,
            in_place=self.in_place,
            overwrite=self.overwrite,
            skip_existing=self.skip_existing,
            resume=self.resume,
            follow_symlinks=self.follow_symlinks,
        )

    def style(self) -> OutputStyle:
        form = format_named(self.format) if self.format else None
        if self.format and form is None:
            raise UsageError(f"no format {self.format!r}", f"use {FORMAT_NAMES}")
        return OutputStyle(form, self.quality, self.strip_metadata)


@dataclass(frozen=True, kw_only=True)
class DenoiseOptions(RestoreOptions):
    """Options of `denoise` alone."""

    noise: Annotated[
        float | None,
        typer.Option(min=0, max=255, help="Noise sigma, with white at 255, for weights that take it (drunet)."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class EnlargeOptions(RestoreOptions):
    """Options of `sr` alone."""

    scale: Annotated[int, typer.Option(min=2, max=4, help="2, 3 or 4; for 2 and 3 the x4 result is reduced.")] = 4
    gan: Annotated[bool, typer.Option("--gan", help="Sharper, with invented detail.")] = False
