"""Write one expert of a checkpoint as a network of its own: python tools/split.py compact.deblur 2 OUT

Experts are counted from 1. tools/join.py joins them again.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from hfpie_cli.models.experts import ExpertsConfig, expert_weights
from hfpie_cli.weights.checkpoint import load_checkpoint, save_checkpoint
from hfpie_cli.weights.registry import resolve


def main() -> None:
    name, number, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    checkpoint = load_checkpoint(resolve(name).path)
    config = checkpoint.config
    if not isinstance(config, ExpertsConfig) or not 1 <= number <= config.experts:
        raise SystemExit(f"{name}: has no expert {number}")
    weights = expert_weights(checkpoint.weights, number - 1)
    save_checkpoint(out, dataclasses.replace(checkpoint, config=config.shapes[number - 1], weights=weights))


if __name__ == "__main__":
    main()
