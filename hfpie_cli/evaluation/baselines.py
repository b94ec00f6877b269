"""Classical methods to compare a network with: Pillow's and OpenCV's, without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from ..degradations.operations import SR_SCALE
from ..photos.photo import Photo, Pixels, to_8bit
from ..photos.resize import resize

NLM_STRENGTH = 0.6  # of the filter, relative to the estimated sigma: best for sigma 10 to 50 on four photographs
UNSHARP_SIGMA, UNSHARP_AMOUNT = 2.0, 1.0  # pixels; share of the detail that is added
LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)


def enlarge_bicubic(photo: Photo) -> Photo:
    """Bicubic enlargement x4, the first row of a super-resolution table."""
    return Photo(resize(photo.pixels, photo.height * SR_SCALE, photo.width * SR_SCALE))


def enlarge_lanczos(photo: Photo) -> Photo:
    """Lanczos enlargement x4 over 8 x 8 pixels, in 8 bits."""
    size = (photo.width * SR_SCALE, photo.height * SR_SCALE)
    return Photo(np.asarray(cv2.resize(to_8bit(photo.pixels), size, interpolation=cv2.INTER_LANCZOS4)))


def denoise_by_means(photo: Photo) -> Photo:
    """Non-local means in colour, in 8 bits, with the strength that fits the estimated noise."""
    pixels = to_8bit(photo.pixels)
    strength = NLM_STRENGTH * noise_sigma(pixels)
    denoised = cv2.fastNlMeansDenoisingColored(np.ascontiguousarray(pixels[..., ::-1]), None, strength, strength)
    return Photo(np.ascontiguousarray(np.asarray(denoised)[..., ::-1]))


def sharpen(photo: Photo) -> Photo:
    """Unsharp mask in 8 bits: adds the detail that a Gaussian blur removes."""
    pixels = to_8bit(photo.pixels)
    soft = cv2.GaussianBlur(pixels, (0, 0), UNSHARP_SIGMA)
    return Photo(np.asarray(cv2.addWeighted(pixels, 1 + UNSHARP_AMOUNT, soft, -UNSHARP_AMOUNT, 0)))


def noise_sigma(pixels: Pixels) -> float:
    """The standard deviation of white noise in (h, w, c) pixels, in their units (Immerkaer 1996).

    The difference of two Laplacians removes flat areas and even slopes; noise remains.
    """
    remains = cv2.filter2D(pixels.astype(np.float64), -1, LAPLACIANS, borderType=cv2.BORDER_REFLECT_101)
    return float(np.abs(remains).mean() * np.sqrt(np.pi / 2) / 6)


BASELINES: Mapping[str, Mapping[str, Callable[[Photo], Photo]]] = {  # by task, in the order of a table's rows
    "denoise": {"non-local means": denoise_by_means},
    "deblur": {"unsharp mask": sharpen},
    "sr": {"bicubic": enlarge_bicubic, "Lanczos": enlarge_lanczos},
}
