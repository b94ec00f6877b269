"""`hfpie weights convert|push`: from a pickle to safetensors, and from here to the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ExitCode, UsageError
from ..hub.client import REPOSITORY, upload
from ..weights.kinds import check_pickle
from ..weights.publish import contents, publishable
from ..weights.registry import locate
from .options import HubOptions, TalkOptions, add_command


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(TalkOptions):
    """Options of `hfpie weights convert`."""

    source: Annotated[Path, typer.Argument(help="A pickled checkpoint, such as file.pth.")]
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: FILE.safetensors beside it.")] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False


@dataclass(frozen=True, kw_only=True)
class PushOptions(HubOptions):
    """Options of `hfpie weights push`."""

    repo: Annotated[str, typer.Option(help="Repository, owner/name; created if it does not exist.")]
    names: Annotated[
        list[str], typer.Argument(help="Checkpoints trained by hfpie; default: all.", show_default=False)
    ] = field(default_factory=list)
    private: Annotated[bool, typer.Option("--private", help="Create a new repository as private.")] = False
    yes: Annotated[bool, typer.Option("--yes", help="Upload; without it, only show what would be uploaded.")] = False


def register(app: typer.Typer) -> None:
    """Add the two commands."""
    add_command(
        app,
        "convert",
        ConvertOptions,
        convert_file,
        summary="Turn a pickled checkpoint into safetensors, without running its code.",
        examples=(
            "hfpie weights convert 4x-net.pth",
            "hfpie weights convert net.pth -o net.safetensors --overwrite",
        ),
    )
    add_command(
        app,
        "push",
        PushOptions,
        push,
        summary="Publish our checkpoints on the Hub, with a model card.",
        examples=(
            "hfpie weights push --repo me/hfpie  # only shows what it would upload",
            "hfpie weights push --repo me/hfpie --yes  # uploads",
        ),
    )


def convert_file(options: ConvertOptions) -> int:
    """Convert and say what it is."""
    check_pickle(options.source)
    from ..weights.convert import convert

    target = options.output or options.source.with_suffix(".safetensors")
    config = convert(options.source, target, overwrite=options.overwrite)
    kind = (
        f"an hfpie network, scale {config.scale}" if config else "weights kept as they were, to be loaded by spandrel"
    )
    console = options.console()
    console.say(f"{options.source} -> {target}  {kind}")
    console.result({"input": str(options.source), "output": str(target), "ours": config is not None})
    return ExitCode.OK


def push(options: PushOptions) -> int:
    """Verify the files and show the card and the list; with --yes, upload them and print the keys for weights.toml."""
    console, hub = options.console(), options.hub()
    if not REPOSITORY.fullmatch(options.repo):
        raise UsageError(f"{options.repo}: not a repository name", "write owner/name")
    entries = publishable(options.names)
    for entry in entries:
        locate(entry, hub)
    files = contents(entries, options.repo)
    if not options.yes:
        _show(files, options)
        return ExitCode.OK
    message = f"Add {', '.join(entry.name for entry in entries)}"
    commit = upload(files, options.repo, hub, private=options.private, message=message)
    console.say(f"published as hf://{options.repo}@{commit}; add to each entry of weights.toml:")
    console.say(f'repo = "{options.repo}"')
    console.say(f'revision = "{commit}"')
    for entry in entries:
        console.result(
            {"name": entry.name, "repo": options.repo, "file": entry.file, "revision": commit, "uploaded": True}
        )
    return ExitCode.OK


def _show(files: Mapping[str, Path | bytes], options: PushOptions) -> None:
    """The model card and the list, on standard output; records alone with --json."""
    console = options.console()
    for path, content in files.items():
        if isinstance(content, bytes) and not options.json:
            typer.echo(content.decode())
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        console.say(f"would upload {path}, {size:,} bytes, to {options.repo}")
        console.result({"repo": options.repo, "file": path, "size": size, "uploaded": False})
    console.say("nothing uploaded; use --yes to upload")
