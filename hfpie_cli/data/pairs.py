"""Training crops and held-out pictures: pairs of a degraded and a clean picture, reproducible from their number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from .degradations import DEGRADATIONS, Degradation
from .degrade import Picture
from .store import Entry, PhotoStore

HELD_OUT = 40  # pictures of every training set that are never trained on
VALIDATION_CROP = 256  # side of the central crop that validation scores, pixels
MARGIN = 16  # degraded around a training crop and cut off, so that blur and JPEG see real surroundings


def held_out(entries: list[Entry], count: int = HELD_OUT) -> frozenset[str]:
    """The names of `count` photographs (at most a fifth): those whose hashed names come first, a fixed choice."""
    ranked = sorted((entry.name for entry in entries), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return frozenset(ranked[: min(count, len(ranked) // 5)])


@dataclass(frozen=True)
class CropSampler:
    """Random crops, turned and mirrored, degraded by one of `mix` (names of DEGRADATIONS and their shares).

    crop: side of the clean crop, pixels, a multiple of scale. Sample `index` of step `step` comes from a generator
    seeded by (seed, step, index): resuming needs only the step, and several processes only their indices.
    """

    store: PhotoStore
    mix: Mapping[str, float]
    crop: int
    scale: int
    seed: int

    def batch(self, step: int, indices: range) -> tuple[Tensor, Tensor]:
        """(degraded (n, 3, crop / scale, crop / scale), clean (n, 3, crop, crop)), float32 around [0, 1]."""
        pairs = [self.sample(step, index) for index in indices]
        degraded, clean = (np.stack(side).transpose(0, 3, 1, 2) for side in zip(*pairs, strict=True))
        return torch.from_numpy(degraded), torch.from_numpy(clean)  # a transposed view: channels_last already

    def sample(self, step: int, index: int) -> tuple[Picture, Picture]:
        """One pair of arrays (h, w, 3)."""
        rng = np.random.default_rng((self.seed, step, index))
        names = list(self.mix)
        shares = np.array([self.mix[name] for name in names])
        name = names[rng.choice(len(names), p=shares / shares.sum())]
        clean = self._random_crop(rng, self.crop + 2 * MARGIN * self.scale)
        degraded = DEGRADATIONS[name](clean, rng)
        margin = MARGIN + int(rng.integers(-8, 9))  # moves the JPEG grid
        return cut(degraded, margin, self.crop // self.scale), cut(clean, margin * self.scale, self.crop)

    def _random_crop(self, rng: np.random.Generator, side: int) -> Picture:
        areas = self._areas
        picture = self.store[int(np.searchsorted(areas, rng.random() * areas[-1], side="right"))]
        if min(picture.shape[:2]) < side:
            picture = np.pad(picture, [(0, max(side - n, 0)) for n in picture.shape[:2]] + [(0, 0)], mode="symmetric")
        top, left = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
        crop = np.rot90(picture[top : top + side, left : left + side], int(rng.integers(4)))
        crop = crop[:, ::-1] if rng.integers(2) else crop
        return crop.astype(np.float32) / np.float32(255)

    @cached_property
    def _areas(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.cumsum([np.sqrt(entry.height * entry.width) for entry in self.store.entries])


def cut(picture: Picture, margin: int, side: int) -> Picture:
    """The square of `side` pixels that starts `margin` pixels from the upper left corner."""
    return picture[margin : margin + side, margin : margin + side]


def validation_pairs(
    store: PhotoStore, degradation: Degradation, scale: int, crop: int = VALIDATION_CROP
) -> Iterator[tuple[Picture, Picture]]:
    """(degraded, clean) for the centre of every photograph, the generator seeded by the picture's number."""
    for index in range(len(store)):
        picture = store[index]
        height, width = (min(n, crop) // scale * scale for n in picture.shape[:2])
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        clean = picture[top : top + height, left : left + width].astype(np.float32) / np.float32(255)
        yield degradation(clean, np.random.default_rng(index)), clean
