"""`hfpie data list`, `hfpie data pull`, `hfpie data verify`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..console import Console
from ..data.catalogue import DEFAULT_ROOT, DataSet, data_sets, find
from ..errors import ExitCode, UnavailableError, UsageError
from ..files import sweep
from ..hub.client import fetch
from ..shown import counted
from ..suggest import did_you_mean
from .options import HubOptions, TalkOptions, add_command
from .shell import Group
from .tables import print_table

HEADINGS = ("name", "here", "pictures", "licence", "size", "from")


@dataclass(frozen=True, kw_only=True)
class DataOptions(TalkOptions):
    """Options of all three commands."""

    data_root: Annotated[Path, typer.Option(envvar="HFPIE_DATA", help="Folder of the data sets.")] = DEFAULT_ROOT


@dataclass(frozen=True, kw_only=True)
class NamedOptions(DataOptions):
    """Options of the commands for one data set."""

    name: Annotated[str, typer.Argument(help="SIDD, REDS, GoPro, DIV2K, ...: hfpie data list", show_default=False)]


@dataclass(frozen=True, kw_only=True)
class PullOptions(NamedOptions, HubOptions):
    """Options of `hfpie data pull`."""

    train: Annotated[bool, typer.Option("--train", help="Include the training pictures.")] = False


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    data = typer.Typer(name="data", cls=Group, help="List, download and verify data sets.", no_args_is_help=True)
    add_command(
        data,
        "list",
        DataOptions,
        list_sets,
        summary="List the data sets, their licences, and which are on this machine.",
        examples=("hfpie data list",),
    )
    add_command(
        data,
        "pull",
        PullOptions,
        pull_set,
        summary="Download a data set from the Hub, unpack it and check it.",
        examples=(
            "hfpie data pull REDS",
            "hfpie data pull GoPro --data-root DATA",
        ),
    )
    add_command(
        data,
        "verify",
        NamedOptions,
        verify_set,
        summary="Check that a data set is complete and laid out as published.",
        examples=("hfpie data verify SIDD",),
    )
    app.add_typer(data)


def list_sets(options: DataOptions) -> int:
    """Print the table of data sets."""
    rows = []
    for entry in data_sets().values():
        here = any((options.data_root / entry.name).glob("*"))
        way = "pull" if entry.hub else "web"
        rows.append((entry.name, "yes" if here else "", entry.about, entry.licence, entry.size, way))
        record = {"name": entry.name, "here": here, "about": entry.about, "licence": entry.licence, "size": entry.size}
        hub = {"repo": entry.hub.repo, "revision": entry.hub.revision} if entry.hub else None
        options.console().result({**record, "source": entry.source, "layout": entry.patterns, "hub": hub})
    if not options.json:
        print_table(HEADINGS, {"": rows})
        print(f"\nhere: in {options.data_root}")
        print("pull: hfpie data pull NAME downloads it")
        print("web: hfpie data verify NAME shows where to get it")
    return ExitCode.OK


def pull_set(options: PullOptions) -> int:
    """Download, unpack, check."""
    from ..data.download import missing_folders, unpack, wanted_archives

    console, entry = options.console(), _entry(options.name)
    archives = wanted_archives(entry, train=options.train)
    folder, hub = options.data_root / entry.name, options.hub()
    console.say(f"{entry.name}: {entry.licence}; {entry.size}; to {folder}")
    sweep([folder])
    for archive, file in archives.items():
        missing = missing_folders(archive, folder)
        if missing:
            fetched = fetch(file, hub).path
            folder.mkdir(parents=True, exist_ok=True)
            unpack(fetched, folder, missing, console.progress)
        kept = f"unpacked; the archive is kept in {fetched}" if missing else "already there"
        console.say(f"{archive.file}: {kept}")
        console.result({"name": entry.name, "archive": archive.file, "unpacked": bool(missing)})
    return _verify(entry, options.data_root, console)


def verify_set(options: NamedOptions) -> int:
    """Check one data set."""
    return _verify(_entry(options.name), options.data_root, options.console())


def _entry(name: str) -> DataSet:
    entry = find(name)
    if entry is None:
        raise UsageError(f"no data set {name!r}", did_you_mean(name, data_sets()))
    return entry


def _verify(entry: DataSet, root: Path, console: Console) -> int:
    """Print the parts found. Raises UnavailableError if there are none, or if one differs from what was published."""
    from ..data.verify import parts_of

    folder = entry.folder_below(root)
    parts = list(parts_of(entry, root, console.track))
    for part in parts:
        console.say(f"{entry.name}, {part.what}: {part.problem or counted(part.count, 'picture') + ', as published'}")
        console.result({"name": entry.name, "part": part.what, "pictures": part.count, "problem": part.problem})
    if broken := [part for part in parts if part.problem and part.count]:
        raise UnavailableError(f"{entry.name}, {broken[0].what}: {broken[0].problem}", "download it again")
    if not any(part.count for part in parts):
        raise UnavailableError(f"{folder}: no files found", entry.advice(folder, entry.patterns[0]))
    return ExitCode.OK
