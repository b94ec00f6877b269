"""Blur of lenses, of camera shake and of the usual benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .operations import (
    Kernel,
    Picture,
    blur,
    disc_kernel,
    finish,
    gaussian_kernel,
    motion_kernel,
    product,
    quantise,
)
from .sensor import Sensor
from .tones import to_linear, to_values

GAUSSIAN, DISC = (0.3, 3.0), (0.5, 6.0)  # sigma and radius: pixels, uniform
MOTION = (3.0, 40.0)  # length of the path: pixels, log-uniform
SLIGHT = (0.3, 1.5)  # sigma of a Gaussian beside another blur
WHITE_FROM = 0.93  # linear light from which a pixel counts as clipped white, in all channels


@dataclass(frozen=True)
class Lens:
    """One blurred exposure: all random properties of a blurred photograph except its noise."""

    kernel: Kernel
    """Blur kernel, sum 1."""
    linear: bool
    """Whether it blurs linear light, as lenses do, or the picture's values, as software often does."""
    highlights: float
    """Brightness of clipped white before it was clipped, 1 to 6; only in linear light."""
    noise: float
    """Sigma of the noise, 1/255; 0 for none."""
    sensor: bool
    """Whether weak camera noise replaces it, with its own JPEG."""
    quality: int
    """JPEG quality of the file; 0 for no JPEG."""
    subsample: bool
    """Whether JPEG halves the chroma."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Lens:
        """A random one."""
        linear = bool(rng.random() < 0.5)
        return cls(
            kernel=draw_kernel(rng),
            linear=linear,
            highlights=float(rng.uniform(1, 6)) if linear and rng.random() < 0.5 else 1.0,
            noise=float(rng.uniform(0, 5)) if rng.random() < 0.4 else 0.0,
            sensor=bool(rng.random() < 0.25),
            quality=int(rng.integers(20, 101)) if rng.random() < 0.5 else 0,
            subsample=bool(rng.integers(2)),
        )

    def blurred(self, picture: Picture) -> Picture:
        """The picture (h, w, 3) through this lens, clipped at white, without noise."""
        if not self.linear:
            return blur(picture, self.kernel)
        linear = to_linear(picture)
        if self.highlights > 1:
            white = ((linear.min(2, keepdims=True) - WHITE_FROM) / (1 - WHITE_FROM)).clip(0, 1)
            linear = linear * (1 + np.float32(self.highlights - 1) * white)
        return to_values(blur(linear, self.kernel))


@dataclass(frozen=True)
class BlurAny:
    """Gaussian, defocus, motion and their products, some with highlights that were clipped; then noise and JPEG."""

    margin: ClassVar[int] = 32
    """Surroundings that a crop needs, pixels."""
    sensor: ClassVar[Sensor] = Sensor(psnr=(28, 44), quality=(20, 100))
    """Noise of a camera for some of the pictures."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        lens = Lens.draw(rng)
        blurred = lens.blurred(picture)
        if lens.sensor:
            return self.sensor(blurred.clip(0, 1), rng)
        quality = (lens.quality, lens.quality) if lens.quality else None
        return finish(blurred, (lens.noise, lens.noise), quality, rng)


@dataclass(frozen=True)
class Defocus:
    """A disc with a rim one pixel soft, applied to the picture's values, rounded to 8 bits."""

    radius: float
    """Pixels."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        return quantise(blur(picture, disc_kernel(self.radius, 1.0)))


@dataclass(frozen=True)
class DefocusAny:
    """A defocused lens: discs of radius 0.5 to 6, sharp to soft at the rim, in values or linear light.

    Half of them as they are, in 8 bits; half with noise of sigma up to 2/255 and JPEG of quality 70 to 100.
    """

    margin: ClassVar[int] = 24
    """Surroundings that a crop needs, pixels."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        kernel, linear = _draw_disc(rng), bool(rng.random() < 0.4)
        blurred = to_values(blur(to_linear(picture), kernel)) if linear else blur(picture, kernel)
        if rng.random() < 0.5:
            return quantise(blurred)
        return finish(blurred, (0, 2), (70, 100), rng)


@dataclass(frozen=True)
class GaussianBlur:
    """Anisotropic Gaussian blur, sigmas uniform in 0.7 to 3.0 pixels, any angle (paper 4.2.2)."""

    noise: tuple[float, float] = (0, 0)
    """Range of sigma of the noise that follows, 1/255."""
    quality: tuple[int, int] | None = None
    """Range of the quality of the JPEG that follows; None for no JPEG."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        sigma_x, sigma_y = rng.uniform(0.7, 3.0, 2)
        blurred = blur(picture, gaussian_kernel(sigma_x, sigma_y, rng.uniform(0, np.pi)))
        return finish(blurred, self.noise, self.quality, rng)


@dataclass(frozen=True)
class MotionBlur:
    """Blur along a random path of 5 to 25 pixels, then noise and JPEG (REDS-JPEG, paper table 4)."""

    margin: ClassVar[int] = 24
    """Surroundings that a crop needs, pixels."""
    noise: tuple[float, float] = (0, 0)
    """Range of sigma of the noise, 1/255."""
    quality: tuple[int, int] | None = None
    """Range of JPEG quality; None for no JPEG."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        blurred = blur(picture, motion_kernel(rng.uniform(5, 25), rng))
        return finish(blurred, self.noise, self.quality, rng)


def draw_kernel(rng: np.random.Generator) -> Kernel:
    """A random kernel of a lens or of camera shake, or of two of them one after the other."""
    kind = rng.choice(5, p=[0.3, 0.25, 0.25, 0.1, 0.1])
    if kind == 0:
        return _draw_gaussian(rng, GAUSSIAN)
    if kind == 1:
        return _draw_disc(rng)
    if kind == 2:
        return _draw_motion(rng)
    if kind == 3:
        return product(_draw_disc(rng), _draw_gaussian(rng, SLIGHT))
    return product(_draw_motion(rng), _draw_gaussian(rng, SLIGHT))


def _draw_gaussian(rng: np.random.Generator, sigmas: tuple[float, float]) -> Kernel:
    sigma = float(rng.uniform(*sigmas))
    size = 2 * int(np.ceil(3.5 * sigma)) + 1
    return gaussian_kernel(sigma, sigma * rng.uniform(0.5, 1), rng.uniform(0, np.pi), size)


def _draw_disc(rng: np.random.Generator) -> Kernel:
    radius = float(rng.uniform(*DISC))
    return disc_kernel(radius, rng.uniform(0.5, 1 + radius / 2))


def _draw_motion(rng: np.random.Generator) -> Kernel:
    return motion_kernel(float(np.exp(rng.uniform(*np.log(MOTION)))), rng)
