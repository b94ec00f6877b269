"""What JPEG leaves in pixels: the grid of its 8 x 8 blocks, and the step by which their frequencies were rounded.

Noise that a camera saved at quality 75 and a clean picture saved at 30 have much the same spectrum, and both have
blocks. The step tells them apart. It is read as in Fan and de Queiroz, "Identification of bitmap compression history"
(2003), from what a cosine transform on the right grid finds: multiples of the step.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .spectrum import luma

SIDE = 8  # of a block, pixels
WAVES = 4  # frequencies a direction that are looked at, of 8: fewer find the grid as well, sooner
MOST_SIDE = 71  # pixels a side that are looked at: 8 blocks on any of the 64 grids
NEAR = 1.0 / 255  # of zero: what rounding to 8 bits makes of a frequency that was rounded to nothing
LEAST = 1.5 / 255  # magnitude from which a frequency was not rounded to nothing
LOWEST = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))  # (down, across) of the frequencies whose steps are read
STEPS = (3, 80)  # from, and up to but not, the steps that are tried, 1/255: finer ones drown in the rounding to 8 bits
LIKELY = 0.5  # mean cosine from which a step is believed
ENOUGH = 10  # magnitudes to read a step from
AGREEING = 2  # frequencies that have one
COARSE = 2.2  # logarithm of the step of quality 61; cameras save finer
READS = 3  # numbers that `jpeg_traces` returns
STEP = 1  # which of them is the logarithm of the step


def jpeg_traces(pictures: Tensor) -> Tensor:
    """(READS,) float32 of pictures (n, 3, h, w) around [0, 1], each with a grid of its own.

    The share of frequencies near zero on the grid that has most, less the mean of all 64 grids: 0 where there are no
    blocks. The logarithm of the step of low luma frequencies, 1/255: about 3.4 for quality 20, 1.8 for 75, 0.4 for none
    and for 90 and better; qualities below 10 are told as some other. By how much it exceeds COARSE, or 0. A drawing may
    have flat areas and repeated distances that look like a step. In units of the range to which deep pictures are
    stretched. Pictures of less than 15 pixels a side have no step. Computed on the CPU, as `log_spectrum`.
    """
    rows, columns = ((min(side, MOST_SIDE) - SIDE + 1) // SIDE for side in pictures.shape[-2:])
    peak, step = 0.0, math.log(255 * LEAST)
    if min(rows, columns) > 0:
        blocks = _frequencies(luma(pictures), rows, columns)
        zeros = (blocks < NEAR).float().mean((1, 2, 4)).flatten(1)  # (n, grids)
        grids = [divmod(grid, SIDE) for grid in zeros.argmax(1).tolist()]
        right = [of[:, :, down, :, across].flatten(1) for of, (down, across) in zip(blocks, grids, strict=True)]
        peak, step = float((zeros.amax(1) - zeros.mean(1)).mean()), _step(torch.cat(right, 1))
    return torch.tensor([peak, step, max(step - COARSE, 0)], device=pictures.device)


def _frequencies(grey: Tensor, rows: int, columns: int) -> Tensor:
    """The magnitudes of the lowest frequencies of all blocks on all grids: (n, WAVES^2, rows, SIDE, columns, SIDE)."""
    seen, down = grey[:, None, : (rows + 1) * SIDE - 1, : (columns + 1) * SIDE - 1], _cosines()
    with torch.autocast("cpu", enabled=False):
        found = F.conv2d(F.conv2d(seen, down), down.mT.repeat(WAVES, 1, 1, 1), groups=WAVES)
    return found.abs().view(len(found), WAVES**2, rows, SIDE, columns, SIDE)


def _step(magnitudes: Tensor) -> float:
    """The mean logarithm of the steps of the LOWEST frequencies, (WAVES^2, blocks) in all; that of LEAST for none."""
    found = (_step_of(magnitudes[WAVES * down + across]) for down, across in LOWEST)
    steps = [step for step in found if step]
    return sum(map(math.log, steps)) / len(steps) if len(steps) >= AGREEING else math.log(255 * LEAST)


def _step_of(magnitudes: Tensor) -> int:
    """The largest step, 1/255, that the magnitudes of one frequency are multiples of; 0 if there is none.

    They agree with a step by their mean cosine of that period. What is smaller than half a step would have been rounded
    to nothing: it counts as -1.
    """
    told = magnitudes[magnitudes > LEAST] * 255
    steps = torch.arange(*STEPS)
    agree = torch.where(told < steps[:, None] / 2, -1.0, (2 * math.pi / steps[:, None] * told).cos()).mean(1)
    likely = steps[agree > LIKELY]
    return int(likely[-1]) if len(told) >= ENOUGH and len(likely) else 0


def _cosines() -> Tensor:
    """The orthonormal cosine transform of a column of a block as filters, (WAVES, 1, 8, 1)."""
    at, frequency = (torch.arange(count, dtype=torch.float32) for count in (SIDE, WAVES))
    waves = torch.cos(math.pi * (2 * at[None] + 1) * frequency[:, None] / (2 * SIDE)) * math.sqrt(2 / SIDE)
    waves[0] /= math.sqrt(2)
    return waves[:, None, :, None]
