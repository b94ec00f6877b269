"""The checkpoints that hfpie knows by name."""

from __future__ import annotations

from .registry import TEST_WEIGHTS, Entry, known_weights


def list_weights(task: str = "") -> list[Entry]:
    """Every checkpoint of weights.toml, or those of one task, in the order of `hfpie weights list`."""
    return [entry for name, entry in known_weights().items() if name != TEST_WEIGHTS and task in ("", entry.task)]
