"""Other people's networks: any that spandrel recognises by the names and shapes of its weights, behind one function."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UnavailableError
from .checkpoint import load_weights

WINDOW = 16  # pixels; attention in windows must find them where they are in the whole picture, or tiles show


@dataclass(frozen=True)
class ForeignConfig:
    """What a Restorer must know of a network. stride: tiles start at multiples of so many input pixels."""

    architecture: str
    scale: int
    stride: int


class ForeignNetwork(nn.Module):
    """(n, 3, h, w) RGB in [0, 1] -> (n, 3, scale h, scale w), clamped; sides that do not fit are padded and cut again.

    `described` is a descriptor of spandrel's: it takes one picture at a time. A network that does not bear half
    precision runs at single precision whatever the Restorer's.
    """

    def __init__(self, described: Any) -> None:
        super().__init__()
        stride = math.lcm(described.size_requirements.multiple_of, WINDOW)
        self.config = ForeignConfig(described.architecture.name, described.scale, stride)
        self.model: nn.Module = described.model
        self._described = described
        self._bears_half: bool = described.supports_half and described.supports_bfloat16

    def forward(self, picture: Tensor) -> Tensor:
        with nullcontext() if self._bears_half else torch.autocast(picture.device.type, enabled=False):
            return torch.cat([self._described(one[None]) for one in picture])


def load_foreign(path: Path) -> ForeignNetwork:
    """The network of a safetensors file that is not in our layout, on the CPU, ready for a Restorer.

    Raises UnavailableError if spandrel cannot be imported or does not know the architecture, if the network does not
    map an RGB picture to an RGB picture, or if its weights are not finite numbers.
    """
    try:
        import spandrel
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision was built for another torch
        message = f"{path}: not an hfpie checkpoint; spandrel, which may know it, cannot be imported ({error})"
        hint = "pip install 'hfpie[spandrel]', with the torchvision that belongs to your torch"
        raise UnavailableError(message, hint) from None
    weights = load_weights(path)
    try:
        described = spandrel.ModelLoader(device="cpu").load_from_state_dict(weights)
    except Exception as error:  # its detection looks into weights that may hold anything
        message = f"{path}: no network that hfpie or spandrel knows ({type(error).__name__})"
        raise UnavailableError(message, "it may be of another kind, or only a part of a network") from None
    if not isinstance(described, spandrel.ImageModelDescriptor):
        raise UnavailableError(f"{path}: a network that needs more than a picture ({described.architecture.name})")
    if (described.input_channels, described.output_channels) != (3, 3):
        raise UnavailableError(f"{path}: not a network from RGB to RGB ({described.architecture.name})")
    return ForeignNetwork(described).eval()
