"""Blend two checkpoints of one network weight by weight, such as a faithful and an adversarial one.

    python tools/blend.py FAITHFUL.safetensors ADVERSARIAL.safetensors 0.75 OUT.safetensors

0 gives the first, 1 the second (after Wang et al., "ESRGAN", 2018, section 3.4).
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from hfpie_cli.weights.checkpoint import load_checkpoint, save_checkpoint


def main() -> None:
    first, second = (load_checkpoint(Path(name)) for name in sys.argv[1:3])
    share, out = float(sys.argv[3]), Path(sys.argv[4])
    if first.config != second.config:
        sys.exit(f"{sys.argv[1]} and {sys.argv[2]} are networks of other shapes")
    weights = {name: (1 - share) * first.weights[name] + share * second.weights[name] for name in first.weights}
    save_checkpoint(out, dataclasses.replace(second, weights=weights))


if __name__ == "__main__":
    main()
