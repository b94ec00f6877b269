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
    """Several photographs at a time on a CPU, which is faster than several threads for each; one on other devices.

    Only as many as keep busy until the longest file, such as a film, is done, because it keeps its share of the
    threads.
    """
    largest = max((amount.held_bytes for amount in amounts), default=0.0) * (1 + restorer.scale**2)
    room = max(1, int(ROOM / max(largest, 1.0)))
    most = min(MOST_WORKERS, torch.get_num_threads()) if restorer.device.torch_device.type == "cpu" else 1
    workers = max(1, min(most, _side_by_side(amounts), room))
    return Crew(1, workers, min(2, len(amounts) or 1), max(1, min(workers + WAITING, room)))


def _side_by_side(amounts: Sequence[Amount]) -> int:
    """How many files can run beside each other until the longest is done; those of unknown size may be as long."""
    longest = max((amount.pixels for amount in amounts), default=0.0)
    return round(sum(amount.pixels or longest for amount in amounts) / longest) if longest else len(amounts)
