"""`hfpie weights list|info|pull|verify`; its other commands are in `publish.py`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from ..console import Console
from ..data.catalogue import DEFAULT_ROOT
from ..errors import ExitCode, UnavailableError
from ..hub.client import SCHEME, Hub, HubFile, fetch
from ..tasks import TASKS
from ..weights.registry import Entry, get_entry, list_weights, locate, resolve, whereabouts
from . import publish
from .options import HubOptions, add_command
from .shell import Group
from .tables import print_table
from .weights_views import HASH_SHOWN, PARTS_HEADINGS, VERIFY_HEADINGS, print_info, print_list


@dataclass(frozen=True, kw_only=True)
class ListOptions(HubOptions):
    """Options of `hfpie weights list`."""


@dataclass(frozen=True, kw_only=True)
class InfoOptions(HubOptions):
    """Options of `hfpie weights info`."""

    name: Annotated[str, typer.Argument(help="A name from `weights list`.")]
    parts: Annotated[bool, typer.Option("--parts", help="Measure what each part of the network contributes.")] = False
    dataset: Annotated[str, typer.Option(help="Pictures for --parts: a data set or folder, as in `hfpie eval`.")] = (
        "screenshot"
    )
    degradation: Annotated[
        str | None, typer.Option(help="Their degradation, as in `hfpie eval`; default: one that needs every scale.")
    ] = None
    limit: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 4
    data_root: Annotated[
        Path | None, typer.Option(envvar="HFPIE_DATA", help="Folder of the data sets; default ~/.cache/hfpie/data.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PullOptions(HubOptions):
    """Options of `hfpie weights pull`."""

    names: Annotated[list[str], typer.Argument(help="Names from `weights list`, or hf://owner/repo/file@revision.")]


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(HubOptions):
    """Options of `hfpie weights verify`."""

    names: Annotated[
        list[str],
        typer.Argument(help="Names from `weights list`; default: all local files.", show_default=False),
    ] = field(default_factory=list)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    weights = typer.Typer(
        name="weights", cls=Group, help="List, download, verify and publish weights.", no_args_is_help=True
    )
    add_command(
        weights,
        "list",
        ListOptions,
        show_list,
        summary="List every checkpoint that hfpie knows by name, by task.",
        examples=(
            "hfpie weights list",
            "hfpie weights list --json",
        ),
    )
    add_command(
        weights,
        "info",
        InfoOptions,
        show_info,
        summary="Show everything known about a checkpoint.",
        examples=(
            "hfpie weights info compact.denoise",
            "hfpie weights info realesrgan-x4plus --json",
        ),
    )
    add_command(
        weights,
        "pull",
        PullOptions,
        pull,
        summary="Download checkpoints and verify them, to use them offline later.",
        examples=(
            "hfpie weights pull realesrgan-x4plus",
            "hfpie weights pull hf://owner/repo/file.safetensors@main",
        ),
    )
    add_command(
        weights,
        "verify",
        VerifyOptions,
        verify,
        summary="Check local files against their SHA-256.",
        examples=(
            "hfpie weights verify",
            "hfpie weights verify compact.denoise",
        ),
    )
    publish.register(weights)
    app.add_typer(weights)


def show_list(options: ListOptions) -> int:
    """Print the table, or one JSON object a checkpoint."""
    hub, console = options.hub(), options.console()
    entries = list_weights()
    if options.json:
        for entry in entries:
            console.result(_record(entry, hub))
    else:
        print_list(entries, hub)
    return ExitCode.OK


def _record(entry: Entry, hub: Hub) -> dict[str, Any]:
    """The entry of weights.toml, and where the file is."""
    return dataclasses.asdict(entry) | {"where": whereabouts(entry, hub), "default": entry.is_default}


def show_info(options: InfoOptions) -> int:
    """Print what is known, one line each, or as one JSON object; with --parts, a line for each part instead."""
    if options.parts:
        return _show_parts(options)
    entry, hub = get_entry(options.name), options.hub()
    if options.json:
        options.console().result(_record(entry, hub))
    else:
        print_info(entry, whereabouts(entry, hub))
    return ExitCode.OK


def _show_parts(options: InfoOptions) -> int:
    from ..data.benchmarks import open_benchmark
    from ..evaluation.parts import examine_weights

    entry, console = get_entry(options.name), options.console()
    degradation = options.degradation or (TASKS[entry.task].hard_degradation if entry.task in TASKS else None)
    benchmark = open_benchmark(options.dataset, options.data_root or DEFAULT_ROOT, entry.task, degradation)
    parts = examine_weights(resolve(entry.name, options.hub()), benchmark.first(options.limit).pairs())
    if options.json:
        for part in parts:
            console.result(vars(part))
        return ExitCode.OK
    console.say(f"{entry.name} on {options.dataset}, {degradation}; worth: how much PSNR drops without the part")
    rows = [(p.name, f"{p.peak:.3g}", "" if p.share is None else f"{p.share:.3f}", f"{p.worth:.3f} dB") for p in parts]
    print_table(PARTS_HEADINGS, {"": rows})
    for fault in (fault for part in parts for fault in part.faults()):
        console.warn(fault)
    return ExitCode.OK


def pull(options: PullOptions) -> int:
    """Download each unless the package has it; the first failure ends the run."""
    hub, console = options.hub(), options.console()
    for name in options.names:
        if name.startswith(SCHEME):
            _report(console, name, fetch(HubFile.parse(name), hub).path, "downloaded and verified")
            continue
        entry = get_entry(name)
        path = locate(entry, hub)
        if entry.shipped is None:
            _report(console, name, path, "downloaded and verified")
        else:
            _report(console, name, path, f"{'' if entry.repo else 'not published, '}shipped with the package")
    return ExitCode.OK


def verify(options: VerifyOptions) -> int:
    """Verify all local files; wrong ones are reported at once and give exit code 4."""
    hub = dataclasses.replace(options.hub(), offline=True)
    entries = [get_entry(name) for name in options.names] or [
        entry for entry in list_weights() if whereabouts(entry, hub) in ("shipped", "cached")
    ]
    console, wrong = options.console(), False
    rows = []
    for entry in entries:
        try:
            path = locate(entry, hub)
        except UnavailableError as error:
            wrong = True
            console.error(error)
            console.result({"name": entry.name, "error": error.message, "hint": error.hint})
            rows.append((entry.name, "wrong or missing", entry.sha256[:HASH_SHOWN]))
        else:
            console.result({"name": entry.name, "path": str(path), "state": "verified"})
            rows.append((entry.name, "verified", entry.sha256[:HASH_SHOWN] or "as published by the Hub"))
    if rows and not options.json and not options.quiet:
        print_table(VERIFY_HEADINGS, {"": rows})
    return ExitCode.UNAVAILABLE if wrong else ExitCode.OK


def _report(console: Console, name: str, path: Path, state: str) -> None:
    console.say(f"{name}: {state} ({path})")
    console.result({"name": name, "path": str(path), "state": state})
