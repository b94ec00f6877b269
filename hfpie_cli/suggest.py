""" "Did you mean ...?": known names similar to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from .shown import either


def near(name: str, known: Iterable[str]) -> list[str]:
    """At most three known names that resemble this one, or otherwise contain it."""
    by_lower = {other.lower(): other for other in known}
    found = get_close_matches(name.lower(), by_lower, n=3) or [other for other in by_lower if name.lower() in other][:3]
    return [by_lower[other] for other in found]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: similar names, or all known ones."""
    known = list(known)
    found = near(name, known)
    return f"did you mean {either(found)}?" if found else f"choose one of {', '.join(known)}"
