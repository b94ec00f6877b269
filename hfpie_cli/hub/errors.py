"""Messages for failures of the Hub client: one line and a hint, neither with a secret."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UnavailableError

ENDPOINT_HINT = "check HF_ENDPOINT and your connection (a proxy or a login page in between?)"
_TOKEN_HINT = "check the name; for a private repository run `hf auth login` or set HF_TOKEN"
_LATER_HINT = "try again later; cached files work without the Hub"

# messages by exception names of the client and of its HTTP library, specific ones first
_REASONS = {
    "GatedRepoError": ("the repository is gated", "request access on its page, then `hf auth login` or set HF_TOKEN"),
    "DisabledRepoError": ("the repository is disabled", "choose other weights"),
    "RepositoryNotFoundError": ("no such repository, or it is private", _TOKEN_HINT),
    "RevisionNotFoundError": ("no such revision in the repository", "check the branch, tag or commit behind @"),
    "RemoteEntryNotFoundError": ("no such file in the repository at this revision", "check its path and revision"),
    "TooManyRedirects": ("the server redirects in a loop", ENDPOINT_HINT),
    "UnsupportedProtocol": ("the server redirects to an invalid address", ENDPOINT_HINT),
    "FileMetadataError": ("the server does not answer like a Hub server", ENDPOINT_HINT),
    "TimeoutException": ("the server timed out", _LATER_HINT),
    "RemoteProtocolError": ("the connection was lost", _LATER_HINT),
    "ReadError": ("the connection was lost", _LATER_HINT),
    "WriteError": ("the connection was lost", _LATER_HINT),
}
_STATUSES = {
    401: ("access denied (401)", _TOKEN_HINT),
    403: ("access forbidden (403)", _TOKEN_HINT),
    404: ("not found (404)", _TOKEN_HINT),
    429: ("too many requests (429)", "wait a few minutes; limits are higher with HF_TOKEN set"),
}


def explain(error: BaseException, name: str, endpoint: str, cache: Path) -> UnavailableError:
    """One line for any exception that the client met over the file `name`. Never holds a token or a signed address."""
    if isinstance(error, UnavailableError):
        return error
    if error.__cause__ is not None and type(error).__name__ == "LocalEntryNotFoundError":
        return explain(error.__cause__, name, endpoint, cache)  # raised for any failed look-up
    status = status_of(error)
    named = (_REASONS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _REASONS)
    if reason := next(named, None) or _STATUSES.get(status):
        what, hint = reason
    elif status:
        what, hint = f"{host_of(endpoint)} failed ({status})", _LATER_HINT
    elif isinstance(error, OSError) and error.errno:
        what, hint = (
            f"cannot be stored in {cache} ({error.strerror})",
            "free disk space, or set HF_HOME to another folder",
        )
    elif type(error) is OSError:  # the client's wording
        what, hint = "the download has the wrong size", _LATER_HINT
    else:
        problem = f"{type(error).__name__}: {_without_secrets(error)}"
        what, hint = f"{host_of(endpoint)} cannot be reached ({problem})", _LATER_HINT
    return UnavailableError(f"{name}: {what}", hint)


def status_of(error: BaseException) -> int:
    """The HTTP status that an exception reports; 0 if none."""
    return getattr(getattr(error, "response", None), "status_code", 0)


def host_of(endpoint: str) -> str:
    """The endpoint's host, without secrets."""
    return urlsplit(endpoint).hostname or "the Hub"


def _without_secrets(error: BaseException) -> str:
    """The first line of an error's text, without tokens, user names and signed queries."""
    line = (str(error).splitlines() or [""])[0]
    if token := os.environ.get("HF_TOKEN"):
        line = line.replace(token, "***")
    return re.sub(r"hf_\w+|(?<=Bearer )[^'\"\s]+|(?<=://)[^/@\s]+@|\?\S+", "***", line)
