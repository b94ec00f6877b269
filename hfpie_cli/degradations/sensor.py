"""Camera and phone noise: added to the raw data of the sensor, then processed as a camera does.

Shot and read noise, black level and mosaic are as in Brooks et al., "Unprocessing Images for Learned Raw Denoising"
(CVPR 2019), with one change: only the noise is demosaiced, smoothed, sharpened and resized, the picture is not. So a
network learns to remove noise, not to undo a camera's other processing. Only JPEG acts on both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..photos.quality import psnr
from .operations import LUMA, Picture, jpeg, quantise, resized
from .tones import to_linear, to_values

BILINEAR_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
BILINEAR_RED_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
THIN_SIDE = 48  # approximate side of the subsampled picture that a strength is estimated on, pixels
THIN_ROUNDS, EXACT_ROUNDS = 4, 24
NO_NOISE = 100.0  # dB; larger values are clipped to this
TOLERANCE = 0.02  # dB; tolerance of a search for a strength
LUMA_SMOOTHING, CHROMA_SMOOTHING = (0.5, 1.3), (1.5, 4.0)  # sigma in cameras that smooth their noise, pixels
BLOTCHES = (0.0, 0.3)  # how far their smoothed chroma noise regains its strength
STRONGEST = 0.6  # strongest training noise; more would hide a dark picture


@dataclass(frozen=True)
class Camera:
    """One camera at one moment: all random properties of a noisy photograph except the noise itself."""

    knee: float
    """Linear light at which read noise equals shot noise."""
    rows: float
    """Standard deviation of row noise, relative to read noise."""
    hot: float
    """Share of hot pixels."""
    gains: tuple[float, float]
    """White balance of red and blue."""
    saturation: float
    """Saturation that the colour matrix adds."""
    phase: tuple[int, int] | None
    """Row and column of red in the mosaic; None for white noise in each channel."""
    pedestal: bool
    """Whether values below black survive until after demosaicing; otherwise the raw data clip them."""
    contrast: float
    """Contrast of the tone curve: 0 is a plain gamma, 1 an S curve."""
    median: int
    """Side of a median filter over the luma, pixels; 1 for none."""
    luma: float
    """Sigma of luma smoothing, pixels; 0 for none."""
    chroma: float
    """Sigma of chroma smoothing, pixels; at least the luma's."""
    blotches: float
    """How far smoothed chroma noise regains its strength, 0 to 1."""
    sharpening: float
    """Amount of an unsharp mask on the luma."""
    size: float
    """Size of the sensor's picture over the file's: above 1 it is reduced, below 1 the grain is coarse."""
    first_quality: int
    """Quality of a JPEG at the sensor's size; 0 for no JPEG."""
    quality: int
    """JPEG quality of the file; 0 for no JPEG."""
    subsample: bool
    """Whether JPEG halves the chroma."""

    @classmethod
    def draw(cls, rng: np.random.Generator, quality: tuple[int, int]) -> Camera:
        """A random camera with JPEG quality in this range; covers phones, still cameras and web pictures."""

        def sometimes(chance: float, low: float, high: float) -> float:
            return float(rng.uniform(low, high)) if rng.random() < chance else 0.0

        def drawn_quality(chance: float) -> int:
            return int(rng.integers(quality[0], quality[1] + 1)) if rng.random() < chance else 0

        return cls(
            knee=float(np.exp(rng.uniform(np.log(1e-3), np.log(0.2)))),
            rows=sometimes(0.3, 0.05, 0.3),
            hot=10 ** rng.uniform(-5, -3) if rng.random() < 0.2 else 0.0,
            gains=(float(rng.uniform(1.2, 2.4)), float(rng.uniform(1.2, 2.4))),
            saturation=float(rng.uniform(1.0, 1.8)),
            phase=(int(rng.integers(2)), int(rng.integers(2))) if rng.random() < 0.7 else None,
            pedestal=bool(rng.random() < 0.4),
            contrast=sometimes(0.6, 0.0, 1.0),
            median=int(rng.choice([1, 3, 5], p=[0.85, 0.1, 0.05])),
            luma=sometimes(0.45, 0.3, 1.2),
            chroma=sometimes(0.6, 0.5, 2.5),
            blotches=float(rng.uniform(0, 0.8)),
            sharpening=sometimes(0.4, 0.2, 1.5),
            size=float(np.exp(rng.uniform(np.log(0.65), np.log(2)))) if rng.random() < 0.45 else 1.0,
            first_quality=drawn_quality(0.25),
            quality=drawn_quality(0.75),
            subsample=bool(rng.integers(2)),
        )

    def photograph(self, picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
        """The file that this camera makes of a picture (h, w, 3): 8 bits, the same size.

        strength: of the noise; about its standard deviation at a white pixel, in linear light.
        """
        height, width = picture.shape[:2]
        taken = (
            picture
            if self.size == 1
            else resized(picture, round(height * self.size), round(width * self.size)).clip(0, 1)
        )
        noise = self._processed(self._developed(taken, strength, rng))
        if self.first_quality:
            noise = jpeg(taken + noise, self.first_quality, subsample=self.subsample) - taken
        noisy = picture + (noise if self.size == 1 else resized(noise, height, width))
        return jpeg(noisy, self.quality, subsample=self.subsample) if self.quality else quantise(noisy)

    def without_jpeg(self) -> Camera:
        """The same camera with a lossless file."""
        return replace(self, first_quality=0, quality=0)

    def smoothing(self, rng: np.random.Generator) -> Camera:
        """The same camera with its noise smoothed, more than most do: what is left spans several pixels."""
        return replace(
            self,
            luma=float(rng.uniform(*LUMA_SMOOTHING)),
            chroma=float(rng.uniform(*CHROMA_SMOOTHING)),
            blotches=float(rng.uniform(*BLOTCHES)),
        )

    def _developed(self, picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
        """What the sensor's noise adds to the picture after the tone curve, with black and white clipped."""
        linear = to_linear(picture, self.contrast)
        to_sensor = self._sensor_matrix()
        signal = cv2.transform(linear, to_sensor)
        noise = self._sensor_noise(np.asarray(signal, np.float32), strength, rng)
        seen = linear + cv2.transform(noise, np.linalg.inv(to_sensor))
        return to_values(np.asarray(seen, np.float32), self.contrast) - picture

    def _sensor_matrix(self) -> NDArray[np.float64]:
        """Matrix from linear colours of the picture to the sensor's: paler, with darker red and blue."""
        paler = np.eye(3) / self.saturation + (1 - 1 / self.saturation) * np.tile(LUMA, (3, 1))
        return np.asarray(np.diag([1 / self.gains[0], 1, 1 / self.gains[1]]) @ paler)

    def _sensor_noise(self, signal: Picture, strength: float, rng: np.random.Generator) -> Picture:
        """Noise of the sensor's colours (h, w, 3), demosaiced if it has a mosaic."""
        if self.phase is None:
            return self._raw_noise(signal, strength, rng)
        raw = self._raw_noise(mosaic(signal, self.phase)[..., None], strength, rng)
        return demosaic_bilinear(raw[..., 0], self.phase)

    def _raw_noise(self, signal: Picture, strength: float, rng: np.random.Generator) -> Picture:
        """Noise at the photosites, (h, w, c) as the signal."""
        deviation = np.sqrt(signal + np.float32(self.knee)) * np.float32(strength)
        noise = rng.standard_normal(signal.shape, dtype=np.float32) * deviation
        if self.rows:
            rows = rng.standard_normal((signal.shape[0], 1, 1), dtype=np.float32)
            noise += rows * np.float32(self.rows * strength * np.sqrt(self.knee))
        if self.hot:
            count = rng.poisson(self.hot * signal[..., 0].size)
            sites = tuple(rng.integers(0, n, count) for n in signal.shape)
            noise[sites] += rng.uniform(0.1, 1, count).astype(np.float32)
        return noise if self.pedestal else np.maximum(noise, -signal)

    def _processed(self, noise: Picture) -> Picture:
        """Smooth and sharpen as cameras do, luma and chroma separately."""
        luma = np.asarray(cv2.transform(noise, LUMA[None]), np.float32)
        chroma = noise - luma[..., None]
        if self.median > 1:
            luma = np.asarray(cv2.medianBlur(luma, self.median), np.float32)
        if self.luma:
            luma = smoothed(luma, self.luma)
        if self.sharpening:
            luma = luma + np.float32(self.sharpening) * (luma - smoothed(luma, 1.0))
        if sigma := max(self.chroma, self.luma):
            lost = 2 * np.sqrt(np.pi) * max(sigma, 0.3)  # factor by which that smoothing reduces white noise
            chroma = smoothed(chroma, sigma) * np.float32(lost**self.blotches)
        return np.asarray(luma[..., None] + chroma, np.float32)


PHONE = Camera(  # a phone at night, for scores: only the noise is random
    knee=0.02,
    rows=0.05,
    hot=0.0,
    gains=(2.0, 1.6),
    saturation=1.3,
    phase=(0, 0),
    pedestal=False,
    contrast=0.5,
    median=1,
    luma=0.4,
    chroma=0.8,
    blotches=0.3,
    sharpening=0.3,
    size=1.0,
    first_quality=0,
    quality=90,
    subsample=True,
)


@dataclass(frozen=True)
class Sensor:
    """Photographs of random cameras, with the noise of a uniformly drawn PSNR.

    So the noise's standard deviation is log-uniform, and inputs range evenly from nearly clean to 14 dB. The PSNR is
    that before JPEG, estimated on a subsampled picture.
    """

    psnr: tuple[float, float] = (14.0, 40.0)
    """Range of the PSNR, dB."""
    quality: tuple[int, int] = (30, 100)
    """Range of JPEG quality."""
    smoothing: bool = False
    """Whether every camera smooths its noise, chroma most, as good ones do in daylight."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        camera = Camera.draw(rng, self.quality)
        if self.smoothing:
            camera = camera.smoothing(rng)
        target, seed = float(rng.uniform(*self.psnr)), int(rng.integers(2**62))
        strength = estimated_strength(camera, picture, target, seed)
        return camera.photograph(picture, min(strength, STRONGEST), np.random.default_rng(seed))


@dataclass(frozen=True)
class Night:
    """Photographs of PHONE at a fixed PSNR, within 0.02 dB, unless JPEG alone lowers it further."""

    psnr: float
    """dB."""

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        seed = int(rng.integers(2**62))
        strength = estimated_strength(PHONE, picture, self.psnr, seed)
        return search(PHONE, picture, self.psnr, seed=seed, rounds=EXACT_ROUNDS, strength=strength)[1]


def estimated_strength(camera: Camera, picture: Picture, target: float, seed: int) -> float:
    """The approximate strength for `target` dB before JPEG, found on the picture subsampled to THIN_SIDE pixels."""
    step = max(min(picture.shape[:2]) // THIN_SIDE, 1)
    thin = np.ascontiguousarray(picture[::step, ::step])
    return search(camera.without_jpeg(), thin, target, seed=seed, rounds=THIN_ROUNDS)[0]


def search(
    camera: Camera, picture: Picture, target: float, *, seed: int, rounds: int, strength: float = 0.0
) -> tuple[float, Picture]:
    """(strength, photograph) whose PSNR is nearest to `target` dB, after at most `rounds` trials with the same noise.

    strength: the first trial. Except for clipping, the noise is proportional to the strength, so each trial scales the
    last.
    """
    strength = strength or 10 ** (-target / 20)
    tried: list[tuple[float, float, Picture]] = []
    for _ in range(rounds):
        degraded = camera.photograph(picture, strength, np.random.default_rng(seed))
        error = min(psnr(degraded, picture, peak=1), NO_NOISE) - target
        tried.append((abs(error), strength, degraded))
        if abs(error) < TOLERANCE:
            break
        strength *= 10 ** (error / 20)
    _, strength, degraded = min(tried, key=lambda trial: trial[0])
    return strength, degraded


def mosaic(picture: Picture, phase: tuple[int, int]) -> Picture:
    """A Bayer mosaic (h, w) of (h, w, 3); phase: red's row and column, 0 or 1."""
    row, column = phase
    seen = picture[..., 1].copy()
    seen[row::2, column::2] = picture[row::2, column::2, 0]
    seen[1 - row :: 2, 1 - column :: 2] = picture[1 - row :: 2, 1 - column :: 2, 2]
    return seen


def demosaic_bilinear(seen: Picture, phase: tuple[int, int]) -> Picture:
    """Fill the gaps of a Bayer mosaic (h, w) bilinearly: (h, w, 3), linear in its input."""
    row, column = phase
    planes = np.zeros((3, *seen.shape), np.float32)
    planes[1] = seen
    for plane, (y, x) in ((planes[0], (row, column)), (planes[2], (1 - row, 1 - column))):
        plane[y::2, x::2] = seen[y::2, x::2]
        planes[1, y::2, x::2] = 0
    kernels = (BILINEAR_RED_BLUE, BILINEAR_GREEN, BILINEAR_RED_BLUE)
    return np.asarray(cv2.merge([cv2.filter2D(p, -1, k) for p, k in zip(planes, kernels, strict=True)]))


def smoothed(picture: Picture, sigma: float) -> Picture:
    """Gaussian smoothing over 2.5 sigma, pixels."""
    side = 2 * int(np.ceil(2.5 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(picture, (side, side), sigma))
