"""`hfpie train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ExitCode, UnavailableError, UsageError
from ..files import cache_folder
from .options import TalkOptions, add_command

DATA_SET = {"denoise": "SIDD", "deblur": "REDS", "sr": "DIV2K", "highpass": "DIV2K"}  # the paper trains each task on


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TalkOptions):
    """Options of `hfpie train`; those that are None leave the recipe's value."""

    task: Annotated[str, typer.Option(help="denoise, deblur, sr or highpass (the loss network).")]
    gan: Annotated[bool, typer.Option("--gan", help="Adversarial training; start it with --init.")] = False
    data: Annotated[Path | None, typer.Option(help="A folder of photographs.")] = None
    data_root: Annotated[
        Path | None, typer.Option(envvar="HFPIE_DATA", help="Where data sets lie; default ~/.cache/hfpie/data.")
    ] = None
    recipe: Annotated[str | None, typer.Option(help="A recipe's name or TOML file; default: compact.")] = None
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's folder; default runs/TASK.")] = None
    init: Annotated[Path | None, typer.Option(help="A checkpoint that a new run starts from.")] = None
    resume: Annotated[Path | None, typer.Option(help="The folder of a run to go on with.")] = None
    steps: Annotated[int | None, typer.Option(min=1)] = None
    batch: Annotated[int | None, typer.Option(min=1)] = None
    crop: Annotated[int | None, typer.Option(min=8, help="Side of the training crops, pixels.")] = None
    rate: Annotated[float | None, typer.Option(help="Learning rate.")] = None
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.")] = None
    seed: Annotated[int | None, typer.Option()] = None


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "train",
        TrainOptions,
        train,
        summary="Train a network on a folder of photographs.",
        examples="Examples: [bold]hfpie train --task deblur[/] | "
        "[bold]hfpie train --task denoise --data photos/ --steps 20000[/] | "
        "[bold]hfpie train --task denoise --data photos/ --resume runs/denoise[/]",
    )


def train(options: TrainOptions) -> int:
    """Resolve the recipe and the data, then train; the run's folder keeps everything."""
    if options.task not in DATA_SET:
        raise UsageError(f"no task {options.task!r}", f"there are {', '.join(DATA_SET)}")
    if options.gan and options.init is None and options.resume is None:
        raise UsageError("adversarial training starts from a trained network", "name its checkpoint with --init")
    data = options.data or _default_data(options)
    from ..config import load_config, recipe_path
    from ..data.store import open_store
    from ..train import fit, setup

    console = options.console()
    folder = options.resume or options.out or Path("runs") / options.task
    if options.resume is None and (folder / "state.pt").exists():
        raise UsageError(f"{folder}: holds a run already", f"say --resume {folder}, or name another folder with --out")
    default = f"compact-{options.task}-gan" if options.gan else f"compact-{options.task}"
    recipe = folder / "config.toml" if options.resume else recipe_path(options.recipe or default)
    changes = {key: getattr(options, key) for key in ("steps", "batch", "crop", "rate", "precision", "seed")}
    config = load_config(recipe, **changes)
    if config.task != options.task:
        raise UsageError(f"{recipe}: a recipe for {config.task}", f"say --task {config.task}, or another recipe")
    console.say(f"training {config.task} by {recipe.stem} on {data}, run folder {folder}")
    photos = open_store(data, cache_folder() / "decoded", console.say)
    run = setup(config, folder, options.init)
    fit(run, photos, console.say)
    console.say(f"done: {folder / 'best.safetensors'}")
    return ExitCode.OK


def _default_data(options: TrainOptions) -> Path:
    root = options.data_root or Path.home() / ".cache" / "hfpie" / "data"
    name = DATA_SET[options.task]
    found = root / name
    if not found.is_dir():
        hint = f"put the data set into {found}, or train on any folder of photographs with --data FOLDER"
        raise UnavailableError(f"{name}, the data set for {options.task}, is not in {root}", hint)
    return found
