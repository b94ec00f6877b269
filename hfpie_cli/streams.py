"""Batches in parallel: while a GPU computes one, another is uploaded or fetched, and the CPU blends a third.

batches -> stream 0: upload, compute, fetch
        -> stream 1:         upload, compute, fetch      -> results, in the order of the batches
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


class Streams:
    """The streams of a device: CUDA_STREAMS on CUDA; elsewhere one, which is the calling thread."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._streams: SimpleQueue[torch.cuda.Stream] = SimpleQueue()
        self.count = CUDA_STREAMS if device.type == "cuda" else 1
        if device.type == "cuda":
            for _ in range(self.count):
                self._streams.put(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]

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
