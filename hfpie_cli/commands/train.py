"""`hfpie train`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import Console
from ..data.datasets import DEFAULT_ROOT, holds, table
from ..errors import ExitCode, UnavailableError, UsageError
from ..files import atomic_path, cache_folder
from ..ranks import PATIENCE, Ranks, joined_ranks
from ..tasks import TASKS
from ..weights.table import resolve
from .options import HubOptions, add_command

if TYPE_CHECKING:
    from ..data.training_set import TrainingSet
    from ..training.config import TrainConfig

DATA_FILE = "data.json"  # in the run: its task, its folders, and a hash of its pictures' names
DATA_SETS = {**{task.name: task.data_set for task in TASKS.values()}, "highpass": "DIV2K"}  # by what is trained
RUN_FILES = ("config.toml", "state.pt", "best.safetensors", "log.csv", DATA_FILE)
SHORT = ("steps", "minutes", "batch", "crop", "rate", "seed", "precision")  # options that are keys of the recipe


@dataclass(frozen=True, kw_only=True)
class TrainOptions(HubOptions):
    """Options of `hfpie train`; those that are None leave the recipe's value."""

    task: Annotated[
        str | None, typer.Option(help="denoise, deblur, sr or highpass (the loss network).", show_default=False)
    ] = None
    gan: Annotated[bool, typer.Option("--gan", help="Adversarial training; start it with --init.")] = False
    data: Annotated[
        Path | None, typer.Option(help="A folder of photographs, or of a data set as published.", show_default=False)
    ] = None
    degraded: Annotated[Path | None, typer.Option(help="A folder of degraded pictures, with --clean.")] = None
    clean: Annotated[Path | None, typer.Option(help="Their originals, under the same names.")] = None
    data_root: Annotated[
        Path | None, typer.Option(envvar="HFPIE_DATA", help="Where data sets lie; default ~/.cache/hfpie/data.")
    ] = None
    recipe: Annotated[
        str | None, typer.Option(help="compact, paper or a TOML file; default: compact on a CPU, paper on CUDA.")
    ] = None
    settings: Annotated[
        list[str], typer.Option("--set", help="KEY=VALUE of the recipe, such as network.edges=false.")
    ] = field(default_factory=list)
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's folder; default runs/TASK.")] = None
    init: Annotated[str | None, typer.Option(help="Weights that a new run starts from: a name or a file.")] = None
    resume: Annotated[Path | None, typer.Option(help="The folder of a run to go on with.")] = None
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the run; or say --minutes.")] = None
    minutes: Annotated[
        float | None, typer.Option(help="Length of the run by the clock, validations and saving included.")
    ] = None
    batch: Annotated[int | None, typer.Option(min=1, help="Crops a step, over all processes.")] = None
    crop: Annotated[int | None, typer.Option(min=8, help="Side of the training crops, pixels.")] = None
    rate: Annotated[float | None, typer.Option(help="Learning rate.")] = None
    seed: Annotated[int | None, typer.Option()] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto"
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None

    @property
    def purpose(self) -> str:
        """What a recipe is for."""
        return f"{self.task}-gan" if self.gan else str(self.task)

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.resume or self.out or Path("runs") / self.purpose


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "train",
        TrainOptions,
        train,
        summary="Train a network on photographs; under torchrun on several GPUs.",
        examples="Examples: [bold]hfpie train --task deblur[/] | "
        "[bold]hfpie train --task denoise --data photos/ --steps 20000[/] | "
        "[bold]hfpie train --resume runs/denoise[/]",
    )


def train(options: TrainOptions) -> int:
    """Resolve the recipe and the data, then train; the run's folder keeps everything."""
    started = time.monotonic()
    _check(options)
    options = _as_begun(options) if options.resume else replace(options, data=_data_folder(options))
    if options.resume is None and any((options.folder / name).exists() for name in RUN_FILES):
        hint = f"say --resume {options.folder}, or name another folder with --out"
        raise UsageError(f"{options.folder}: holds a run already", hint)
    from ..device import choose_device, use_cuda_device

    kind = choose_device(options.device).torch_device.type
    with joined_ranks("nccl" if kind == "cuda" else "gloo", patience=PATIENCE, prepare=use_cuda_device) as ranks:
        return _train(replace(options, device=ranks.device(options.device, kind)), ranks, started)


def _check(options: TrainOptions) -> None:
    if options.task is None and options.resume is None:
        raise UsageError("there is no --task", f"there are {', '.join(DATA_SETS)}")
    if options.task is not None and options.task not in DATA_SETS:
        raise UsageError(f"no task {options.task!r}", f"there are {', '.join(DATA_SETS)}")
    if (options.degraded is None) != (options.clean is None):
        raise UsageError("--degraded and --clean go together", "name the folders of both sides of the pairs")
    if options.task == "highpass" and options.degraded:
        raise UsageError("the high-pass network learns from clean photographs", "name their folder: --data")
    if options.resume is None:
        if options.gan and options.init is None:
            raise UsageError("adversarial training starts from a trained network", "name its weights with --init")
        return
    for name in ("out", "recipe", "init"):
        if getattr(options, name) is not None:
            raise UsageError(f"a run that goes on has its own {name}: --{name} is for a new one", "leave it out")
    if not all((options.resume / name).exists() for name in ("config.toml", "state.pt")):
        raise UsageError(f"{options.resume}: holds no run to go on with", "leave --resume out to start one")
    if options.task is None and not (options.resume / DATA_FILE).exists():
        raise UsageError(f"{options.resume}: does not tell its task and its data", "say --task and --data")


def _as_begun(options: TrainOptions) -> TrainOptions:
    """The options with what the run was begun with, if it tells: its task, and its data unless others are named."""
    assert options.resume is not None
    if not (options.resume / DATA_FILE).exists():
        return replace(options, data=_data_folder(options))
    begun = _begun_with(options.resume / DATA_FILE)
    if options.task not in (None, begun["task"]):
        raise UsageError(f"{options.resume}: a run for {begun['task']}", "leave --task out")
    options = replace(options, task=begun["task"], gan=begun["gan"])
    if options.data or options.degraded:
        return options
    data, degraded, clean = (Path(begun[name]) if begun[name] else None for name in ("data", "degraded", "clean"))
    return replace(options, data=data, degraded=degraded, clean=clean)


def _begun_with(path: Path) -> dict[str, Any]:
    """What `_keep_data` wrote. Raises UsageError if it has been changed since so that it says less."""
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        return {name: begun[name] for name in ("task", "gan", "data", "degraded", "clean", "pictures")}
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: not as hfpie wrote it", "delete it, and say --task and --data") from None


def _train(options: TrainOptions, ranks: Ranks, started: float) -> int:
    from ..data.sources import Opener
    from ..device import choose_training_device
    from ..training.log import RunLog
    from ..training.loop import fit
    from ..training.run import setup

    console = options.console() if ranks.leads else Console(quiet=True)
    recipe, config = _recipe(options, ranks)
    device = choose_training_device(options.device, config.precision)
    decoding = time.monotonic()
    with ranks.one_first():
        opener = Opener(config.task, config.scale, cache_folder() / "decoded", console.say, console.track)
        data = opener.training_set(options.data, options.degraded, options.clean)
    started += time.monotonic() - decoding  # is no training
    training, held_out = data.split()  # too few pictures are told before a run is begun
    config = replace(_for_data(config, data, options, console), precision=device.precision)
    console.say(
        f"training {options.purpose} by the recipe {recipe} on {data}, {device.name}, run folder {options.folder}"
    )
    init = resolve(options.init, options.hub()).path if options.init else None
    folder = options.folder
    run = setup(config, folder, device, init=init, ranks=ranks, say=console.say)
    if ranks.leads:
        _keep_data(options, folder, data, console)
    if run.is_done:
        more = "--minutes M" if config.minutes else "--steps N"
        console.say(f"{folder}: all its {config.length} are done; {more} goes further")
        return ExitCode.OK
    if config.minutes:
        console.say(
            "a run by the clock is not the same twice: resumed, it goes on with the minutes left, not bit for bit"
        )
    run.seconds += time.monotonic() - started
    with RunLog(folder, console) as log:
        fit(run, training, held_out, log)
    console.say(f"done: {folder / 'best.safetensors'}")
    return ExitCode.OK


def _keep_data(options: TrainOptions, folder: Path, data: TrainingSet, console: Console) -> None:
    """Write down what the run trains on; say so if it is no longer what it was begun with."""
    path = folder / DATA_FILE
    if path.exists() and _begun_with(path)["pictures"] != data.fingerprint():
        console.say("the pictures are not those that the run was begun with: its best score may not be comparable")
    folders = {name: getattr(options, name) for name in ("data", "degraded", "clean")}
    begun = {name: str(place.resolve()) if place else None for name, place in folders.items()}
    kept = {"task": options.task, "gan": options.gan, **begun, "pictures": data.fingerprint()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _recipe(options: TrainOptions, ranks: Ranks) -> tuple[str, TrainConfig]:
    """(its name, the configuration with what the options change, and for as many processes)."""
    from ..device import choose_device
    from ..training.config import load_config, recipe_path

    default = "paper" if choose_device(options.device).torch_device.type == "cuda" else "compact"
    path = options.resume / "config.toml" if options.resume else recipe_path(options.recipe or default, options.purpose)
    given = {name: getattr(options, name) for name in SHORT}
    changes = [f"{name}={value}" for name, value in given.items() if value is not None]
    config = load_config(path, [*changes, *options.settings])
    if config.task != options.task:
        raise UsageError(f"{path}: a recipe for {config.task}", f"say --task {config.task}, or another recipe")
    if config.losses.is_adversarial and not options.gan:
        raise UsageError(f"{path}: trains adversarially, from weights that are trained", "say --gan, and --init")
    if options.gan and not config.losses.is_adversarial:
        raise UsageError(f"{path}: has no adversarial loss", "leave --gan out, or choose another recipe")
    if config.batch % ranks.count:
        message = f"a batch of {config.batch} crops cannot be shared by {ranks.count} processes"
        raise UsageError(message, f"choose a multiple of {ranks.count}: --batch")
    finish = replace(config.finish, batch=-(-config.finish.batch // ranks.count) * ranks.count)
    return path.stem if options.resume is None else "of the run", replace(config, finish=finish)


def _for_data(config: TrainConfig, data: TrainingSet, options: TrainOptions, console: Console) -> TrainConfig:
    """The configuration for this data: pairs that a recipe does not speak of take the place of its degradations.

    Raises UsageError if the recipe needs pairs or photographs that are not there.
    """
    from ..data.pairs import PAIRS

    if options.data and options.degraded and PAIRS not in config.degradation:
        message = "the recipe gives pairs no share beside photographs, so one of the two would not be trained on"
        raise UsageError(message, "leave --data or the pairs out, or say --set degradation.pairs=0.3")
    if len(data.paired) and PAIRS not in config.degradation:
        console.say(f"the data are pairs: they take the place of {', '.join(config.degradation)}")
        config = replace(config, degradation={PAIRS: 1.0}, validation=(PAIRS,))
    named = {*config.degradation, *config.validation}
    if PAIRS in named and not len(data.paired):
        raise UsageError("the recipe trains on pairs, and there are none", "name their folders: --degraded and --clean")
    if named - {PAIRS} and not len(data.photos):
        raise UsageError("the recipe degrades photographs, and there are none", "name their folder: --data")
    return config


def _data_folder(options: TrainOptions) -> Path | None:
    """The folder to train on; None if pairs alone were named. Raises UnavailableError if the default one is missing."""
    for folder in filter(None, (options.data, options.degraded, options.clean)):
        if not folder.is_dir():
            raise UnavailableError(f"{folder}: no such folder", "name one that holds photographs")
    if options.data or options.degraded:
        return options.data
    assert options.task is not None
    root = options.data_root or DEFAULT_ROOT
    entry = table()[DATA_SETS[options.task]]
    folder = root / entry.name
    if not holds(folder, entry.train):
        hint = f"{entry.advice(folder, entry.train)}; or train on any folder of photographs with --data FOLDER"
        raise UnavailableError(f"{entry.name}, the data set for {options.task}, is not in {root}", hint)
    return folder
