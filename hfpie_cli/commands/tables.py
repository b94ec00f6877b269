"""Tables on standard output that fit the terminal, for the lists of weights and of data sets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from ..shown import columns_of

NUMBERS = {"MB", "MFLOP/px", "s/MP", "largest value", "share of join", "worth"}  # right-aligned columns
WRAPPED = {"for", "licence", "where", "state", "pictures", "size"}  # columns that may take several lines
WIDTH = 140  # width if the output is not a terminal


def table_width() -> int:
    """Columns that a table may have."""
    return columns_of(sys.stdout) or WIDTH


def print_table(headings: Sequence[str], sections: Mapping[str, Sequence[Sequence[str]]]) -> None:
    """Print rows below headings; each section's rows follow its title, unless that is empty."""
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    console = RichConsole(width=table_width())
    view = Table(box=None, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        justify: Literal["left", "right"] = "right" if heading in NUMBERS else "left"
        words = [word for rows in sections.values() for row in rows for word in row[number].split()]
        longest = max(map(len, words), default=0) if heading in WRAPPED else None
        view.add_column(heading, justify=justify, no_wrap=heading not in WRAPPED, min_width=longest, overflow="fold")
    for number, (title, rows) in enumerate(sections.items()):
        if title:
            if number:
                view.add_row()
            view.add_row(Text(title, "bold"))
        for row in rows:
            view.add_row(*map(Text, row))  # brackets in names are no markup
    console.print(view)
