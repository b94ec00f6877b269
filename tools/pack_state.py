"""Make a run's state small enough to keep in the repository: float16, without the optimisers' moments.

    python tools/pack_state.py runs/sr-gan states/sr-gan

The folder it writes is a run: copy it and go on with `hfpie train --task TASK [--gan] --data DATA --resume COPY`. The
moments build up anew within some hundred steps, so the result is not bit for bit that of a run that was never packed.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from hfpie_cli.training.run import CONFIG
from hfpie_cli.training.state import STATE, keep


def halved(part: Any) -> Any:
    """The same with every float tensor as float16."""
    if isinstance(part, dict):
        return {key: halved(value) for key, value in part.items()}
    if isinstance(part, torch.Tensor) and part.is_floating_point():
        return part.half()
    return part


def main() -> None:
    run, packed = map(Path, sys.argv[1:3])
    state = torch.load(run / STATE, map_location="cpu", weights_only=True)
    adversaries = [adversary["optimizer"] for adversary in state["adversaries"].values()]
    for optimizer in (*state["optimizers"], *adversaries):
        optimizer["state"] = {}
    packed.mkdir(parents=True, exist_ok=True)
    archive = io.BytesIO()
    torch.save(halved(state), archive)
    keep(packed / STATE, archive.getvalue())
    shutil.copy(run / CONFIG, packed / CONFIG)
    print(f"{packed}: step {state['step']}, {(packed / STATE).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
