"""Text for a terminal: escape control characters, wrap lines at words, count nouns."""

from __future__ import annotations

import os
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TextIO

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # categories: controls, marks of direction, halves of pairs, ...
JOINERS = "\u200c\u200d"  # within words of some scripts, and emoji
ASSUMED_WIDTH = 80  # columns of a terminal that does not report its width
NARROWEST = 20  # columns that lines are wrapped at


def shown(text: str) -> str:
    """The text with invisible characters escaped as Python writes them: `\\x1b`, `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter in JOINERS or unicodedata.category(letter) not in UNSEEN else _escaped(letter)
        for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def counted(count: float, noun: str) -> str:
    """A count and its noun: `1 step`, `1,000 steps`, `0.5 minutes`, `2 processes`."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    if count == 1:
        return f"{number} {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def in_megapixels(megapixels: float, of: float | None = None) -> str:
    """`0.03`, `0.24`, `12.2`: small pictures get a second digit. of: a total, whose number of digits is used."""
    return f"{megapixels:.2f}" if (megapixels if of is None else of) < 1 else f"{megapixels:.1f}"


def end_of(name: str, most: int) -> str:
    """A file's name without its folders, cut to its last `most` characters, which tell files apart."""
    own = name.rpartition("/")[2]
    return own if len(own) <= most else f"…{own[1 - most :]}"


def either(names: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def columns_of(stream: TextIO) -> int | None:
    """Width of a stream's terminal; None if it is not a terminal."""
    if not stream.isatty():
        return None
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(columns or ASSUMED_WIDTH, NARROWEST)


def wrapped(text: str, width: int | None, *, indent: int = 0, first: str = "") -> str:
    """A line broken at words so that no line is wider than `width`; what follows the first is indented.

    first: what the line begins with. None leaves it whole, and longer words always stay whole, to be copied.
    """
    whole = first + text
    if width is None or len(whole) <= width:
        return whole
    wrapper = textwrap.TextWrapper(
        width,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return wrapper.fill(text)
