"""The one error that the library raises for what a user can mend, and the exit codes of the command line."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to the shell when it ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    SOME_FAILED = 3
    UNAVAILABLE = 4  # weights or data that are missing, unreachable or of the wrong hash
    INTERRUPTED = 130


class HfpieError(Exception):
    """Something went wrong that the user can do something about.

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
    """The command line asks for something that does not go together."""

    code = ExitCode.USAGE


class UnavailableError(HfpieError):
    """Weights or data that cannot be had, or that are not what they should be."""

    code = ExitCode.UNAVAILABLE
