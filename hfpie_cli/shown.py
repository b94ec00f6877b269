"""Texts for a terminal: names of files may hold characters that move the cursor or turn the line around."""

from __future__ import annotations

import unicodedata

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # categories: controls, marks of direction, halves of pairs, ...
JOINERS = "\u200c\u200d"  # within words of some scripts, and emoji


def shown(text: str) -> str:
    """The text with every character that would not be seen written as Python writes it: `\\x1b`, `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter in JOINERS or unicodedata.category(letter) not in UNSEEN else _escaped(letter)
        for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
