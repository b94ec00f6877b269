"""`train`: a run from a recipe and pictures to weights, in one call."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..console import Console, LoggedConsole
from ..data.sources import Opener
from ..data.training_set import TrainingSet
from ..device import choose_device, choose_training_device, use_cuda_device
from ..distributed import PATIENCE, Ranks, joined_ranks
from ..errors import UsageError
from ..files import cache_folder
from ..hub.client import Hub
from ..shown import counted
from ..tasks import TASKS
from ..weights.registry import find_here, resolve
from .config import TrainConfig, load_config
from .layout import BEST, CONFIG, check_begun, check_free, recipe_path
from .log import RunLog
from .loop import fit
from .pictures import Folders, folders_of, for_pictures, keep_folders
from .run import Run, locked, setup

Name = str | os.PathLike[str]


def train(
    recipe: TrainConfig | Name | None,
    data: Name | None,
    out: Name,
    *,
    settings: Sequence[str] = (),
    degraded: Name | None = None,
    clean: Name | None = None,
    init: str | None = None,
    resume: bool = False,
    device: str = "auto",
    hub: Hub | None = None,
    console: Console | None = None,
    started: float | None = None,
) -> Run:
    """Train on the photographs in `data`, or the pairs in `degraded` and `clean`; `out` is the run's folder.

    recipe: a name such as "compact-denoise", a TOML file, or a configuration; None to `resume` a run, which also keeps
    its pictures if none are given. settings: changes to the recipe, such as "minutes=5" or "network.edges=false". init:
    initial weights, a name or a file. console: gets the messages; by default the logger `hfpie_cli`. started:
    `time.monotonic()` when the time of a run by the clock begins, by default now.

    Returns the run when it is done; its weights are `out`/best.safetensors. Under `torchrun` the processes train
    together. Raises HfpieError for conflicting arguments, and KeyboardInterrupt when interrupted.
    """
    started = time.monotonic() if started is None else started
    folder, hub = Path(out), hub or Hub.from_environment()
    named = Folders(*(Path(name) if name else None for name in (data, degraded, clean)))
    config, folders = _checked(recipe, settings, folder, named, init=init, hub=hub, resume=resume)
    kind = choose_device(device).torch_device.type
    backend = "nccl" if kind == "cuda" else "gloo"
    with ExitStack() as ends:
        ranks = ends.enter_context(joined_ranks(backend, patience=PATIENCE, prepare=use_cuda_device))
        console = (console or LoggedConsole()) if ranks.leads else Console(quiet=True)
        weights = resolve(init, hub).path if init else None
        config = _shared(config, ranks)
        chosen = choose_training_device(ranks.device(device, kind), config.precision)
        decoding = time.monotonic()
        with ranks.one_first():
            pictures = _open(config, folders, console)
        started += time.monotonic() - decoding  # does not count as training
        with console.busy("sorting the pictures by scene"):
            training, held_out = pictures.split()  # first, so that too few pictures are reported before the run starts
        config = replace(for_pictures(config, pictures, folders, console.say), precision=chosen.precision)
        console.say(f"{pictures}, {config.length}, {chosen.name}, run folder {folder}")
        if ranks.leads:
            ends.enter_context(locked(folder))
        with console.busy("building the network"):
            run = setup(config, folder, chosen, init=weights, ranks=ranks, say=console.say)
        ends.callback(run.part)
        if ranks.leads:
            keep_folders(folder, folders, pictures, console.say)
        further = f"to train further: hfpie train --resume {folder} {'--minutes M' if config.minutes else '--steps N'}"
        if run.is_done:
            console.say(f"{folder}: {config.length} done, nothing left to do; {further}")
            return run
        if config.minutes:
            console.say(
                "--minutes depends on the clock: a resumed run uses the minutes left, and its result differs slightly"
            )
        run.seconds += time.monotonic() - started
        try:
            with RunLog(folder, console, run.step) as log:
                fit(run, training, held_out, log)
        except KeyboardInterrupt:
            console.say(f"saved at step {run.step:,}; to continue: hfpie train --resume {folder}")
            raise
        if log.is_worse and not run.adversaries:
            console.warn(f"the network is no better than its input yet; {further}")
        console.say(f"done: {folder / BEST}")
        if config.task in TASKS:
            console.say(f"try it: hfpie {config.task} photo.png --weights {folder / BEST}")
        return run


def _checked(
    recipe: TrainConfig | Name | None,
    settings: Sequence[str],
    folder: Path,
    named: Folders,
    *,
    init: str | None,
    hub: Hub,
    resume: bool,
) -> tuple[TrainConfig, Folders]:
    """(configuration, folders of the pictures): checks the arguments first, the run's folder last."""
    if resume:
        check_begun(folder)
    config = _configuration(recipe, settings, folder)
    if config.losses.is_adversarial and init is None and not resume:
        raise UsageError("adversarial training starts from a trained network", "name its weights with --init")
    folders = named or folders_of(folder)
    if not folders:
        raise UsageError(f"{folder}: no training data given", "name a folder of photographs with --data")
    if init:
        find_here(init, hub)
    if not resume:
        check_free(folder)
    return config, folders


def _configuration(recipe: TrainConfig | Name | None, settings: Sequence[str], folder: Path) -> TrainConfig:
    if isinstance(recipe, TrainConfig):
        if settings:
            raise UsageError(
                "settings apply to recipes, not to a configuration object", "change the configuration object"
            )
        return recipe
    path = folder / CONFIG if recipe is None else recipe_path(os.fspath(recipe), "")
    return load_config(path, settings)


def _shared(config: TrainConfig, ranks: Ranks) -> TrainConfig:
    """The configuration for the ranks. Raises UsageError for a batch that they cannot share."""
    if config.batch % ranks.count:
        message = f"a batch of {counted(config.batch, 'crop')} cannot be shared by {counted(ranks.count, 'process')}"
        raise UsageError(message, f"choose a multiple of {ranks.count}: --batch")
    finish = replace(config.finish, batch=-(-config.finish.batch // ranks.count) * ranks.count)
    return replace(config, finish=finish)


def _open(config: TrainConfig, folders: Folders, console: Console) -> TrainingSet:
    shrinks = config.shrunk > 0
    opener = Opener(config.task, config.scale, cache_folder() / "decoded", console.say, console.track, shrinks)
    return opener.training_set(folders.data, folders.degraded, folders.clean)
