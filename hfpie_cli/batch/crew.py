"""How many threads a run has, and how many photographs are in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..restore import Restorer
from .amount import Amount
from .pipeline import Crew

MOST_WORKERS = 4  # photographs that a CPU restores at a time, each with its share of the threads
WAITING = 3  # photographs beyond those: one being read, two being written
ROOM = 1 << 30  # bytes of pixels in memory at a time


def choose_crew(restorer: Restorer, amounts: Sequence[Amount]) -> Crew:
    """Several photographs at a time on a CPU, which is faster than several threads on each; one on other devices."""
    largest = max((amount.pixels for amount in amounts), default=0.0) * 3 * (1 + restorer.scale**2)
    room = max(1, int(ROOM / max(largest, 1.0)))
    most = min(MOST_WORKERS, torch.get_num_threads()) if restorer.device.torch_device.type == "cpu" else 1
    workers = max(1, min(most, len(amounts), room))
    return Crew(1, workers, min(2, len(amounts) or 1), max(1, min(workers + WAITING, room)))
