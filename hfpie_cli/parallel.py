"""Several processes that train together, as torchrun starts them: who is who, and what they tell each other.

Without torchrun there is one process, and everything here is trivial.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from .errors import UsageError


@contextmanager
def process_group(device: str) -> Iterator[str]:
    """Join the group that torchrun's environment names, for as long as the block runs; gives this process's device.

    device: as `device.choose_device` takes it; of several GPUs each process gets its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield f"cuda:{os.environ['LOCAL_RANK']}" if on_gpu else device
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number; 0 speaks and writes for all."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(batch: int) -> range:
    """The samples of a batch that are this process's. Raises UsageError if they cannot be shared evenly."""
    if batch % processes():
        raise UsageError(
            f"a batch of {batch} cannot be shared by {processes()} processes", "choose a multiple: --batch"
        )
    size = batch // processes()
    return range(rank() * size, (rank() + 1) * size)


def together(network: nn.Module) -> nn.Module:
    """The network, its gradients averaged over the processes."""
    return DistributedDataParallel(network) if processes() > 1 else network


def total(values: Tensor) -> Tensor:
    """The sum of every process's tensor, in place."""
    if processes() > 1:
        dist.all_reduce(values)
    return values
