"""`hfpie weights list|info|pull|verify`; its other commands are in `publish.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from ..console import Console
from ..data.datasets import DEFAULT_ROOT
from ..errors import ExitCode, UnavailableError
from ..hub.client import SCHEME, Hub, HubFile, fetch
from ..hub.lock import locked
from ..tasks import TASKS
from ..weights.table import TEST_WEIGHTS, Entry, default_weights, locate, resolve, table, whereabouts
from . import publish
from .options import HubOptions, add_command

HEADINGS = ("name", "task", "scale", "size", "where", "licence")
PARTS_HEADINGS = ("part", "largest value", "share of its join", "worth")
NUMBERS = {"scale", "size", *PARTS_HEADINGS[1:]}  # columns that stand to the right
HARD = {"denoise": "awgn-50", "deblur": "motion-jpeg", "sr": "bicubic-x4"}  # by task: what needs every scale


@dataclass(frozen=True, kw_only=True)
class ListOptions(HubOptions):
    """Options of `hfpie weights list`."""


@dataclass(frozen=True, kw_only=True)
class InfoOptions(HubOptions):
    """Options of `hfpie weights info`."""

    name: Annotated[str, typer.Argument(help="A name of `weights list`.")]
    parts: Annotated[bool, typer.Option("--parts", help="Tell what each part of the network does.")] = False
    dataset: Annotated[
        str, typer.Option(help="Pictures for --parts: as of `hfpie eval`; the first of them are taken.")
    ] = "screenshot"
    degradation: Annotated[
        str | None, typer.Option(help="Of them: a name of `hfpie eval`; default: one that needs every scale.")
    ] = None
    limit: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 4
    data_root: Annotated[
        Path | None, typer.Option(envvar="HFPIE_DATA", help="Where data sets lie; default ~/.cache/hfpie/data.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PullOptions(HubOptions):
    """Options of `hfpie weights pull`."""

    names: Annotated[list[str], typer.Argument(help="Names of `weights list`, or hf://owner/repo/file@revision.")]


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(HubOptions):
    """Options of `hfpie weights verify`."""

    names: Annotated[
        list[str],
        typer.Argument(help="Names of `weights list`; default: all whose files are here.", show_default=False),
    ] = field(default_factory=list)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    weights = typer.Typer(name="weights", help="List, download, check and publish weights.", no_args_is_help=True)
    add_command(
        weights,
        "list",
        ListOptions,
        show_list,
        summary="List every checkpoint that hfpie knows by name.",
        examples="Examples: [bold]hfpie weights list[/] | [bold]hfpie weights list --json[/]",
    )
    add_command(
        weights,
        "info",
        InfoOptions,
        show_info,
        summary="Tell all that is known of a checkpoint.",
        examples="Examples: [bold]hfpie weights info compact.denoise[/] | "
        "[bold]hfpie weights info RealESRGAN_x4plus --json[/]",
    )
    add_command(
        weights,
        "pull",
        PullOptions,
        pull,
        summary="Download checkpoints and verify them, to use them offline later.",
        examples="Examples: [bold]hfpie weights pull RealESRGAN_x4plus[/] | "
        "[bold]hfpie weights pull hf://owner/repo/file.safetensors@main[/]",
    )
    add_command(
        weights,
        "verify",
        VerifyOptions,
        verify,
        summary="Compare the files that are here with their SHA-256.",
        examples="Examples: [bold]hfpie weights verify[/] | [bold]hfpie weights verify compact.denoise[/]",
    )
    publish.register(weights)
    app.add_typer(weights)


def show_list(options: ListOptions) -> int:
    """Print the table, or one JSON object a checkpoint."""
    hub, console = options.hub(), options.console()
    entries = _public()
    if options.json:
        for entry in entries:
            console.result(_record(entry, hub))
    else:
        _print_table([_cells(entry, hub) for entry in entries], HEADINGS)
    return ExitCode.OK


def _cells(entry: Entry, hub: Hub) -> tuple[str, ...]:
    size = f"{entry.size / 1e6:.1f} MB" if entry.size else ""
    return entry.name, entry.task, f"x{entry.scale}", size, whereabouts(entry, hub), entry.licence


def _print_table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table

    view = Table(box=None)
    for heading in headings:
        view.add_column(
            heading, justify="right" if heading in NUMBERS else "left", no_wrap=heading != "licence", overflow="fold"
        )
    for row in rows:
        view.add_row(*row)
    RichConsole().print(view)


def _record(entry: Entry, hub: Hub) -> dict[str, Any]:
    """All that weights.toml says, where the file is, and what the lock file says of it."""
    record = dataclasses.asdict(entry) | {"where": whereabouts(entry, hub)}
    known = locked(entry.on_hub) if entry.on_hub and not entry.pinned else None
    return record | (dataclasses.asdict(known) if known else {})


def show_info(options: InfoOptions) -> int:
    """Print what is known, one line each, or as one JSON object; with --parts, a line for each part instead."""
    if options.parts:
        return _show_parts(options)
    record = _record(_entry(options.name), options.hub())
    if options.json:
        options.console().result(record)
        return ExitCode.OK
    scores = record.pop("scores")
    for key, value in (record | scores).items():
        if value not in ("", 0):
            typer.echo(f"{key:>12}  {value}" if key in record else f"{'score':>12}  {key}: {value}")
    return ExitCode.OK


def _show_parts(options: InfoOptions) -> int:
    from ..data.benchmarks import open_benchmark
    from ..evaluation.parts import examine_weights

    entry, console = _entry(options.name), options.console()
    degradation = options.degradation or HARD.get(entry.task)
    benchmark = open_benchmark(options.dataset, options.data_root or DEFAULT_ROOT, entry.task, degradation)
    parts = examine_weights(resolve(entry.name, options.hub()), benchmark.first(options.limit).pairs())
    if options.json:
        for part in parts:
            console.result(vars(part))
        return ExitCode.OK
    console.say(f"{entry.name} on {options.dataset}, {degradation}; worth: what PSNR loses without the part")
    rows = [(p.name, f"{p.peak:.3g}", "" if p.share is None else f"{p.share:.3f}", f"{p.worth:.3f} dB") for p in parts]
    _print_table(rows, PARTS_HEADINGS)
    for fault in (fault for part in parts for fault in part.faults()):
        console.say(f"warning: {fault}")
    return ExitCode.OK


def pull(options: PullOptions) -> int:
    """Fetch each, unless the package has it; the first that fails ends the run."""
    hub, console = options.hub(), options.console()
    for name in options.names:
        if name.startswith(SCHEME):
            _report(console, name, fetch(HubFile.parse(name), hub).path, "downloaded and verified")
            continue
        entry = _entry(name)
        path = locate(entry, hub)
        if entry.shipped is None:
            _report(console, name, path, "downloaded and verified")
        else:
            _report(console, name, path, f"{'' if entry.repo else 'not published, '}shipped with the package")
    return ExitCode.OK


def verify(options: VerifyOptions) -> int:
    """Verify all that are here; wrong ones are told at once and make the exit code 4."""
    hub = dataclasses.replace(options.hub(), offline=True)
    names = options.names or [e.name for e in _public() if whereabouts(e, hub) in ("shipped", "cached")]
    console, wrong = options.console(), False
    for name in names:
        try:
            _report(console, name, locate(_entry(name), hub), "as it should be")
        except UnavailableError as error:
            wrong = True
            console.error(error)
            console.result({"name": name, "error": error.message, "hint": error.hint})
    return ExitCode.UNAVAILABLE if wrong else ExitCode.OK


def _entry(name: str) -> Entry:
    entry = table().get(default_weights(name) if name in TASKS else name)
    if entry is None:
        known = ", ".join(entry.name for entry in _public())
        raise UnavailableError(f"no weights named {name!r}", f"there are {known}")
    return entry


def _public() -> list[Entry]:
    """The entries that are there for users."""
    return [entry for name, entry in table().items() if name != TEST_WEIGHTS]


def _report(console: Console, name: str, path: Path, state: str) -> None:
    console.say(f"{name}: {state} ({path})")
    console.result({"name": name, "path": str(path), "state": state})
