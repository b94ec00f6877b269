"""Imports packages that need torchvision, even if it was built for another torch.

PyPI's torchvision is built for torch with CUDA. With torch for CPUs its compiled operators do not load, and its import
fails at the two whose shapes it registers. hfpie never calls them, so it is enough to declare them.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from types import ModuleType

import torch

NAMESPACE = "torchvision"
OPERATORS = ("nms", "qnms")  # boxes of detectors; both (boxes, scores, threshold) -> indices
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_beside_torchvision(name: str) -> ModuleType:
    """Import the package of this name, which imports torchvision.

    Raises ImportError or RuntimeError, as Python and torch do, if that is impossible.
    """
    try:
        return import_module(name)
    except RuntimeError as error:
        if f"operator {NAMESPACE}::" not in str(error):
            raise
    _declare_operators()
    for module in [module for module in sys.modules if module.partition(".")[0] in (name, NAMESPACE)]:
        del sys.modules[module]  # modules that were imported before the failure
    return import_module(name)


@cache
def _declare_operators() -> torch.library.Library:
    """Declare the operators without code. The library is kept, because they vanish with it."""
    library = torch.library.Library(NAMESPACE, "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in OPERATORS:
        library.define(operator + SCHEMA)  # type: ignore[no-untyped-call]
    return library
