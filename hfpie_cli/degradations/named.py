"""The named degradations of training and evaluation.

A degradation takes a clean picture and a random generator and gives the degraded picture: RGB arrays (h, w, 3), float32
in [0, 1]; for super-resolution the degraded one is (h / 4, w / 4, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .blur import BlurAny, Defocus, DefocusAny, GaussianBlur, MotionBlur
from .operations import (
    SR_SCALE,
    Degradation,
    Picture,
    add_gaussian_noise,
    finish,
    halve_chroma,
    jpeg_on_another_grid,
    quantise,
    reduce_bicubic,
    sometimes_jpeg,
)
from .sensor import Night, Sensor
from .small_photos import SmallPhoto
from .web import Enlarged, EnlargedLosses, FineFile, Grain, Webp

MARGIN = 16  # pixels around a training crop that most degradations need


@dataclass(frozen=True)
class GaussianNoise:
    """Additive white Gaussian noise, of one sigma a picture."""

    low: float
    """Smallest sigma, 1/255."""
    high: float
    """Largest sigma, 1/255."""
    rounded: bool = False
    """Whether the result is clipped and rounded to 8 bits."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        noisy = add_gaussian_noise(picture, rng.uniform(self.low, self.high), rng)
        return quantise(noisy) if self.rounded else noisy


@dataclass(frozen=True)
class NoisyJpeg:
    """Additive white Gaussian noise, then JPEG, half of it with halved chroma."""

    noise: tuple[float, float]
    """Range of sigma, 1/255."""
    quality: tuple[int, int]
    """Range of JPEG quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        return finish(picture, self.noise, self.quality, rng)


@dataclass(frozen=True)
class Grey:
    """Another degradation's noise in grey, the same in red, green and blue; 8 bits.

    Film grain and grey photographs have such noise. It is drawn for the grey picture and added to all colours.
    """

    noise: Degradation
    """Degradation that adds the noise."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        grey = np.repeat(picture.mean(2, keepdims=True), 3, 2)
        return quantise(picture + (self.noise(grey, rng) - grey)[..., :1])


@dataclass(frozen=True)
class Jpeg:
    """JPEG compression, once or twice on different block grids."""

    quality: tuple[int, int]
    """Range of JPEG quality."""
    twice: float = 0.0
    """Share that is compressed twice."""
    chroma: bool | None = None
    """Whether chroma is halved; None for either."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        for shift in [(0, 0)] if rng.random() >= self.twice else [tuple(rng.integers(0, 8, 2)), (0, 0)]:
            quality = int(rng.integers(self.quality[0], self.quality[1] + 1))
            halved = bool(rng.integers(2)) if self.chroma is None else self.chroma
            picture = jpeg_on_another_grid(picture, quality, (int(shift[0]), int(shift[1])), subsample=halved)
        return picture


@dataclass(frozen=True)
class Impulses:
    """Dead pixels, salt and pepper, of whole pixels or single channels: samples become black, white or any value.

    The result has 8 bits, and a third of it is compressed as JPEG.
    """

    share: tuple[float, float] = (1e-4, 0.05)
    """Range of the share of samples hit, drawn log-uniformly."""
    quality: tuple[int, int] = (70, 100)
    """Range of JPEG quality."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        share = np.exp(rng.uniform(*np.log(self.share)))
        struck = rng.random((*picture.shape[:2], 1 if rng.random() < 0.5 else 3), np.float32) < share
        values = rng.random(struck.shape, np.float32)
        if rng.random() < 0.6:
            values = np.rint(values)
        degraded = np.where(struck, values, picture)
        return sometimes_jpeg(degraded, self.quality, 1 / 3, rng)


@dataclass(frozen=True)
class Chain:
    """Degradations one after the other."""

    links: tuple[Degradation, ...]
    """In order."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        for link in self.links:
            picture = link(picture, rng)
        return picture


def bicubic(picture: Picture, rng: np.random.Generator) -> Picture:
    """Reduce x4 bicubically, as the field's benchmarks do."""
    return reduce_bicubic(picture)


def repeat_chroma(picture: Picture, rng: np.random.Generator) -> Picture:
    """Halve chroma and repeat it, as FFmpeg extracts the frames of a film; 8 bits."""
    return quantise(halve_chroma(picture, repeated=True))


def unchanged(picture: Picture, rng: np.random.Generator) -> Picture:
    """No degradation: teaches a network to leave a clean picture alone."""
    return picture


@dataclass(frozen=True)
class Named:
    """A degradation, and what training and scoring must know about it."""

    apply: Degradation
    """The degradation."""
    scale: int = 1
    """How many times smaller it makes the picture."""
    margin: int = MARGIN
    """Surroundings that a crop needs, pixels of the degraded picture; 8 of them for JPEG grids."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        return self.apply(picture, rng)


SAME_SIZE: dict[str, Degradation] = {
    "clean": unchanged,
    "awgn": GaussianNoise(0, 55),
    "awgn-8bit": GaussianNoise(0, 55, rounded=True),
    "awgn-high": GaussianNoise(18, 55),
    "awgn-high-8bit": GaussianNoise(18, 55, rounded=True),
    **{f"awgn-{sigma}": GaussianNoise(sigma, sigma) for sigma in (10, 15, 25, 30, 50)},
    "awgn-25-8bit": GaussianNoise(25, 25, rounded=True),
    "awgn-grey": Grey(GaussianNoise(0, 55)),
    "awgn-25-grey": Grey(GaussianNoise(25, 25)),
    "awgn-jpeg": NoisyJpeg((0, 40), (50, 100)),
    "awgn-25-jpeg": NoisyJpeg((25, 25), (90, 90)),
    "sensor": Sensor(),
    "sensor-grey": Grey(Sensor()),
    "night-any": Sensor(psnr=(13, 22)),
    "night-smoothed": Sensor(psnr=(18, 30), quality=(70, 98), smoothing=True),
    "day-any": Sensor(psnr=(22, 44)),
    "day-smoothed": Sensor(psnr=(28, 42), quality=(85, 100), smoothing=True),
    "day-jpeg": Sensor(psnr=(26, 42), quality=(50, 92), smoothing=True),
    **{f"night-{level}": Night(level) for level in (16, 20, 24)},
    "jpeg": Jpeg((15, 95), twice=0.3),
    **{f"jpeg-{quality}": Jpeg((quality, quality), chroma=True) for quality in (20, 40)},
    "webp": Webp((10, 95)),
    "film-frame": Chain((Webp((15, 95)), repeat_chroma)),  # WebP is coded as a film's frames are
    "enlarged-losses": EnlargedLosses(),
    "enlarged": Enlarged(),
    "grain": Grain(),
    "impulse": Impulses(),
    "blur-any": BlurAny(),
    "gaussian-blur": GaussianBlur(),
    "gaussian-blur-jpeg": GaussianBlur(noise=(2, 2), quality=(90, 90)),
    "defocus-any": DefocusAny(),
    **{f"defocus-{radius}": Defocus(radius) for radius in (2, 4)},
    "motion-jpeg": MotionBlur(quality=(25, 25)),
    "motion-any": MotionBlur(noise=(0, 4), quality=(20, 100)),
}
REDUCING: dict[str, Degradation] = {
    "bicubic-x4": bicubic,
    "motion-bicubic-x4": Chain((MotionBlur(), bicubic)),
    "small-photo-x4": SmallPhoto(),
    "fine-file-x4": Chain((bicubic, FineFile())),
    "jpeg-x4": Chain((bicubic, Jpeg((30, 95), twice=0.2))),
    **{f"jpeg-{quality}-x4": Chain((bicubic, Jpeg((quality, quality), chroma=True))) for quality in (50, 80)},
    "noise-10-x4": Chain((bicubic, GaussianNoise(10, 10, rounded=True))),
}

DEGRADATIONS = {
    **{name: Named(apply, margin=getattr(apply, "margin", MARGIN)) for name, apply in SAME_SIZE.items()},
    **{name: Named(apply, SR_SCALE) for name, apply in REDUCING.items()},
}
