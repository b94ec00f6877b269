"""Three stages, each in its own threads: some files are read and written while others are computed.

    items -> load -> work -> save -> results, in the order of the items

At most `in_flight` items are in the pipeline, so that memory does not grow with their number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
PATIENCE = 5.0  # seconds that threads have to finish when a run is stopped


class StoppedError(Exception):
    """Raised within a stage after the run was stopped."""


@dataclass(frozen=True)
class Settled:
    """Returned by a stage for an item that skips the further stages."""

    result: Any
    """The item's result."""


@dataclass(frozen=True)
class Crew:
    """How many threads each stage has."""

    loaders: int = 1
    """Threads that load."""
    workers: int = 1
    """Threads that work."""
    savers: int = 1
    """Threads that save."""
    in_flight: int = 1
    """Items between the start of loading and the end of saving."""


@dataclass
class _Parcel:
    """An item in the pipeline. content: what the last stage returned or raised."""

    index: int
    content: Any


@dataclass
class Pipeline(Generic[Item]):
    """Runs items through `load(item)`, `work(item, loaded)` and `save(item, worked)`.

    If a stage raises, the exception is the item's result. KeyboardInterrupt and BrokenPipeError end the
    run. After a stop, `check`, which long stages call now and then, raises StoppedError.
    """

    load: Callable[[Item], Any]
    """First stage: item to loaded item."""
    work: Callable[[Item, Any], Any]
    """Second stage: item and loaded item to worked item."""
    save: Callable[[Item, Any], Any]
    """Last stage: item and worked item to result."""
    crew: Crew
    """Threads of each stage."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def check(self) -> None:
        """Raise StoppedError once the run has been stopped."""
        if self._stop.is_set():
            raise StoppedError

    @property
    def lingers(self) -> bool:
        """Whether a thread did not end in time, so that the process must not wait for it."""
        return any(thread.is_alive() for thread in self._threads)

    def run(self, items: Sequence[Item]) -> Generator[tuple[Item, Any], None, None]:
        """(item, result) for each, in order: what `save` returned, what a stage settled, or an exception."""
        slots = threading.Semaphore(self.crew.in_flight)
        waiting: SimpleQueue[_Parcel | None] = SimpleQueue()
        worked: SimpleQueue[_Parcel | None] = SimpleQueue()
        results: SimpleQueue[_Parcel] = SimpleQueue()
        numbers = iter(range(len(items)))
        taking = threading.Lock()

        def advance(parcel: _Parcel, stage: Callable[..., Any], *given: Any, onward: SimpleQueue[Any] | None) -> None:
            try:
                self.check()
                parcel.content = stage(items[parcel.index], *given)
            except BaseException as problem:
                parcel.content = problem
                onward = None
            if isinstance(parcel.content, Settled):
                parcel.content, onward = parcel.content.result, None
            if onward is not None:
                onward.put(parcel)
            else:
                slots.release()
                results.put(parcel)

        def loading() -> None:
            while True:
                slots.acquire()
                with taking:
                    index = next(numbers, None)
                if index is None or self._stop.is_set():
                    slots.release()
                    return
                advance(_Parcel(index, None), self.load, onward=waiting)

        def working() -> None:
            while (parcel := waiting.get()) is not None:
                advance(parcel, self.work, parcel.content, onward=worked)

        def saving() -> None:
            while (parcel := worked.get()) is not None:
                advance(parcel, self.save, parcel.content, onward=None)

        self._stop.clear()
        stages = [(loading, self.crew.loaders), (working, self.crew.workers), (saving, self.crew.savers)]
        self._threads = [threading.Thread(target=body, daemon=True) for body, count in stages for _ in range(count)]
        try:
            for thread in self._threads:
                thread.start()
            yield from _in_order(items, results)
        finally:
            self._stop.set()
            for _ in self._threads:
                slots.release()
                waiting.put(None)
                worked.put(None)
            self._join()

    def _join(self) -> None:
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _in_order(items: Sequence[Item], results: SimpleQueue[_Parcel]) -> Iterator[tuple[Item, Any]]:
    early: dict[int, Any] = {}
    for index, item in enumerate(items):
        while index not in early:
            parcel = results.get()
            if isinstance(parcel.content, BaseException) and not _is_of_one_item(parcel.content):
                raise parcel.content
            early[parcel.index] = parcel.content
        yield item, early.pop(index)


def _is_of_one_item(problem: BaseException) -> bool:
    return isinstance(problem, Exception) and not isinstance(problem, BrokenPipeError | StoppedError)
