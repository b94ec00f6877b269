"""The command line: parse, call one function. Nothing here imports torch; the commands do when they run."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from . import __version__
from .commands import compare, data, doctor, restore, train, weights
from .commands import eval as evaluation
from .commands.shell import Group
from .lifetime import leave, open_streams, watch_output

app = typer.Typer(
    name="hfpie",
    cls=Group,
    help="Restore photographs: remove noise, remove blur, enlarge.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hfpie {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Restore photographs: remove noise, remove blur, enlarge."""


restore.register(app)
compare.register(app)
train.register(app)
evaluation.register(app)
data.register(app)
weights.register(app)
doctor.register(app)


def main() -> None:
    """The console script."""
    open_streams()
    watch_output()
    # read by libgomp when torch loads: by default its waiting threads spin and take cores from others
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with suppress(OSError):  # its own descriptor: while C libraries decode, descriptor 2 is redirected
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    try:
        app()
    except SystemExit as stop:
        if "torch" in sys.modules and isinstance(stop.code, int):
            leave(stop.code)
        raise
