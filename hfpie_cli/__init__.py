"""hfpie: remove noise, remove blur and enlarge photographs.

>>> import hfpie_cli
>>> restore = hfpie_cli.Restorer.from_weights("denoise")
>>> restored = restore("photo.png")
>>> run = hfpie_cli.train("compact-denoise", "photos/", "runs/mine", settings=["minutes=30"])
>>> boards = hfpie_cli.evaluate("Set5", task="sr")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import HfpieError

if TYPE_CHECKING:
    from .evaluation.call import evaluate
    from .restore import Restorer
    from .training.call import train

__version__ = "0.1.0"
__all__ = ["HfpieError", "Restorer", "__version__", "evaluate", "train"]
LAZY = {"Restorer": "restore", "evaluate": "evaluation.call", "train": "training.call"}  # by their modules


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for."""
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
