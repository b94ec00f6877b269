"""Training crops and held-out pictures: degraded and clean pairs, reproducible from their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ..degradations.named import DEGRADATIONS
from ..degradations.operations import SR_SCALE, Picture
from ..photos.photo import FULL_SCALE, Pixels
from ..photos.resize import resize
from .decoded import PhotoStore
from .drawn import draw_any
from .training_set import TrainingSet

REDUCED = f"bicubic-x{SR_SCALE}"  # a degradation in the training set itself
PAIRS = "pairs"  # in a mix of degradations: the published degraded pictures of a paired data set
VALIDATION_CROP = 256  # side of the central crop that validation scores, pixels
GRID_SHIFT = 8  # largest offset of a crop in the degraded area, pixels: moves the JPEG grid
DARKEST = 3.0  # the most stops that a picture is darkened by
SHARPENING_SIGMA = (0.5, 1.5)  # pixels, of an unsharp mask
SHARPENING_AMOUNT = (0.2, 1.6)  # of the detail, added to it
GAMMA = 2.2  # of the pictures' values


@dataclass(frozen=True)
class CropSampler:
    """Random crops, turned and mirrored, then degraded.

    Sample `index` of step `step` comes from a generator seeded with (seed, step, index): resuming needs only the step,
    and each process only its indices.
    """

    data: TrainingSet
    """Photographs and pairs."""
    mix: Mapping[str, float]
    """Shares of the names of DEGRADATIONS, and of PAIRS."""
    scale: int
    """Enlargement of the network."""
    seed: int
    """Seed of every random number."""
    dark: float = 0.0
    """Share of crops that lose up to 3 stops of light before they are degraded; the dark crop is the clean one."""
    drawn: float = 0.0
    """Share of crops that `draw_any` draws instead of cutting them from photographs."""
    shrunk: float = 0.0
    """Share of crops of photographs that the data has shrunk. Pictures of a camera hold little detail as fine as a
    pixel; shrunk ones do, as most pictures of the web and of benchmarks."""
    sharpened: float = 0.0
    """Share of crops of photographs that an unsharp mask sharpens before they are degraded: the sharp crop, with its
    rims, is the clean one."""

    def batch(self, step: int, indices: Sequence[int], crop: int) -> tuple[Tensor, Tensor]:
        """(degraded (n, 3, crop / scale, crop / scale), clean (n, 3, crop, crop)), float32 around [0, 1].

        crop: side of the clean crops, pixels, a multiple of scale.
        """
        pairs = [self.sample(step, index, crop) for index in indices]
        degraded, clean = (np.stack(side).transpose(0, 3, 1, 2) for side in zip(*pairs, strict=True))
        return torch.from_numpy(degraded), torch.from_numpy(clean)  # a transposed view: channels_last already

    def sample(self, step: int, index: int, crop: int) -> tuple[Picture, Picture]:
        """One pair of arrays (h, w, 3)."""
        name, drawn, rng = self._begun(step, index)
        if name == PAIRS:
            return self._aligned(self.data.degraded, self.data.paired, rng, crop)
        sharp = not drawn and self.sharpened > 0 and rng.random() < self.sharpened
        if name == REDUCED and not drawn and not sharp:
            data = self._size(rng, crop)
            return self._aligned(data.reduced, data.photos, rng, crop)
        return self._synthetic(name, rng, crop, drawn=drawn, sharp=sharp)

    def kind(self, step: int, index: int) -> tuple[str, bool]:
        """(the name in `mix` by which that sample is degraded, whether it is drawn)."""
        return self._begun(step, index)[:2]

    def _begun(self, step: int, index: int) -> tuple[str, bool, np.random.Generator]:
        """(its degradation, whether it is drawn, the generator of all else) of a sample."""
        rng = np.random.default_rng((self.seed, step, index))
        names = list(self.mix)
        shares = np.array([self.mix[name] for name in names])
        name = names[rng.choice(len(names), p=shares / shares.sum())]
        return name, name != PAIRS and rng.random() < self.drawn, rng

    def _size(self, rng: np.random.Generator, side: int) -> TrainingSet:
        """The photographs themselves, or at one of the smaller sizes of which most hold a square of `side` pixels."""
        if rng.random() >= self.shrunk:
            return self.data
        large_enough = [smaller for smaller in self.data.shrunk if smaller.photos.typical_side >= side]
        return large_enough[int(rng.integers(len(large_enough)))] if large_enough else self.data

    def _synthetic(
        self, name: str, rng: np.random.Generator, crop: int, *, drawn: bool, sharp: bool
    ) -> tuple[Picture, Picture]:
        margin = DEGRADATIONS[name].margin  # degrade the surroundings too, then cut: blur and JPEG need them
        side = crop + 2 * margin * self.scale
        clean = draw_any(rng, side, side) if drawn else self._photographed(rng, side)
        if rng.random() < self.dark:
            clean = darkened(clean, rng.uniform(0, DARKEST))
        if sharp:
            clean = sharpened(clean, rng.uniform(*SHARPENING_SIGMA), rng.uniform(*SHARPENING_AMOUNT))
        degraded = DEGRADATIONS[name](clean, rng)
        at, small = margin + int(rng.integers(-GRID_SHIFT, GRID_SHIFT + 1)), crop // self.scale
        square = ((at, at), (small, small))
        return rectangle(degraded, *square), rectangle(clean, *square, self.scale)

    def _photographed(self, rng: np.random.Generator, side: int) -> Picture:
        photos = self._size(rng, side).photos
        picture = _padded(photos[photos.draw(rng)], side)
        top, left = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
        return as_floats(turned(rectangle(picture, (top, left), (side, side)), int(rng.integers(8))))

    def _aligned(
        self, small: PhotoStore, large: PhotoStore, rng: np.random.Generator, crop: int
    ) -> tuple[Picture, Picture]:
        """A crop of a picture of one store, and the same part of the other store's picture, `scale` times as large."""
        index, side = large.draw(rng), crop // self.scale
        degraded, clean = small[index], large[index]
        clean = rectangle(clean, (0, 0), degraded.shape[:2], self.scale)  # a few pixels may be left over
        degraded, clean = _padded(degraded, side), _padded(clean, crop)
        top, left = (int(rng.integers(n - side + 1)) for n in degraded.shape[:2])
        square, turn = ((top, left), (side, side)), int(rng.integers(8))
        cropped = rectangle(degraded, *square), rectangle(clean, *square, self.scale)
        return as_floats(turned(cropped[0], turn)), as_floats(turned(cropped[1], turn))


def validation_pair(
    data: TrainingSet, degradation: str, scale: int, number: int, crop: int = VALIDATION_CROP, *, shrunk: bool = False
) -> tuple[Picture, Picture]:
    """(degraded, clean) for the centre of a photograph, the generator seeded by its number; or of a published pair.

    shrunk: whether every second photograph is halved first.
    """
    if degradation == PAIRS:
        published, original = data.degraded[number], data.paired[number]
        centre = _centre(published.shape, crop // scale)
        return as_floats(rectangle(published, *centre)), as_floats(rectangle(original, *centre, scale))
    picture = data.photos[number]
    if shrunk and number % 2:
        picture = resize(picture, picture.shape[0] // 2, picture.shape[1] // 2)
    whole = picture[: picture.shape[0] // scale * scale, : picture.shape[1] // scale * scale]
    clean = as_floats(rectangle(whole, *_centre(whole.shape, crop)))
    return DEGRADATIONS[degradation](clean, np.random.default_rng(number)), clean


def rectangle(picture: Pixels, corner: tuple[int, int], size: tuple[int, int], scale: int = 1) -> Pixels:
    """A part of the picture; corner (top, left) and size (h, w) in pixels of a picture `scale` times smaller."""
    (top, left), (height, width) = corner, size
    return picture[top * scale : (top + height) * scale, left * scale : (left + width) * scale]


def _centre(shape: tuple[int, ...], side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(corner, size) of the central square, or of as much of it as the picture has."""
    height, width = (min(n, side) for n in shape[:2])
    return ((shape[0] - height) // 2, (shape[1] - width) // 2), (height, width)


def turned(picture: Pixels, turn: int) -> Pixels:
    """In one of the 8 ways to turn and mirror a square."""
    rotated = np.rot90(picture, turn % 4)
    return rotated[:, ::-1] if turn >= 4 else rotated


def darkened(picture: Picture, stops: float) -> Picture:
    """The picture with 2^-stops of its light. With a gamma, scaling linear light also scales the values."""
    return picture * np.float32(2 ** (-stops / GAMMA))


def sharpened(picture: Picture, sigma: float, amount: float) -> Picture:
    """The picture and `amount` times what a Gaussian blur of `sigma` pixels removes from it, in [0, 1]."""
    soft = cv2.GaussianBlur(picture, (0, 0), sigma)
    return np.clip(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), 0, 1)


def as_floats(picture: Pixels) -> Picture:
    """uint8 or uint16 as float32 in [0, 1]."""
    return picture.astype(np.float32) / np.float32(FULL_SCALE[picture.dtype.name])


def _padded(picture: Pixels, side: int) -> Pixels:
    """Mirrored at the lower and right edge where it is smaller than `side`."""
    short = [(0, max(side - n, 0)) for n in picture.shape[:2]]
    return np.pad(picture, [*short, (0, 0)], mode="symmetric") if any(after for _, after in short) else picture
