"""CUDA graphs: the kernels of a step recorded once and started together.

A GPU runs the kernels of a small network faster than Python starts them one by one: at x4 it would be idle for most of
a step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

WARM_UP = 3  # steps before recording, in which cuDNN chooses its convolutions and optimisers make their state

Losses = tuple[Tensor, Tensor]  # (loss, norm of its gradient)
Work = Callable[[Tensor, Tensor, Tensor], Losses]  # (degraded, clean, step) -> losses; leaves gradients


class Recorder(Protocol):
    """Records work on a device."""

    def aside(self, work: Callable[[], Losses]) -> Losses:
        """Do the work as recorded work would be done: not on the default stream."""

    def record(self, work: Callable[[], Losses]) -> tuple[Callable[[], None], Losses]:
        """(a function that does the recorded work again, on and into the same tensors; what it gives)."""


class CudaRecorder:
    """Records CUDA graphs."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def aside(self, work: Callable[[], Losses]) -> Losses:
        """The work on a stream of its own."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            done = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return done

    def record(self, work: Callable[[], Losses]) -> tuple[Callable[[], None], Losses]:
        """Record without running. Other threads may use CUDA meanwhile, as loaders' batches are pinned by one."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            done = work()
        return graph.replay, done


@dataclass(frozen=True)
class _Recording:
    """Recorded work, and the tensors that it reads and writes."""

    read: tuple[Tensor, Tensor, Tensor]
    replay: Callable[[], None]
    losses: Losses
    gradients: list[Tensor | None]


class Recorded:
    """Does work step by step, WARM_UP times for each shape of batches, then records and replays it.

    The work must be the same kernels in every step: it may depend on the step only as a tensor. The losses that a
    replay gives are overwritten by the next.
    """

    def __init__(self, work: Work, parameters: Iterable[nn.Parameter], recorder: Recorder) -> None:
        """parameters: of the network, whose gradients the work leaves."""
        self._work, self._parameters, self._recorder = work, list(parameters), recorder
        self._done: defaultdict[tuple[torch.Size, ...], int] = defaultdict(int)
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}

    def __call__(self, degraded: Tensor, clean: Tensor, step: Tensor) -> Losses:
        given, shapes = (degraded, clean, step), (degraded.shape, clean.shape)
        if shapes not in self._recordings:
            self._done[shapes] += 1
            if self._done[shapes] <= WARM_UP:
                return self._recorder.aside(lambda: self._work(*given))
            self._recordings[shapes] = self._record(given)
        recording = self._recordings[shapes]
        for kept, new in zip(recording.read, given, strict=True):
            kept.copy_(new)
        recording.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.losses

    def _record(self, given: tuple[Tensor, Tensor, Tensor]) -> _Recording:
        degraded, clean, step = (each.clone() for each in given)
        replay, losses = self._recorder.record(lambda: self._work(degraded, clean, step))
        return _Recording((degraded, clean, step), replay, losses, [each.grad for each in self._parameters])
