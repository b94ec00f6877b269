"""What the web, films and scanners do to photographs: WebP, halved chroma, files that were enlarged, film grain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .operations import Picture, halve_chroma, jpeg, quantise, resized, sometimes_jpeg, webp


@dataclass(frozen=True)
class Webp:
    """Lossy WebP compression."""

    quality: tuple[int, int]
    """Range of the quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        return webp(picture, int(rng.integers(self.quality[0], self.quality[1] + 1)))


@dataclass(frozen=True)
class FineFile:
    """A file of high quality, or a frame of a film: hardly anything is lost but half of the chroma's size."""

    jpeg: tuple[int, int] = (88, 100)
    """Range of JPEG quality."""
    webp: tuple[int, int] = (70, 100)
    """Range of WebP quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        kind, repeated = rng.integers(3), rng.random() < 0.4
        if kind == 0:
            picture = jpeg(picture, int(rng.integers(self.jpeg[0], self.jpeg[1] + 1)))
        elif kind == 1:
            picture = webp(picture, int(rng.integers(self.webp[0], self.webp[1] + 1)))
        return quantise(halve_chroma(picture, repeated=repeated)) if kind == 2 or repeated else picture


@dataclass(frozen=True)
class EnlargedLosses:
    """The losses of a JPEG or WebP file of a smaller picture, enlarged with it; the picture itself stays sharp.

    Half of it is compressed as JPEG again, of quality 80 to 98.
    """

    factor: tuple[float, float] = (1.1, 2.0)
    """Range of the enlargement."""
    quality: tuple[int, int] = (30, 95)
    """Range of the quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        small = _reduced(picture, rng.uniform(*self.factor))
        quality = int(rng.integers(self.quality[0], self.quality[1] + 1))
        halved = bool(rng.integers(2))
        saved = webp(small, quality) if rng.random() < 1 / 4 else jpeg(small, quality, subsample=halved)
        losses = resized(saved - small.clip(0, 1), *picture.shape[:2])
        return sometimes_jpeg(picture + losses, (80, 98), 1 / 2, rng)


@dataclass(frozen=True)
class Enlarged:
    """Reduced and enlarged again: soft. Half of it is compressed as JPEG."""

    factor: tuple[float, float] = (1.1, 2.5)
    """Range of the enlargement."""
    quality: tuple[int, int] = (60, 98)
    """Range of JPEG quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        soft = resized(_reduced(picture, rng.uniform(*self.factor)), *picture.shape[:2])
        return sometimes_jpeg(soft, self.quality, 1 / 2, rng)


@dataclass(frozen=True)
class Grain:
    """Grain of film, and of noisy photographs that were enlarged: noise that is alike in neighbouring pixels.

    From grey to coloured, on grey pictures too; weaker in black and white. Half of it is compressed as JPEG.
    """

    sigma: tuple[float, float] = (2.0, 25.0)
    """Range of the standard deviation in mid-tones, 1/255."""
    size: tuple[float, float] = (0.4, 1.6)
    """Range of the sigma of the blur that makes white noise grain, pixels."""
    fading: tuple[float, float] = (0.0, 0.8)
    """Range of the share of the grain that black and white lack."""
    quality: tuple[int, int] = (60, 100)
    """Range of JPEG quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        size, coloured = rng.uniform(*self.size), rng.uniform(0, 1) ** 2
        grey, colours = (_grains((*picture.shape[:2], channels), size, rng) for channels in (1, 3))
        distance = np.abs(2 * picture.mean(2, keepdims=True) - 1)  # from mid-grey
        strength = rng.uniform(*self.sigma) / 255 * (1 - rng.uniform(*self.fading) * distance)
        noise = np.sqrt(1 - coloured) * grey + np.sqrt(coloured) * colours
        grainy = np.asarray(picture + strength * noise, np.float32)
        return sometimes_jpeg(grainy, self.quality, 1 / 2, rng)


def _reduced(picture: Picture, factor: float) -> Picture:
    height, width = (max(round(side / factor), 1) for side in picture.shape[:2])
    return resized(picture, height, width)


def _grains(shape: tuple[int, int, int], size: float, rng: np.random.Generator) -> Picture:
    """White noise blurred by a Gaussian of sigma `size` pixels, with a standard deviation of 1: (h, w, c)."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), size).reshape(shape)
    return np.asarray(noise / (float(noise.std()) or 1.0), np.float32)
