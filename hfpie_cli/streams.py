"""Batches in parallel: while a GPU computes one, another is uploaded or fetched, and the CPU blends a third.

batches -> stream 0: upload, compute, fetch
        -> stream 1:         upload, compute, fetch      -> results, in the order of the batches

A CPU runs several tiles at a time too, each with its share of the threads: what one thread does of a tile alone, Python
and small operations, then keeps no other waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import torch
from torch import Tensor

CUDA_STREAMS = 2  # the most that one copy engine each way keeps busy
CPU_TILES = 4  # tiles that a CPU runs at a time, at most: each holds memory
IDLE = 0.1  # share of the time that may be lost because the last tiles are fewer than that


class Streams:
    """The streams of a device: CUDA_STREAMS on CUDA; elsewhere threads."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._streams: SimpleQueue[torch.cuda.Stream] = SimpleQueue()
        if device.type == "cuda":
            for _ in range(CUDA_STREAMS):
                self._streams.put(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]

    def at_once(self, batches: int) -> int:
        """How many of `batches` to run at the same time."""
        if self._device.type == "cuda":
            return CUDA_STREAMS
        return tiles_at_a_time(torch.get_num_threads(), batches) if self._device.type == "cpu" else 1

    @contextmanager
    def shared_by(self, count: int) -> Iterator[None]:
        """Within the block, `count` batches at a time share the threads of a CPU."""
        with threads_each(count if self._device.type == "cpu" else 1):
            yield

    @contextmanager
    def one(self) -> Iterator[None]:
        """Run the block's work on a stream of its own, and wait for it at the end."""
        if self._device.type != "cuda":
            yield
            return
        stream = self._streams.get()
        try:
            stream.wait_stream(torch.cuda.default_stream(self._device))  # on which the weights were made
            with torch.cuda.stream(stream):
                yield
            stream.synchronize()
        finally:
            self._streams.put(stream)

    def fetch(self, tensor: Tensor) -> Tensor:
        """The tensor on the CPU, complete at the end of the stream's block."""
        if tensor.device.type != "cuda":
            return tensor.cpu()
        fetched = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return fetched.copy_(tensor, non_blocking=True)


def tiles_at_a_time(threads: int, tiles: int) -> int:
    """How many of some tiles to run at a time on a CPU, where they share out the threads and the work evenly."""
    most = range(min(CPU_TILES, threads), 1, -1)
    fits = (n for n in most if threads % n == 0 and -(-tiles // n) * n <= tiles * (1 + IDLE))
    return next(fits, 1)


@contextmanager
def threads_each(workers: int) -> Iterator[None]:
    """Within the block, workers share torch's threads evenly; those that exist before keep theirs."""
    before = torch.get_num_threads()
    if workers > 1:
        torch.set_num_threads(max(1, before // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(work: Callable[[Tensor], Tensor], batches: Iterable[Tensor], count: int) -> Iterator[Tensor]:
    """`work` of each batch, in their order, in `count` threads; with one, in the thread that asks.

    At most `count` + 1 batches and results are held. What `work` raises is raised where its result would come.
    """
    if count == 1:
        yield from map(work, batches)
        return
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[Tensor]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(work, batch))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
