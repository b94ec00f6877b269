"""Text output of `hfpie weights`: the list by task, one checkpoint, and the result of `verify`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..hub.client import Hub
from ..shown import columns_of, wrapped
from ..tasks import TASKS
from ..weights.registry import Entry, whereabouts
from .tables import print_table, table_width

LIST_HEADINGS = ("name", "for", "MB", "MFLOP/px", "s/MP", "where", "licence")
PARTS_HEADINGS = ("part", "largest value", "share of join", "worth")
VERIFY_HEADINGS = ("name", "state", "SHA-256")
HASH_SHOWN = 16  # digits, so that the table fits a terminal; `weights info` shows all
WIDE = 110  # columns that the whole list needs
COSTS = {"MFLOP/px", "s/MP"}  # headings left out on narrower terminals
GROUPS = {  # by task and whether detail is invented
    (task.name, gan): f"{task.name}, {'invents detail' if gan else 'faithful'}" if task.gan_weights else task.name
    for task in TASKS.values()
    for gan in ((False, True) if task.gan_weights else (False,))
}
OTHERS = "training only"


def print_list(entries: Iterable[Entry], hub: Hub) -> None:
    """Print a table for each task, the default first and marked. Narrow terminals get fewer columns."""
    headings = [heading for heading in LIST_HEADINGS if table_width() >= WIDE or heading not in COSTS]
    groups: dict[str, list[Entry]] = {title: [] for title in (*GROUPS.values(), OTHERS)}
    for entry in entries:
        groups[GROUPS.get((entry.task, entry.gan), OTHERS)].append(entry)
    sections: dict[str, list[list[str]]] = {}
    for title, group in groups.items():
        ranked = sorted(group, key=lambda entry: (not entry.is_default, bool(entry.source), entry.name))
        rows = [_cells(entry, hub) for entry in ranked]
        sections |= {title: [[row[heading] for heading in headings] for row in rows]} if rows else {}
    print_table(headings, sections)
    print("\n* default without --weights; with --gan, the one that invents detail")
    if COSTS.isdisjoint(headings):
        print("hfpie weights info NAME: everything about one, with cost and time")
    else:
        print("px, MP: pixels and megapixels of the input; s: seconds on one EPYC core at fp32, to compare rows")


def _cells(entry: Entry, hub: Hub) -> dict[str, str]:
    """By heading."""
    name = f"{entry.name} *" if entry.is_default else entry.name
    size = f"{entry.size / 1e6:.1f}" if entry.size else ""
    cost = f"{entry.flop / 1e6:.2f}" if entry.flop else ""
    seconds = f"{entry.seconds:.1f}" if entry.seconds else ""
    cells = (name, entry.use, size, cost, seconds, whereabouts(entry, hub), entry.licence)
    return dict(zip(LIST_HEADINGS, cells, strict=True))


def print_info(entry: Entry, where: str) -> None:
    """Print everything known about a checkpoint, a line each."""
    seen = "" if entry.seen else ", as stated by other projects: not confirmed by a download yet"
    origin = f"hf://{entry.repo}/{entry.file}@{entry.revision}" if entry.repo else "the package"
    facts = {
        "name": entry.name,
        "also": ", ".join(entry.aliases),
        "for": f"{entry.task}: {entry.use}",
        "enlarges": f"{entry.scale} times" if entry.scale > 1 else "",
        "default": "yes" if entry.is_default else "",
        "where": where,
        "from": origin + (", a pickle: converted once its SHA-256 is verified" if entry.is_pickled else ""),
        "more": entry.source,
        "licence": entry.licence,
        "trained on": entry.trained_on,
        "size": f"{entry.size:,} bytes" if entry.size else "",
        "parameters": f"{entry.parameters:,}" if entry.parameters else "",
        "cost": f"{entry.flop:,} FLOP per pixel of the input" if entry.flop else "",
        "time": f"{entry.seconds:g} s per megapixel of the input on one EPYC core at fp32" if entry.seconds else "",
        "tiles": f"{entry.tile} pixels, overlapping by {entry.overlap}",
        "SHA-256": f"{entry.sha256}{seen}" if entry.sha256 else "unknown: the hash published by the Hub is checked",
    }
    lines = [(key, fact) for key, fact in facts.items() if fact]
    for key, fact in [*lines, *(("score", f"{what}: {score}") for what, score in entry.scores.items())]:
        print(wrapped(fact, columns_of(sys.stdout), first=f"{key:>12}  ", indent=14))
