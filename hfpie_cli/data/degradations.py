"""The degradations that training and evaluation know by name.

A degradation takes a clean picture and a random generator and gives the degraded picture: RGB arrays (h, w, 3), float32
in [0, 1]; for super-resolution the degraded one is (h / 4, w / 4, 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .degrade import (
    SR_SCALE,
    Picture,
    add_gaussian_noise,
    blur,
    gaussian_kernel,
    jpeg,
    jpeg_on_another_grid,
    motion_kernel,
    quantise,
    reduce_bicubic,
)
from .sensor import Sensor

Degradation = Callable[[Picture, np.random.Generator], Picture]


@dataclass(frozen=True)
class GaussianNoise:
    """AWGN with sigma uniform in `low` to `high` (1/255), one for the picture; `rounded`: clipped to 8 bits."""

    low: float
    high: float
    rounded: bool = False

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        noisy = add_gaussian_noise(picture, rng.uniform(self.low, self.high), rng)
        return quantise(noisy) if self.rounded else noisy


@dataclass(frozen=True)
class NoisyJpeg:
    """AWGN with sigma uniform in `noise` (1/255), then JPEG of a quality in `quality`, half of it with less chroma."""

    noise: tuple[float, float]
    quality: tuple[int, int]

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        return finish(picture, self.noise, self.quality, rng)


@dataclass(frozen=True)
class Grey:
    """The noise that another degradation adds to the picture in grey, the same in red, green and blue; 8 bits.

    What film grain and grey photographs have; the picture keeps its colours, of which that noise knows nothing.
    """

    noise: Degradation

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        grey = np.repeat(picture.mean(2, keepdims=True), 3, 2)
        return quantise(picture + (self.noise(grey, rng) - grey)[..., :1])


@dataclass(frozen=True)
class Jpeg:
    """JPEG of a quality uniform in `quality`, and as often as `twice` says once more, the blocks elsewhere.

    chroma: whether it is halved; None for either.
    """

    quality: tuple[int, int]
    twice: float = 0.0
    chroma: bool | None = None

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        for shift in [(0, 0)] if rng.random() >= self.twice else [tuple(rng.integers(0, 8, 2)), (0, 0)]:
            quality = int(rng.integers(self.quality[0], self.quality[1] + 1))
            halved = bool(rng.integers(2)) if self.chroma is None else self.chroma
            picture = jpeg_on_another_grid(picture, quality, (int(shift[0]), int(shift[1])), subsample=halved)
        return picture


@dataclass(frozen=True)
class Impulses:
    """Dead pixels, salt and pepper: a share of the samples, log-uniform in `share`, is black, white or any value.

    Of whole pixels or of single channels; then 8 bits, a third of it as JPEG of a quality in `quality`.
    """

    share: tuple[float, float] = (1e-4, 0.05)
    quality: tuple[int, int] = (70, 100)

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        share = np.exp(rng.uniform(*np.log(self.share)))
        struck = rng.random((*picture.shape[:2], 1 if rng.random() < 0.5 else 3), np.float32) < share
        values = rng.random(struck.shape, np.float32)
        if rng.random() < 0.6:
            values = np.rint(values)
        degraded = np.where(struck, values, picture)
        return finish(degraded, (0, 0), self.quality if rng.random() < 1 / 3 else None, rng)


@dataclass(frozen=True)
class GaussianBlur:
    """Anisotropic Gaussian blur, sigmas uniform in 0.7 to 3.0 pixels, any angle (paper 4.2.2).

    Then noise of standard deviation up to `noise` (1/255) and, where `quality` is given, JPEG.
    """

    noise: tuple[float, float] = (0, 0)
    quality: tuple[int, int] | None = None

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        sigma_x, sigma_y = rng.uniform(0.7, 3.0, 2)
        blurred = blur(picture, gaussian_kernel(sigma_x, sigma_y, rng.uniform(0, np.pi)))
        return finish(blurred, self.noise, self.quality, rng)


@dataclass(frozen=True)
class MotionBlur:
    """Blur along a random path of 5 to 25 pixels, then noise and JPEG (REDS-JPEG, paper table 4)."""

    noise: tuple[float, float] = (0, 0)
    quality: tuple[int, int] | None = None

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        blurred = blur(picture, motion_kernel(rng.uniform(5, 25), rng))
        return finish(blurred, self.noise, self.quality, rng)


@dataclass(frozen=True)
class Reduced:
    """Another degradation, then bicubic reduction x4 (REDS's low-resolution frames, paper table 6)."""

    first: Degradation

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        return reduce_bicubic(self.first(picture, rng))


@dataclass(frozen=True)
class SmallPhoto:
    """What small real pictures are: slightly blurred, reduced x4, slightly noisy, JPEG-compressed.

    blur: range of the Gaussian's sigma before reduction, pixels. noise: range of sigma (1/255).
    """

    blur: tuple[float, float] = (0.2, 1.6)
    noise: tuple[float, float] = (0, 4)
    quality: tuple[int, int] = (60, 100)

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        sigma = rng.uniform(*self.blur)
        small = reduce_bicubic(blur(picture, gaussian_kernel(sigma, sigma, 0.0)))
        return finish(small, self.noise, self.quality, rng)


def finish(
    picture: Picture, noise: tuple[float, float], quality: tuple[int, int] | None, rng: np.random.Generator
) -> Picture:
    """What follows a blur in a camera: noise of a sigma in `noise` (1/255), JPEG of a quality in `quality`, 8 bits."""
    if noise[1] > 0:
        picture = add_gaussian_noise(picture, rng.uniform(*noise), rng)
    if quality is None:
        return quantise(picture)
    return jpeg(picture, int(rng.integers(quality[0], quality[1] + 1)), subsample=bool(rng.integers(2)))


def unchanged(picture: Picture, rng: np.random.Generator) -> Picture:
    """No degradation: teaches a network to leave a clean picture alone."""
    return picture


DEGRADATIONS: dict[str, Degradation] = {
    "clean": unchanged,
    "awgn": GaussianNoise(0, 55),
    "awgn-8bit": GaussianNoise(0, 55, rounded=True),
    **{f"awgn-{sigma}": GaussianNoise(sigma, sigma) for sigma in (10, 15, 25, 30, 50)},
    "awgn-25-8bit": GaussianNoise(25, 25, rounded=True),
    "awgn-grey": Grey(GaussianNoise(0, 55)),
    "awgn-25-grey": Grey(GaussianNoise(25, 25)),
    "awgn-jpeg": NoisyJpeg((0, 40), (50, 100)),
    "awgn-25-jpeg": NoisyJpeg((25, 25), (90, 90)),
    "sensor": Sensor(),
    "sensor-grey": Grey(Sensor()),
    **{f"night-{level}": Sensor(psnr=(level, level), quality=(80, 95), exact=True) for level in (16, 20, 24)},
    "jpeg": Jpeg((15, 95), twice=0.3),
    **{f"jpeg-{quality}": Jpeg((quality, quality), chroma=True) for quality in (20, 40)},
    "impulse": Impulses(),
    "gaussian-blur": GaussianBlur(),
    "gaussian-blur-any": GaussianBlur(noise=(0, 4), quality=(70, 100)),
    "gaussian-blur-jpeg": GaussianBlur(noise=(2, 2), quality=(90, 90)),
    "motion-jpeg": MotionBlur(quality=(25, 25)),
    "motion-any": MotionBlur(noise=(0, 4), quality=(20, 100)),
    "bicubic-x4": lambda picture, rng: reduce_bicubic(picture),
    "motion-bicubic-x4": Reduced(MotionBlur()),
    "small-photo-x4": SmallPhoto(),
}


def scale_of(name: str) -> int:
    """How many times smaller a degradation makes the picture."""
    return SR_SCALE if name.endswith(f"-x{SR_SCALE}") else 1
