"""A training run and its folder, from which it can be resumed at any time."""

from __future__ import annotations

import gc
import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn

from ..data.matching import SAMPLES
from ..device import Device
from ..distributed import Ranks
from ..errors import HfpieError, UsageError
from ..files import sweep
from ..models.blocks import ResidualChannelAttentionBlock
from ..models.experts import ExpertsConfig, expert_weights
from ..models.highpass import HighpassConfig
from ..shown import counted
from ..weights.checkpoint import Checkpoint, build, load_checkpoint, save_checkpoint
from .config import TrainConfig, write_config
from .gan import Adversary, make_adversaries
from .layout import BEST, CONFIG, LOCK
from .muon import make_optimizers
from .objective import HighpassExtraction, Objective, Restoration
from .state import STATE, find_whole, keep

PICTURES_TO_CHOOSE = 10  # fewer scored pictures do not choose the weights that are kept


@dataclass
class Run:
    """A training run: its state, and the folder that holds it."""

    folder: Path
    """Folder of the run."""
    config: TrainConfig
    """Its recipe."""
    device: Device
    """Where it trains."""
    ranks: Ranks
    """Processes that train together."""
    network: nn.Module
    """The network."""
    trained: nn.Module
    """The network wrapped for training: compiled, with gradients shared among processes."""
    average: nn.Module
    """Exponential moving average of the weights: what is validated and shipped."""
    optimizers: list[torch.optim.Optimizer]
    """One for each group of parameters."""
    objective: Objective
    """The loss."""
    adversaries: dict[str, Adversary]
    """Discriminators of adversarial training, by their view."""
    step: int = 0
    """Steps done."""
    best: float = float("-inf")
    """Best validation score."""
    seconds: float = 0.0
    """Time that it has taken."""
    minutes_done: float = 0.0
    """The last budget of minutes that was used up."""
    pictures: int = 0
    """Largest number of held-out pictures that a validation scores; 0 before the first."""

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to train."""
        if self.config.minutes:
            return self.minutes_done == self.config.minutes
        return self.step == self.config.steps

    def part(self) -> None:
        """Release the wrapper that shares gradients, before the process group is destroyed.

        It holds the process group, and destroying it later could deadlock.
        """
        self.trained = self.network
        for adversary in self.adversaries.values():
            adversary.part()
        gc.collect()


def setup(
    config: TrainConfig,
    folder: Path,
    device: Device,
    *,
    init: Path | None = None,
    ranks: Ranks | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Run:
    """A new run in `folder`, or the run saved there, at the step it had reached, with the configuration `config`.

    init: a checkpoint whose weights start a new run; weights of other shapes (another scale's output) are left out,
    which `say` reports. ranks: the processes that train together. Raises HfpieError for a folder whose state does not
    fit, UsageError for an `init` that does not.
    """
    ranks = ranks or Ranks()
    torch.manual_seed(config.seed)
    network, average = build(config.network), build(config.network)
    if init is not None:
        _warm_start(network, init, say, whole=config.losses.is_adversarial)
    average.load_state_dict(network.state_dict())
    for model in (network, average):
        model.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = ranks.together(torch.compile(network, dynamic=False) if config.compile else network)  # type: ignore[arg-type]
    optimizers = make_optimizers(network, config.optimizer, config.rate, decay=config.weight_decay, betas=config.betas)
    objective = _objective(config, device)
    adversaries = make_adversaries(config.losses, device, ranks) if isinstance(objective, Restoration) else {}
    run = Run(folder, config, device, ranks, network, trained, average, optimizers, objective, adversaries)
    if (folder / STATE).exists():
        _load_state(run, say)
    _check_length(run)
    steps = ranks.gather(run.step)
    if min(steps) != max(steps):
        raise HfpieError(
            f"{folder}: processes see different states", "keep the run in a folder that all machines share"
        )
    if ranks.leads:
        folder.mkdir(parents=True, exist_ok=True)
        save_state(run)  # so that a run that is killed early restarts from the same weights
        write_config(config, folder / CONFIG)
    return run


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder for the block. Raises HfpieError if another process trains there.

    A folder that stays empty is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        hint = "wait until it ends, or use another folder with --output"
        raise HfpieError(f"{folder}: another process is training there", hint) from None
    sweep([folder, folder / SAMPLES])
    try:
        yield
    finally:
        if not any(path.name != LOCK for path in folder.iterdir()):
            (folder / LOCK).unlink()
            with suppress(OSError):
                folder.rmdir()
        lock.release()


def _check_length(run: Run) -> None:
    """Raises UsageError if the run has gone further than its configuration allows."""
    config, minutes = run.config, max(run.minutes_done, run.seconds / 60)
    if config.minutes and minutes > config.minutes and not run.is_done:
        done = counted(round(minutes, 1), "minute")
        message = f"{run.folder}: has trained for {done} already, more than {config.minutes:g}"
        raise UsageError(message, "use a larger --minutes")
    if config.steps and run.step > config.steps:
        message = f"{run.folder}: has done {counted(run.step, 'step')} already, more than {config.steps}"
        raise UsageError(message, "use a larger --steps")


def _objective(config: TrainConfig, device: Device) -> Objective:
    if isinstance(config.network, HighpassConfig):
        return HighpassExtraction(config.network)
    return Restoration(config.losses, device)


def _warm_start(network: nn.Module, init: Path, say: Callable[[str], None], *, whole: bool) -> None:
    """Load the weights that fit; blocks that the checkpoint lacks start as the identity.

    whole: all others must fit, and all that it has, because adversarial training only refines.
    """
    checkpoint = load_checkpoint(init)
    wanted, given = network.state_dict(), checkpoint.weights
    if isinstance(checkpoint.config, ExpertsConfig):
        given = expert_weights(given, 0)
        say(f"{init}: starting from the first of its {checkpoint.config.experts} experts")
    fitting = {name: given[name] for name in wanted if name in given and given[name].shape == wanted[name].shape}
    blocks = {name: part for name, part in network.named_modules() if isinstance(part, ResidualChannelAttentionBlock)}
    added = {name: block for name, block in blocks.items() if not any(key.startswith(f"{name}.") for key in given)}
    of_added = tuple(f"{name}." for name in added)
    missing = [name for name in wanted if name not in fitting and not name.startswith(of_added)]
    surplus = set(given) - set(wanted)
    if not fitting or (whole and (missing or surplus)):
        more = f" and {len(surplus)} others" if surplus else ""
        message = f"{init}: has {len(fitting)} of the {len(wanted)} tensors of the recipe's network{more}"
        raise UsageError(message, "start from weights of the recipe's network, or name their --recipe (compact, paper)")
    if added:
        say(f"{init}: lacks {counted(len(added), 'block')}, started as the identity")
    if missing:
        say(f"{init}: {len(missing)} of the network's {len(wanted)} tensors start from random values")
    network.load_state_dict(fitting, strict=False)
    for block in added.values():
        nn.init.zeros_(block.conv2.weight)
        nn.init.zeros_(block.conv2.bias)  # type: ignore[arg-type]


def keep_best(run: Run, score: float) -> None:
    """Write the averaged weights if they score (dB) higher than any before.

    Always write them where the score is no guide: in adversarial training, as invented detail lowers it; in training
    mostly on drawings, as photographs are held out; where too few pictures are scored, as chance decides.
    """
    if score > run.best or not chooses(run):
        run.best = score
        _write_average(run)


def chooses(run: Run) -> bool:
    """Whether the score of held-out pictures chooses the weights that are kept; otherwise the last are."""
    scores_few = 0 < run.pictures < PICTURES_TO_CHOOSE
    return not (run.adversaries or run.config.drawn > 0.5 or scores_few)


def _write_average(run: Run) -> None:
    info = {"task": run.config.task, "steps": str(run.step)}
    save_checkpoint(run.folder / BEST, Checkpoint(run.config.network, run.average.state_dict(), info))


def save_state(run: Run) -> None:
    """Write the state of the run atomically and keep the previous one."""
    state = {
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in run.optimizers],
        "adversaries": {view: adversary.state() for view, adversary in run.adversaries.items()},
        "step": run.step,
        "best": run.best,
        "validation": list(run.config.validation),
        "pictures": run.pictures,
        "seconds": run.seconds,
        "minutes_done": run.minutes_done,
    }
    written = io.BytesIO()  # torch's own writer hides a full disk
    torch.save(state, written)
    keep(run.folder / STATE, written.getvalue())


def _load_state(run: Run, say: Callable[[str], None]) -> None:
    try:
        state: dict[str, Any] = torch.load(find_whole(run.folder, say), map_location="cpu", weights_only=True)
        run.network.load_state_dict(state["network"])
        run.average.load_state_dict(state["average"])
        for optimizer, saved in zip(run.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for view, adversary in run.adversaries.items():
            adversary.load(state["adversaries"][view])
        run.step, run.seconds = state["step"], state["seconds"]
        run.pictures, run.minutes_done = state.get("pictures", 0), state.get("minutes_done", 0.0)
        validated_by = tuple(state.get("validation", run.config.validation))
    except (RuntimeError, ValueError, TypeError, KeyError, EOFError, pickle.UnpicklingError):
        hint = "network, optimizer and discriminator cannot change within a run; start a new run with --init"
        raise HfpieError(f"{run.folder / STATE}: the state of a different kind of run", hint) from None
    if validated_by != run.config.validation:
        say(f"{run.folder}: was validated by {', '.join(validated_by)} before: its best score starts over")
    elif state["best"] > run.best and not (run.folder / BEST).exists():
        say(f"{run.folder / BEST}: missing, rebuilt from the average of step {run.step}; its best score starts over")
        if run.ranks.leads:
            _write_average(run)
    else:
        run.best = state["best"]
