"""Noise as a camera makes it: shot and read noise on the sensor, then demosaicing, white balance, tone curve, JPEG.

After Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019), with one change: only the noise goes
through the mosaic, the picture does not, so that a network learns to remove noise and not to repair demosaicing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .degrade import Picture, jpeg, quantise

LOG_SHOT = (np.log(1e-4), np.log(1.2e-2))  # range of the shot noise gain, linear light
READ_SLOPE, READ_OFFSET, READ_SPREAD = 2.18, 1.20, 0.26  # log read noise against log shot noise
BILINEAR_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
BILINEAR_RED_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4


def to_linear(picture: Picture) -> Picture:
    """sRGB to linear light (gamma 2.2)."""
    return np.power(picture.clip(1e-8, 1), np.float32(2.2))


def to_srgb(linear: Picture) -> Picture:
    """Linear light to sRGB (gamma 1/2.2), clipped to [0, 1]."""
    return np.power(linear.clip(0, 1), np.float32(1 / 2.2))


def bayer_masks(height: int, width: int, phase: tuple[int, int]) -> NDArray[np.float32]:
    """Where a Bayer sensor sees red, green and blue: (h, w, 3) of 0 and 1; `phase`: red's row and column."""
    row = (np.arange(height) + phase[0]) % 2
    column = (np.arange(width) + phase[1]) % 2
    red = np.outer(row == 0, column == 0)
    blue = np.outer(row == 1, column == 1)
    return np.stack([red, ~(red | blue), blue], -1).astype(np.float32)


def demosaic_bilinear(mosaic: Picture) -> Picture:
    """Fill the gaps of a Bayer mosaic (h, w, 3, zero where not sampled) bilinearly; linear in its input."""
    kernels = (BILINEAR_RED_BLUE, BILINEAR_GREEN, BILINEAR_RED_BLUE)
    return np.stack([cv2.filter2D(mosaic[..., c], -1, k) for c, k in enumerate(kernels)], -1)


@dataclass(frozen=True)
class CameraNoise:
    """Signal-dependent, spatially correlated, mostly JPEG-compressed noise.

    Shot noise has variance `shot` x signal and read noise variance `read`, both in linear light before white balance.
    """

    jpeg_quality: tuple[int, int] = (50, 100)
    jpeg_chance: float = 0.8

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        log_shot = rng.uniform(*LOG_SHOT)
        log_read = READ_SLOPE * log_shot + READ_OFFSET + rng.normal(0, READ_SPREAD)
        gains = np.array([rng.uniform(1.2, 2.4), 1.0, rng.uniform(1.2, 2.4)], np.float32)  # white balance
        linear = to_linear(picture) / gains
        noise = self.sensor_noise(linear, np.exp(log_shot), np.exp(log_read), rng)
        noisy = to_srgb((linear + noise) * gains)
        if rng.random() < self.jpeg_chance:
            quality = int(rng.integers(self.jpeg_quality[0], self.jpeg_quality[1] + 1))
            return jpeg(noisy, quality, subsample=bool(rng.integers(2)))
        return quantise(noisy)

    def sensor_noise(self, linear: Picture, shot: float, read: float, rng: np.random.Generator) -> Picture:
        """Noise of the mosaic, demosaiced, and half of the time smoothed as cameras do; (h, w, 3) in linear light."""
        height, width = linear.shape[:2]
        deviation = np.sqrt(shot * linear + read)
        noise = rng.standard_normal(linear.shape, dtype=np.float32) * deviation.astype(np.float32)
        phase = (int(rng.integers(2)), int(rng.integers(2)))
        if rng.random() < 0.8:
            noise = demosaic_bilinear(noise * bayer_masks(height, width, phase))
        if rng.random() < 0.5:
            noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.3, 1.0)) * np.float32(rng.uniform(1.0, 1.8))
        return noise
