"""Ctrl-C, SIGTERM of a scheduler and SIGHUP of a terminal: deferred until the work can stop, or raised at once."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
SIGNALS = (signal.SIGINT, *ENDING)


class Stopped(KeyboardInterrupt):
    """A signal that ends the process was received. code: exit code, 128 plus the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise Stopped in the main thread, as Ctrl-C raises KeyboardInterrupt.

    One that the process was started to ignore, as under `nohup`, stays ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        _leave_closed_terminal()
        raise Stopped(number)

    before: dict[int, signal._HANDLER] = {}
    if threading.current_thread() is threading.main_thread():  # Python handles signals in the main thread alone
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_closed_terminal() -> None:
    """Connect standard streams whose terminal was closed to the null device, so that the last lines raise nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.write(stream.fileno(), b"")
        except (OSError, ValueError) as error:  # ValueError: a stream without a descriptor
            if getattr(error, "errno", None) == errno.EIO:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def stop_by(number: int) -> KeyboardInterrupt:
    """What to raise for a signal that was deferred."""
    return KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)


class Interruption:
    """Within the block, `number` is that of the signal received, 0 before; a second one acts as usual.

    A signal that the process was started to ignore, as background jobs ignore SIGINT, stays ignored.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # Python handles signals in the main thread alone
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        _leave_closed_terminal()
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
