"""Typical small photographs: reduced by various software, noisy, saved once or twice with losses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from .operations import (
    SR_SCALE,
    Kernel,
    Picture,
    add_gaussian_noise,
    blur,
    disc_kernel,
    gaussian_kernel,
    halve_chroma,
    jpeg,
    jpeg_on_another_grid,
    motion_kernel,
    quantise,
    resized,
    webp,
)
from .sensor import Sensor

FILTERS = ("area", "bicubic", "lanczos", "bilinear", "aliased")
FILTER_SHARES = (0.25, 0.35, 0.2, 0.15, 0.05)
PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "bilinear": Image.Resampling.BILINEAR,
}
SENSOR = Sensor(psnr=(24, 44), quality=(30, 95))


@dataclass(frozen=True)
class Reduction:
    """How one photograph was reduced and saved: all random properties except the noise."""

    kernel: Kernel | None
    """Kernel of a blur before the reduction, in pixels of the large picture; None for no blur."""
    first: float
    """Factor of a first reduction, before the one to the final size; 1 for none."""
    filters: tuple[str, str]
    """Names of FILTERS, for the two reductions."""
    between: int
    """JPEG quality between the two reductions; 0 for no JPEG."""
    noise: str
    """"none", "colour", "grey" or "sensor"."""
    sigma: float
    """Sigma of colour and grey noise, 1/255."""
    file: str
    """"png", "jpeg", "twice" (JPEG) or "webp"."""
    qualities: tuple[int, int]
    """Quality of the first and the last file, JPEG or WebP."""
    subsample: bool
    """Whether JPEG halves the chroma."""
    shift: tuple[int, int]
    """Offset of the first JPEG's blocks from the last one's."""
    repeated: bool
    """Whether its chroma is halved and repeated in the end, as in frames of films."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Reduction:
        """A random one."""
        in_two = rng.random() < 0.4
        rows, columns = (int(n) for n in rng.integers(0, 8, 2))
        return cls(
            kernel=_draw_kernel(rng),
            first=float(np.exp(rng.uniform(np.log(1.2), np.log(5)))) if in_two else 1.0,
            filters=(str(rng.choice(FILTERS, p=FILTER_SHARES)), str(rng.choice(FILTERS, p=FILTER_SHARES))),
            between=int(rng.integers(50, 96)) if in_two and rng.random() < 0.4 else 0,
            noise=str(rng.choice(["none", "colour", "grey", "sensor"], p=[0.4, 0.25, 0.1, 0.25])),
            sigma=float(rng.uniform(0, 12)),
            file=str(rng.choice(["png", "jpeg", "twice", "webp"], p=[0.25, 0.45, 0.18, 0.12])),
            qualities=(int(rng.integers(30, 96)), int(rng.integers(30, 96))),
            subsample=bool(rng.random() < 0.7),
            shift=(rows, columns),
            repeated=bool(rng.random() < 0.12),
        )

    def reduced(self, picture: Picture) -> Picture:
        """(h, w, 3) to (h / 4, w / 4, 3) in 8 bits, before noise and files."""
        height, width = picture.shape[0], picture.shape[1]
        small = height // SR_SCALE, width // SR_SCALE
        picture = picture[: small[0] * SR_SCALE, : small[1] * SR_SCALE]
        if self.kernel is not None:
            picture = blur(picture, self.kernel)
        if self.first > 1:
            picture = reduce_by(self.filters[0], picture, round(height / self.first), round(width / self.first))
        if self.between:
            picture = jpeg(picture, self.between, subsample=self.subsample)
        return quantise(reduce_by(self.filters[1], picture, *small))

    def saved(self, picture: Picture) -> Picture:
        """Save it to its files and read it again."""
        read = self._read(picture)
        return quantise(halve_chroma(read, repeated=True)) if self.repeated else read

    def _read(self, picture: Picture) -> Picture:
        if self.file == "png":
            return quantise(picture)
        if self.file == "webp":
            return webp(picture, self.qualities[1])
        if self.file == "twice":
            picture = jpeg_on_another_grid(picture, self.qualities[0], self.shift, subsample=self.subsample)
        return jpeg(picture, self.qualities[1], subsample=self.subsample)


@dataclass(frozen=True)
class SmallPhoto:
    """A typical photograph to enlarge: blurred, reduced x4 by any filter in one or two steps, noisy, saved."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        reduction = Reduction.draw(rng)
        small = reduction.reduced(picture)
        if reduction.noise == "sensor":
            small = SENSOR(small, rng)
        elif reduction.noise == "colour":
            small = add_gaussian_noise(small, reduction.sigma, rng)
        elif reduction.noise == "grey":
            small = small + add_gaussian_noise(np.zeros_like(small[..., :1]), reduction.sigma, rng)
        return reduction.saved(small)


def reduce_by(name: str, picture: Picture, height: int, width: int) -> Picture:
    """Resize by one of FILTERS, none of which shifts the picture. Aliased: the mean of the 2 x 2 central pixels.

    Plain nearest neighbours would shift it by half a pixel of the large picture.
    """
    if name == "area":
        return resized(picture, height, width)
    if name == "aliased":
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    pixels = Image.fromarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(pixels.resize((width, height), PILLOW[name]), np.float32) / np.float32(255)


def _draw_kernel(rng: np.random.Generator) -> Kernel | None:
    """Slight soft focus, defocus or shake, in pixels of the large picture; None in a third of the cases."""
    kind = rng.choice(4, p=[0.35, 0.45, 0.12, 0.08])
    if kind == 0:
        return None
    if kind == 1:
        sigma = rng.uniform(0.3, 2.5)
        return gaussian_kernel(sigma, sigma * rng.uniform(0.6, 1), rng.uniform(0, np.pi))
    if kind == 2:
        return disc_kernel(rng.uniform(0.7, 3.5), 1.0)
    return motion_kernel(rng.uniform(2, 14), rng)
