"""Mix the weights of two checkpoints of one network: python tools/blend.py OUT A B SHARE, which is A + SHARE (B - A).

Between two stages of a training (SHARE 0 to 1) it averages; above 1 it extrapolates beyond the later one.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from hfpie_cli.weights.checkpoint import load_checkpoint, save_checkpoint
from hfpie_cli.weights.registry import resolve


def main() -> None:
    out, share = Path(sys.argv[1]), float(sys.argv[4])
    a, b = (load_checkpoint(resolve(name).path) for name in sys.argv[2:4])
    weights = {name: a.weights[name].lerp(b.weights[name], share) for name in b.weights}
    save_checkpoint(out, dataclasses.replace(b, weights=weights))


if __name__ == "__main__":
    main()
