"""`hfpie train`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..data.catalogue import DEFAULT_ROOT, TRAINING_SETS
from ..data.matching import check_folder, check_sides, training_folder
from ..distributed import is_first
from ..errors import ExitCode, UsageError
from ..settings import choose_setting
from ..shown import either
from ..suggest import did_you_mean
from ..training.layout import CONFIG, check_begun, read_recipe, recipe_path
from ..weights.registry import find_here
from .options import PictureOptions, add_command

if TYPE_CHECKING:
    from ..training.config import TrainConfig

TASK_HINT = f"choose one of {', '.join(TRAINING_SETS)}"
FIRST_STEPS = """1. put photographs in a folder, a few hundred or more
2. hfpie train --task denoise --data FOLDER  (or deblur, sr, highpass)
3. hfpie denoise photo.png --weights runs/denoise/best.safetensors
or on a published data set: hfpie train --task denoise  (shows how to get it)"""
SHORT = ("steps", "minutes", "batch", "crop", "rate", "seed", "precision")  # options that are keys of the recipe


@dataclass(frozen=True, kw_only=True)
class TrainOptions(PictureOptions):
    """Options of `hfpie train`; None keeps the recipe's value."""

    task: Annotated[
        str | None, typer.Option(help=f"{either(list(TRAINING_SETS))} (the loss network).", show_default=False)
    ] = None
    gan: Annotated[bool, typer.Option("--gan", help="Adversarial training; needs --init.")] = False
    data: Annotated[
        Path | None, typer.Option(help="Folder of photographs, or of a published data set.", show_default=False)
    ] = None
    degraded: Annotated[Path | None, typer.Option(help="Folder of degraded pictures; requires --clean.")] = None
    clean: Annotated[Path | None, typer.Option(help="Folder of the clean originals, with the same names.")] = None
    data_root: Annotated[
        Path | None, typer.Option(envvar="HFPIE_DATA", help="Folder of the data sets; default ~/.cache/hfpie/data.")
    ] = None
    recipe: Annotated[
        str | None, typer.Option(help="compact, paper or a TOML file; default: compact on a CPU, paper on CUDA.")
    ] = None
    settings: Annotated[
        list[str], typer.Option("--set", help="Override a recipe key: KEY=VALUE, such as network.edges=false.")
    ] = field(default_factory=list)
    output: Annotated[
        Path | None, typer.Option("--output", "-o", "--out", help="Folder of the run; default runs/TASK.")
    ] = None
    init: Annotated[str | None, typer.Option(help="Initial weights of a new run: a name or a file.")] = None
    resume: Annotated[Path | None, typer.Option(help="Folder of a run to continue.")] = None
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the run in steps; or use --minutes.")] = None
    minutes: Annotated[
        float | None, typer.Option(help="Length of the run in minutes, validation and saving included.")
    ] = None
    batch: Annotated[int | None, typer.Option(min=1, help="Crops per step, across all processes.")] = None
    crop: Annotated[int | None, typer.Option(min=8, help="Side of the training crops in pixels.")] = None
    rate: Annotated[float | None, typer.Option(help="Learning rate.")] = None
    seed: Annotated[int | None, typer.Option(help="Random seed.")] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto"
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None

    @property
    def purpose(self) -> str:
        """What the recipe is for."""
        return f"{self.task}-gan" if self.gan else str(self.task)

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.resume or self.output or Path("runs") / self.purpose


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "train",
        TrainOptions,
        train,
        summary="Train a network on your own photographs; under torchrun on several GPUs.",
        examples=(
            "hfpie train --task denoise --data photos/  # any folder of photographs",
            "hfpie train --task denoise --data photos/ --minutes 30",
            "hfpie train --task deblur  # on REDS: hfpie data pull REDS --train",
            "hfpie train --resume runs/denoise",
        ),
    )


def train(options: TrainOptions) -> int:
    """Resolve the recipe and the data, then train; the run's folder keeps everything."""
    started = time.monotonic()
    _check(options)
    setting = choose_setting(options.device, options.precision or "auto", residual=True)
    if options.resume:
        check_begun(options.resume)
    read_recipe(_recipe(options))
    if options.init:
        find_here(options.init, options.hub())
    folder = _data(options)
    if is_first():
        what = f"resuming {options.resume}" if options.resume else f"training {options.task}"
        options.console().say(f"{what} on {setting.device}")
    from ..training import call

    call.train(
        _config(options),
        folder,
        options.folder,
        degraded=options.degraded,
        clean=options.clean,
        init=options.init,
        resume=options.resume is not None,
        device=options.device,
        hub=options.hub(),
        console=options.console(),
        started=started,
    )
    return ExitCode.OK


def _check(options: TrainOptions) -> None:
    """Refuse conflicting options before anything is read."""
    if options.task is None and options.resume is None:
        raise UsageError("--task is missing", TASK_HINT if options.data or options.degraded else FIRST_STEPS)
    if options.task is not None and options.task not in TRAINING_SETS:
        raise UsageError(f"no task {options.task!r}", did_you_mean(options.task, TRAINING_SETS))
    if options.task == "highpass" and options.degraded:
        raise UsageError("the high-pass network trains on clean photographs", "name their folder with --data")
    if options.gan and options.init is None and options.resume is None:
        raise UsageError("adversarial training starts from a trained network", "name its weights with --init")
    if options.minutes is not None and not options.minutes > 0:
        raise UsageError(f"--minutes must be more than 0, not {options.minutes:g}", "for a first try use --minutes 10")
    if options.minutes is not None and options.steps is not None:
        raise UsageError("--steps and --minutes both set the length of the run", "use one of them")
    check_sides(options.degraded, options.clean)
    for name in ("output", "recipe", "init"):
        if options.resume and getattr(options, name) is not None:
            raise UsageError(f"a resumed run keeps its {name}: --{name} is only for new runs", "remove it")


def _data(options: TrainOptions) -> Path | None:
    """The folder of photographs; by default, for a new run, that of the task's data set.

    Raises UnavailableError for a missing one, before torch is loaded.
    """
    for folder in filter(None, (options.data, options.degraded, options.clean)):
        check_folder(folder)
    if options.data or options.degraded or options.clean or options.resume:
        return options.data
    return training_folder(str(options.task), options.data_root or DEFAULT_ROOT)


def _config(options: TrainOptions) -> TrainConfig:
    """The recipe, or the configuration of the run to continue, changed by the options."""
    from ..training.config import load_config

    given = {name: getattr(options, name) for name in SHORT}
    changes = [*(f"{name}={value}" for name, value in given.items() if value is not None), *options.settings]
    path = _recipe(options)
    config = load_config(path, changes)
    if options.task not in (None, config.task):
        raise UsageError(f"{path}: a recipe for {config.task}", f"use --task {config.task}, or another recipe")
    if options.gan and not config.losses.is_adversarial:
        raise UsageError(f"{path}: has no adversarial loss", "remove --gan, or use another recipe")
    if config.losses.is_adversarial and not options.gan and not options.resume:
        raise UsageError(f"{path}: an adversarial recipe; it starts from trained weights", "use --gan and --init")
    return config


def _recipe(options: TrainOptions) -> Path:
    """The file of the recipe, or of the configuration of the run to continue."""
    if options.resume:
        return options.resume / CONFIG
    on_gpu = choose_setting(options.device, "auto", residual=True).device.startswith("cuda")
    return recipe_path(options.recipe or ("paper" if on_gpu else "compact"), options.purpose)
