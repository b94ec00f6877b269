"""hfpie: remove noise, remove blur and enlarge photographs.

>>> import hfpie_cli
>>> restore = hfpie_cli.Restorer.from_weights("denoise")
>>> restored = restore("photo.png")  # a file's pixels; arrays and Pillow images too
>>> hfpie_cli.restore_file("photo.png", "restored.png", restore)
>>> run = hfpie_cli.train("compact-denoise", "photos/", "runs/mine", settings=["minutes=30"])
>>> boards = hfpie_cli.evaluate("Set5", task="sr")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ExitCode, HfpieError, UnavailableError, UsageError

if TYPE_CHECKING:
    from .evaluation.call import evaluate
    from .one_file import restore_file
    from .outcome import Outcome
    from .photos.formats import OutputStyle
    from .photos.photo import Photo
    from .photos.reader import read_photo
    from .photos.writer import write_photo
    from .restore import Restorer
    from .training.call import train
    from .weights.registry import list_weights

__version__ = "0.1.0"
__all__ = [
    "ExitCode",
    "HfpieError",
    "Outcome",
    "OutputStyle",
    "Photo",
    "Restorer",
    "UnavailableError",
    "UsageError",
    "__version__",
    "evaluate",
    "list_weights",
    "read_photo",
    "restore_file",
    "train",
    "write_photo",
]
LAZY = {  # by their modules
    "Outcome": "outcome",
    "OutputStyle": "photos.formats",
    "Photo": "photos.photo",
    "Restorer": "restore",
    "evaluate": "evaluation.call",
    "list_weights": "weights.registry",
    "read_photo": "photos.reader",
    "restore_file": "one_file",
    "train": "training.call",
    "write_photo": "photos.writer",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for."""
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
