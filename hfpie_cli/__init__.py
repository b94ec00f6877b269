"""hfpie: remove noise, remove blur and enlarge photographs.

>>> from hfpie_cli import Restorer
>>> restore = Restorer.from_weights("denoise")
>>> restored = restore("photo.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import HfpieError

if TYPE_CHECKING:
    from .restore import Restorer

__version__ = "0.1.0"
__all__ = ["HfpieError", "Restorer", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the Restorer, and torch with it, only when it is asked for."""
    if name == "Restorer":
        from .restore import Restorer

        return Restorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
