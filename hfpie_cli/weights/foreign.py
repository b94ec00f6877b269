"""Third-party networks that spandrel recognises by the names and shapes of their weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UnavailableError
from ..models.contract import Contract, Restoring, UnsteadyError
from ..models.network import pad_to_multiple
from ..vision import import_beside_torchvision
from .checkpoint import load_weights

STRIDES = {"SCUNet": 64}  # by architecture: windows of 8 pixels at 1/8 of the size
STATED = (
    "window_size",
    "padder_size",
)  # attributes of models: side of their windows, multiple of their sides
WINDOW = 16  # of models without that attribute; windows must align with the whole picture's, or tiles show
TILES = {
    "NAFNet": (384, 64),
    "DRUNet": (256, 64),
}  # tile and overlap; NAFNet's averages are over 384 pixels in its paper
PLAIN_TILES, FAR_SEEING_TILES = (256, 32), (512, 64)
WANTS_NOISE = "DRUNet"
BEYOND = 1.0  # how far raw values may be from [0, 1], or from the input's range; NAFNet's can be far larger


class ForeignNetwork(Restoring):
    """(n, 3, h, w) RGB in [0, 1] -> (n, 3, scale h, scale w), clamped; sides are padded if necessary, and cut again.

    described: spandrel's descriptor, which takes one picture at a time.
    """

    def __init__(self, described: Any) -> None:
        super().__init__()
        self.model: nn.Module = described.model
        self.model.register_forward_hook(_check_range)
        self._described, self._contract = described, contract_of(described)

    @property
    def contract(self) -> Contract:
        return self._contract

    def forward(self, picture: Tensor, noise: float = 0.0) -> Tensor:
        """noise: standard deviation in [0, 1]. Raises UnsteadyError for values that are not a picture."""
        restore = self._told(noise) if self._contract.takes_noise else self._described
        return torch.cat([restore(one[None]) for one in picture])

    def _told(self, noise: float) -> Any:
        """DRUNet with the given noise level; spandrel always passes 15/255."""

        def restore(picture: Tensor) -> Tensor:
            height, width = picture.shape[-2:]
            padded = pad_to_multiple(picture, self._contract.stride)
            level = torch.full_like(padded[:, :1], noise)
            restored: Tensor = self.model(torch.cat([padded, level], 1))
            return restored[..., :height, :width].clamp(0, 1)

        return restore


def contract_of(described: Any) -> Contract:
    """The contract of a network, from spandrel's description and its attributes."""
    size, name, tiling = described.size_requirements, described.architecture.id, described.tiling.name
    tile, overlap = TILES.get(name, FAR_SEEING_TILES if tiling == "DISCOURAGED" else PLAIN_TILES)
    borne = {"fp32": True, "bf16": described.supports_bfloat16, "fp16": described.supports_half}
    return Contract(
        scale=described.scale,
        stride=math.lcm(size.multiple_of, STRIDES.get(name) or _window_of(described.model)),
        smallest=max(1, size.minimum),
        cuts=tiling != "INTERNAL",
        tile=max(tile, size.minimum),
        overlap=overlap,
        keeps_grey=False,  # what it does to colours may be what it is for
        precisions=frozenset(precision for precision, bears in borne.items() if bears),
        takes_noise=name == WANTS_NOISE,
    )


def _window_of(model: nn.Module) -> int:
    sides = [side for name in STATED if type(side := getattr(model, name, None)) is int]
    return math.lcm(*sides) if sides else WINDOW


def _check_range(model: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
    """Check a network's output before clamping; the Runner reports values that are not finite."""
    if not isinstance(output, Tensor):
        return
    low, high = (float(value) for value in output.aminmax())
    if low < min(0.0, float(inputs[0].min())) - BEYOND or high > max(1.0, float(inputs[0].max())) + BEYOND:
        raise UnsteadyError(low, high)


def load_foreign(path: Path) -> ForeignNetwork:
    """The network of a safetensors file that is not in our layout, on the CPU, ready for a Restorer.

    Raises UnavailableError if spandrel cannot be imported or does not know the architecture, if the network does not
    map an RGB picture to an RGB picture, or if its weights are not finite numbers.
    """
    try:
        spandrel = import_beside_torchvision("spandrel")
    except (ImportError, RuntimeError) as error:
        message = f"{path}: not an hfpie checkpoint; spandrel, which may know it, cannot be imported ({error})"
        hint = "pip install 'hfpie[spandrel]', with the torchvision that matches your torch"
        raise UnavailableError(message, hint) from None
    weights = load_weights(path)
    try:
        described = spandrel.ModelLoader(device="cpu").load_from_state_dict(weights)
    except Exception as error:  # its detection may fail in any way on unknown weights
        message = f"{path}: unknown to hfpie and spandrel ({type(error).__name__})"
        raise UnavailableError(message, "it may be another kind of network, or part of one") from None
    if not isinstance(described, spandrel.ImageModelDescriptor):
        raise UnavailableError(
            f"{path}: the network needs other inputs besides a picture ({described.architecture.name})"
        )
    if (described.input_channels, described.output_channels) != (3, 3):
        raise UnavailableError(f"{path}: the network does not map RGB to RGB ({described.architecture.name})")
    return ForeignNetwork(described).eval()
