"""The error that the library raises for problems that a user can solve, and the exit codes of the command line."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    SOME_FAILED = 3
    UNAVAILABLE = 4  # weights or data that are missing, unreachable or of the wrong hash
    INTERRUPTED = 130


class HfpieError(Exception):
    """A problem that the user can solve.

    message: one line that names the file or the value. hint: the way out, a line or a line for each step, or empty.
    """

    code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # tracebacks show it


class UsageError(HfpieError):
    """Invalid or conflicting options or arguments."""

    code = ExitCode.USAGE


class UnavailableError(HfpieError):
    """Weights or data that are missing, unreachable or not as expected."""

    code = ExitCode.UNAVAILABLE
