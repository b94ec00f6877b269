"""Several processes that `torchrun` started, sharing one piece of work; a process on its own is the only rank."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

PATIENCE = timedelta(days=7)  # that the first process to finish its share has for the last
Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranks:
    """This process's number, from 0, and how many there are. local: its number on this machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process is the one that talks."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part: every `count`-th item."""
        return items[self.rank :: self.count]

    def gather(self, mine: Item) -> list[Item]:
        """What every process passes, by rank; each has to call it."""
        if self.count == 1:
            return [mine]
        from torch import distributed

        everyone: list[Any] = [None] * self.count
        distributed.all_gather_object(everyone, mine)
        return everyone


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that `torchrun` describes in the environment, connected (gloo) while the block runs."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    from torch import distributed

    distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Ranks(int(os.environ["RANK"]), count, int(os.environ["LOCAL_RANK"]))
    finally:
        distributed.destroy_process_group()
