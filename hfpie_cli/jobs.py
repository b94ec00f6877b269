"""The jobs of a run: which file becomes which, and how outputs are named."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .errors import HfpieError

LeftOut = dict[str, list[Path]]  # paths by reason; see Plan
Fault = tuple[str, HfpieError]  # name of an input, why it cannot be restored


@dataclass(frozen=True)
class Job:
    """A file to restore."""

    source: Path | None
    """None is standard input."""
    target: Path | None
    """None is standard output."""
    format: str | None
    """A key of FORMATS; None for the source's own."""

    @property
    def name(self) -> str:
        return str(self.source) if self.source else "standard input"

    @property
    def output_name(self) -> str:
        """The output's name in messages; with --in-place the input's, unless that is a link."""
        own = self.source is not None and not self.source.is_symlink() and self.source.resolve() == self.target
        return str(self.source if own else self.target or "standard output")


@dataclass(frozen=True)
class Plan:
    """The jobs of a run, in order."""

    jobs: list[Job]
    """Also those whose outputs exist and may be skipped."""
    left_out: LeftOut
    """Skipped paths in folders, by reason: outputs, folders, films, unread, links, or an extra's name."""
    faults: list[Fault] = field(default_factory=list)
    """Inputs that cannot be restored, if others can."""
    folder: Path | None = None
    """Output folder, if one is named."""


@dataclass(frozen=True)
class Naming:
    """How outputs are named."""

    suffix: str
    """Added to the stem of an output beside its input."""
    output: str | None = None
    """Value of --output."""
    format: str | None = None
    """Value of --format, a key of FORMATS."""
    recursive: bool = False
    """Whether to enter subfolders."""
    in_place: bool = False
    """Whether outputs replace their inputs."""
    overwrite: bool = False
    """Whether to replace existing outputs."""
    skip_existing: bool = False
    """Whether to keep existing outputs."""
    resume: bool = False
    """Whether to continue an earlier run."""
    follow_symlinks: bool = False
    """With `in_place`, whether to replace what links point to."""

    @property
    def keeps_outputs(self) -> bool:
        """Whether existing outputs are errors, reported before anything is computed."""
        return not (self.overwrite or self.in_place or self.skip_existing or self.resume)
