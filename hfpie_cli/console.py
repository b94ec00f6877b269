"""Output for the user: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import HfpieError
from .lifetime import drop_output
from .shown import columns_of, shown, wrapped

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

Item = TypeVar("Item")
LOGGER = logging.getLogger(__package__)
LOGGER.addHandler(logging.NullHandler())  # silent unless the program that imports hfpie sets up logging
MARK = "hfpie: "  # that errors begin with; their hints stand below the text


@dataclass(frozen=True)
class Console:
    """Writes messages to standard error and results to standard output."""

    quiet: bool = False
    """Errors only."""
    json: bool = False
    """One JSON object a line for each result."""

    def say(self, text: str) -> None:
        """Print a line on standard error, wrapped on a terminal; invisible characters are escaped."""
        if not self.quiet:
            _print(shown(text), indent=2)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.say(f"warning: {text}")

    def error(self, error: HfpieError) -> None:
        """Print an error and its hint, also when quiet."""
        _print(shown(error.message), first=MARK, indent=len(MARK))
        for line in error.hint.splitlines():
            text = shown(line).lstrip()
            indent = len(MARK) + len(line) - len(text)
            _print(text, first=" " * indent, indent=indent)

    def result(self, record: dict[str, Any]) -> None:
        """A record for a program, on standard output, if --json asks for it."""
        if self.json:
            print(json.dumps(record), flush=True)

    @property
    def draws(self) -> bool:
        """Whether bars are drawn: on a terminal that shows no records, and unless quiet."""
        return not self.quiet and sys.stderr.isatty() and not (self.json and sys.stdout.isatty())

    def bar(self, *columns: ProgressColumn) -> Progress:
        """A progress bar on standard error; only on a terminal and unless quiet."""
        from rich.console import Console as RichConsole
        from rich.progress import Progress

        rich = RichConsole(stderr=True)
        return Progress(*columns, console=rich, transient=True, disable=not self.draws, redirect_stdout=False)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show, on a terminal unless quiet, what the block does and for how long."""
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        with self.bar(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()) as bar:
            bar.add_task(shown(what), total=None)
            yield

    def track(self, things: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        """Yield the same things, with a bar that counts them up to `total`."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with self.bar(TextColumn("{task.description}", markup=False), *columns) as bar:
            yield from bar.track(things, total=total, description=shown(what))

    @contextmanager
    def progress(self, files: int) -> Iterator[FileProgress]:
        """A bar over files and their tiles, on standard error; only on a terminal and unless quiet."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with self.bar(*columns) as bar:
            total = bar.add_task("files", total=files, unit="files", visible=files > 1)
            yield FileProgress(bar, total, bar.add_task("", total=None, unit="tiles"))


@dataclass(frozen=True)
class LoggedConsole(Console):
    """For callers from Python who passed no console: lines go to the logger `hfpie_cli`, bars are not shown."""

    quiet: bool = True
    """True: standard error stays empty."""

    def say(self, text: str) -> None:
        """Log at level INFO, which Python does not show by default."""
        LOGGER.info(shown(text))

    def warn(self, text: str) -> None:
        """Log at level WARNING."""
        LOGGER.warning(shown(text))


def _print(text: str, *, first: str = "", indent: int = 0) -> None:
    """A line on standard error, wrapped at words on a terminal; lost, as all later ones, if that is full."""
    try:
        print(wrapped(text, columns_of(sys.stderr), first=first, indent=indent), file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        drop_output(sys.stderr)


def in_words(seconds: float) -> str:
    """A duration for people: 25 s, 40 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@dataclass
class FileProgress:
    """The bars of a run over files."""

    _bar: Progress
    _files: TaskID
    _tiles: TaskID

    def start(self, name: str, megapixels: float) -> None:
        """Start a file."""
        self._megapixels = megapixels
        self._bar.reset(self._tiles, description=shown(name), total=None, unit="tiles")

    def tiles(self, done: int, total: int) -> None:
        """Report that `done` of the file's tiles are finished."""
        task = next(task for task in self._bar.tasks if task.id == self._tiles)
        pace = (task.elapsed or 0) * total / done / self._megapixels
        self._bar.update(self._tiles, completed=done, total=total, unit=f"tiles, {pace:.1f} s/MP")

    def finish(self) -> None:
        """Report that a file is done or has failed."""
        self._bar.advance(self._files)
