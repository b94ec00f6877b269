"""Turns a command's options into a dataclass, and errors into exit codes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import sys
import traceback
import typing
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from typer.models import OptionInfo

from ..console import Console
from ..errors import ExitCode, HfpieError
from ..hub.client import Hub
from ..interruption import Stopped, stoppable
from ..lifetime import drop_output
from ..photos.limits import LIMIT_VARIABLE, raised_limit
from .shell import METAVARS, Command


@dataclass(frozen=True, kw_only=True)
class TalkOptions:
    """Options of every command."""

    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per result on standard output.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False

    def console(self) -> Console:
        return Console(quiet=self.quiet, json=self.json)


@dataclass(frozen=True, kw_only=True)
class HubOptions(TalkOptions):
    """Options of every command that may download weights."""

    offline: Annotated[bool, typer.Option("--offline", help="Do not contact the Hub; use local files only.")] = False

    def hub(self) -> Hub:
        return Hub.from_environment(offline=self.offline, progress=sys.stderr.isatty() and not self.quiet)


@dataclass(frozen=True, kw_only=True)
class PictureOptions(HubOptions):
    """Options of every command that opens pictures."""

    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, envvar=LIMIT_VARIABLE, help="Largest picture to open, in pixels, whatever the file size."),
    ] = None


Options = TypeVar("Options", bound=TalkOptions)


def add_command(
    app: typer.Typer,
    name: str,
    options: type[Options],
    run: Callable[[Options], int],
    *,
    summary: str,
    examples: Sequence[str],
) -> None:
    """Add a command to `app` whose options are the fields of a dataclass and whose exit code `run` returns.

    examples: command lines, shown one a line below the options; a `#` starts a remark.
    """
    hints = {key: _named(hint) for key, hint in typing.get_type_hints(options, include_extras=True).items()}
    parameters = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )
        for field in dataclasses.fields(options)
    ]

    def command(**values: Any) -> None:
        raise typer.Exit(run_safely(run, options(**values)))

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {field.name: hints[field.name] for field in dataclasses.fields(options)}
    app.command(name, cls=Command, help=summary, epilog="\n".join(examples))(command)


def _named(hint: Any) -> Any:
    """An option's annotation, with a metavar instead of a Python type."""
    kind, *notes = typing.get_args(hint)
    option = notes[0] if notes else None
    if not isinstance(option, OptionInfo) or option.metavar is not None:
        return hint
    word = next((METAVARS[part] for part in (kind, *typing.get_args(kind)) if part in METAVARS), None)
    option = copy.copy(option)
    option.metavar = word
    return Annotated[kind, option]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def as_hfpie_error(error: Exception, name: str) -> HfpieError:
    """Any exception as an error message about the file `name`."""
    if isinstance(error, HfpieError):
        return error
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):  # torch's message when memory runs out
        hint = "use a smaller --tile, or crop the photograph"
        return HfpieError(f"{name}: out of memory", hint)
    if isinstance(error, OSError) and error.strerror:
        hint = "check the path, its permissions and the free disk space"
        return HfpieError(f"{error.filename or name or 'a file'}: {error.strerror}", hint)
    text = str(error).splitlines()[0] if str(error) else ""
    where = f"{name}: " if name else ""
    return HfpieError(f"{where}internal error: {type(error).__name__}: {text}", "use --debug to see the traceback")


def run_safely(run: Callable[[Options], int], options: Options) -> int:
    """Run a command; an error becomes one line on standard error and an exit code."""
    try:
        with stoppable(), raised_limit(getattr(options, "max_pixels", None)):
            return int(run(options))
    except HfpieError as error:
        if options.debug:
            traceback.print_exc()
        options.console().error(error)
        return int(error.code)
    except KeyboardInterrupt as stop:
        with suppress(OSError):  # the terminal may be gone
            options.console().say("hfpie: interrupted")
        return int(stop.code if isinstance(stop, Stopped) else ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader of standard output has closed it
        drop_output()
        return int(ExitCode.FAILED)
    except Exception as error:
        if options.debug:
            raise
        options.console().error(as_hfpie_error(error, ""))
        return int(ExitCode.FAILED)
