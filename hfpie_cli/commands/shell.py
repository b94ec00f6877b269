"""The help of commands, and error messages for command lines that cannot be parsed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..console import Console
from ..errors import HfpieError, UsageError
from ..photos.formats import is_photo
from ..suggest import near
from ..tasks import TASKS

PANELS = {  # of the help: the options by name, in the order in which they are shown
    "Output": (
        *(
            "more_inputs",
            "output",
            "recursive",
            "max_mb",
            "overwrite",
            "skip_existing",
            "in_place",
            "format",
            "quality",
        ),
        *("strip_metadata", "keep_times", "follow_symlinks", "compare", "csv", "report", "save_images"),
        *("resume", "dry_run", "repo", "private", "yes"),
    ),
    "Data": (
        *("dataset", "table", "task", "data", "degraded", "clean", "degradation", "data_root", "limit", "peak"),
        *("train", "parts"),
    ),
    "Model": (
        "gan",
        "scale",
        "weights",
        "force",
        "strength",
        "noise",
        "tta",
        "frames",
        "init",
        "lpips",
        "recipe",
        "settings",
    ),
    "Training": ("steps", "minutes", "batch", "crop", "rate", "seed"),
    "Speed": ("device", "precision", "threads", "tile", "overlap", "max_pixels"),
    "Messages": ("json", "quiet", "debug", "offline", "help"),
}
PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
ORDER = list(PANEL_OF)
METAVARS: dict[Any, str] = {str: "TEXT", int: "N", float: "X", Path: "PATH"}  # of options, by the type of their values
FEW = 3  # the most commands named in a hint
WrongUse: Any = typer.BadParameter.__base__  # of the parser, which Typer does not export


class Command(TyperCommand):
    """A command with options in panels, flags without types, and examples in its epilog."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _in_panels(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        words = list(args)  # the parser empties args
        try:
            return super().parse_args(ctx, args)
        except WrongUse:
            for word in words:
                if word.startswith("-") and Path(word).exists():
                    raise UsageError(f"{word} is a file or folder, not an option", f"write ./{word}") from None
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help, then the examples, a line each: Typer's versions differ in how they break an epilog."""
        from rich.console import Console as RichConsole
        from rich.markup import escape

        epilog, self.epilog = self.epilog, None
        super().format_help(ctx, formatter)
        self.epilog = epilog
        lines = [line.partition("  #") for line in (epilog or "").splitlines()]
        examples = [f"   [bold]{escape(command)}[/][dim]{mark}{escape(remark)}[/]" for command, mark, remark in lines]
        RichConsole().print(" Examples:", *examples, "", sep="\n", soft_wrap=True, highlight=False)


class Group(TyperGroup):
    """The same for a group of commands; parsing errors are reported like all others."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _in_panels(super().get_params(ctx))

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        with _plain_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _plain_errors():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            raise _no_command(name, ctx.command_path, list(self.commands))
        return super().resolve_command(ctx, args)


def _in_panels(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if not isinstance(parameter, typer.core.TyperArgument):
            parameter.rich_help_panel = PANEL_OF.get(parameter.name)
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
    order = {name: number for number, name in enumerate(ORDER)}
    return sorted(parameters, key=lambda parameter: order.get(parameter.name, -1))


def _no_command(name: str, program: str, commands: list[str]) -> UsageError:
    if "denoise" in commands and (is_photo(Path(name)) or Path(name).exists()):
        ways = [f"hfpie {task} {name}" for task in TASKS]
        what = "a file or folder" if Path(name).exists() else "a file name"
        return UsageError(f"{name} is {what}, not a command", f"use {' or '.join(ways)}")
    if found := near(name, commands):
        return UsageError(f"no command {name!r}", f"did you mean {program} {found[0]}?")
    return UsageError(f"no command {name!r}", f"choose one of {', '.join(commands)}; {program} --help describes them")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn parsing errors, and text that standard output does not take, into a message and a hint."""
    try:
        try:
            yield
        except (typer.Exit, WrongUse):  # the ends of --help, and of the help that is shown instead of a command
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except HfpieError as error:
        Console().error(error)
        raise typer.Exit(int(error.code)) from None
    except WrongUse as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the help, which has been shown
            raise
        Console().error(_as_ours(error))
        raise typer.Exit(error.exit_code) from None


def _as_ours(error: Any) -> UsageError:
    """The parser's error, worded like all others."""
    command = error.ctx.command_path if error.ctx else "hfpie"
    help_line = f"{command} --help lists the options"
    if hasattr(error, "possibilities"):
        return UsageError(f"no option {error.option_name}", _instead_of(error.option_name, error.ctx) or help_line)
    if parameter := getattr(error, "param", None):
        name = max(parameter.opts, key=len) if parameter.opts[0].startswith("-") else parameter.name.upper()
        if type(error).__name__ == "MissingParameter":
            return UsageError(f"{name} is missing", help_line)
        text = error.message.split(", unable")[0]
        if text.startswith("Input should"):
            return UsageError(f"{name} {text.replace('Input should', 'must').rstrip('.')}", help_line)
        return UsageError(f"{name}: {_lower(text)}", help_line)
    return UsageError(_lower(error.message), help_line)


def _instead_of(option: str, ctx: Any) -> str:
    """A hint for an unknown option: the commands that have it, or a similar option of this one."""
    if ctx is None:
        return ""
    owners = [path for path, command in _commands_of(ctx.find_root()) if option in _options_of(command)]
    if owners:
        last = f"{len(owners) - FEW} more" if len(owners) > FEW else owners.pop()
        first = ", ".join(owners[:FEW])
        return f"{option} belongs to {first} and {last}" if first else f"{option} belongs to {last}"
    found = near(option, _options_of(ctx.command))
    return f"did you mean {found[0]}?" if found else ""


def _commands_of(root: Any) -> Iterator[tuple[str, Any]]:
    """(how it is called, command) of every command of the program."""
    for name, command in root.command.commands.items():
        if isinstance(command, TyperGroup):
            yield from ((f"{root.command_path} {name} {below}", other) for below, other in command.commands.items())
        else:
            yield f"{root.command_path} {name}", command


def _options_of(command: Any) -> list[str]:
    names = (name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))
    return [name for name in names if name.startswith("--")]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
