"""Processes that `torchrun` started, sharing one task; without it, this process is the only rank."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

PATIENCE = timedelta(days=7)  # how long the first process to finish waits for the last
Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranks:
    """Which of several processes this is."""

    rank: int = 0
    """This process's number, from 0."""
    count: int = 1
    """Number of processes."""
    local: int = 0
    """This process's number on this machine."""
    local_count: int = 1
    """Number of processes on this machine."""

    def device(self, name: str, kind: str) -> str:
        """The device for this process when `name`, of a `kind`, was requested: a GPU for each process."""
        return f"cuda:{self.local}" if kind == "cuda" and self.count > 1 and ":" not in name else name

    @property
    def leads(self) -> bool:
        """Whether this process prints messages."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part: every `count`-th item."""
        return items[self.rank :: self.count]

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """One process of each machine runs the block first; the others then find its results."""
        if self.count > 1 and self.local > 0:
            self._wait()
        yield
        if self.count > 1 and self.local == 0:
            self._wait()

    def _wait(self) -> None:
        from torch import distributed

        distributed.barrier()

    def gather(self, mine: Item) -> list[Item]:
        """Values of all processes, by rank; every process must call it."""
        if self.count == 1:
            return [mine]
        from torch import distributed

        everyone: list[Any] = [None] * self.count
        distributed.all_gather_object(everyone, mine)
        return everyone

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place; every process must call it."""
        if self.count > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def together(self, network: nn.Module) -> nn.Module:
        """Wrap the network so that its gradients are averaged over the processes."""
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(network)


def is_first() -> bool:
    """Whether this process prints messages, before the processes are connected."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ["RANK"] == "0"


@contextmanager
def joined_ranks(
    backend: str = "gloo", *, patience: timedelta | None = None, prepare: Callable[[int], None] | None = None
) -> Iterator[Ranks]:
    """The ranks that `torchrun` describes in the environment, connected while the block runs.

    patience: how long a process waits for the slowest; by default torch's half hour. prepare: called with
    the process's number on this machine before they are connected by NCCL, to choose its GPU.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    # Its functions take the group of the moment of their import as a default: imported later, they would keep the
    # group's threads alive after its end, which then now and then abort the process as the interpreter goes down.
    import_module("torch.distributed.nn.functional")
    from torch import distributed

    if prepare and backend == "nccl":
        prepare(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group(backend, timeout=patience)
    try:
        local = (int(os.environ[name]) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
        yield Ranks(int(os.environ["RANK"]), count, *local)
    finally:
        distributed.destroy_process_group()
