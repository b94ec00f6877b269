"""Bicubic enlargement as a convolution, so that a network adds to it before its pixel-shuffle.

Every pixel becomes scale x scale ones: the phases. Each is a weighted sum of the 5 x 5 pixels around, so that all
phases are one convolution of 3 to 3 scale^2 maps, in the layout that the network's last convolution has.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 2  # pixels on each side that the kernel covers
CUBIC = -0.5  # the free parameter of the cubic kernel, Matlab's


def enlarge(picture: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement with Matlab's kernel, the edge repeated: (n, c, h, w) -> (n, c, scale h, scale w).

    float32 whatever autocast says.
    """
    return F.pixel_shuffle(phases(picture, scale), scale) if scale > 1 else picture


def phases(picture: Tensor, scale: int) -> Tensor:
    """The same before its pixel-shuffle: (n, c, h, w) -> (n, c scale^2, h, w)."""
    device = picture.device
    weight = _kernel(picture.shape[1], scale, device)
    padded = F.pad(picture.float(), (REACH,) * 4, mode="replicate")
    exact = torch.backends.cudnn.flags(allow_tf32=False)  # TF32's 10 bits would show in 16-bit files
    kind = "cpu" if device.type == "meta" else device.type  # autocast knows no meta device
    with torch.autocast(kind, enabled=False), exact:
        return F.conv2d(padded, weight)


@lru_cache
def _kernel(channels: int, scale: int, device: torch.device) -> Tensor:
    """(channels scale^2, channels, 5, 5): each channel depends only on itself. Copied to a device once."""
    rows = torch.stack([_taps((phase + 0.5) / scale - 0.5) for phase in range(scale)])
    one = torch.einsum("it,ju->ijtu", rows, rows).reshape(scale**2, *(2 * REACH + 1,) * 2)
    each = torch.einsum("cd,ptu->cpdtu", torch.eye(channels, dtype=one.dtype, device="cpu"), one)
    kernel = each.reshape(channels * scale**2, channels, *one.shape[1:]).float()
    return kernel.to(device).contiguous(memory_format=torch.channels_last)


def _taps(offset: float) -> Tensor:
    """The weights of the pixels at -2 to 2 for a value at an offset between them, by Keys' cubic convolution."""
    # on the CPU also where a model is built on the meta device, for the kernel is kept
    distance = (torch.arange(-REACH, REACH + 1, dtype=torch.float64, device="cpu") - offset).abs()
    near = (CUBIC + 2) * distance**3 - (CUBIC + 3) * distance**2 + 1
    far = CUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
