"""Building blocks of degradations, as pure functions: noise, kernels, blur, JPEG, reduction.

A picture is an RGB array (h, w, 3), float32 in [0, 1]; only unclipped noise leaves [0, 1]. Noise levels are in units of
1/255, blur in pixels. Random numbers come from the generator that the caller passes.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..photos.resize import resize

Picture = NDArray[np.float32]
Kernel = NDArray[np.float32]
Degradation = Callable[[Picture, np.random.Generator], Picture]

BLUR_KERNEL = 21  # side of the Gaussian kernels, pixels
DISC_STEPS = 4  # subpixels along a pixel's side that a disc is drawn with
SR_SCALE = 4
LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue, as in JPEG


def quantise(picture: Picture) -> Picture:
    """Clip to [0, 1] and round to 8 bits, as a file does."""
    return (np.rint(picture.clip(0, 1) * 255) / 255).astype(np.float32)


def resized(picture: Picture, height: int, width: int) -> Picture:
    """Resize: area averaging to reduce, bicubic to enlarge, without a shift."""
    smaller = height * width < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.float32)


def add_gaussian_noise(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Additive white Gaussian noise of standard deviation `sigma` / 255, not clipped (paper 4.2.1)."""
    return picture + rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(sigma / 255)


def gaussian_kernel(sigma_x: float, sigma_y: float, angle: float, size: int = BLUR_KERNEL) -> Kernel:
    """Anisotropic Gaussian kernel, (size, size), sum 1; sigmas in pixels along axes turned by `angle` radians."""
    at = np.arange(size) - size // 2
    x, y = np.meshgrid(at, at)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-((along / sigma_x) ** 2 + (across / sigma_y) ** 2) / 2)
    return (kernel / kernel.sum()).astype(np.float32)


def motion_kernel(length: float, rng: np.random.Generator) -> Kernel:
    """Kernel of camera shake: a smooth random path of `length` pixels, sum 1, centred on its mean.

    The heading does a random walk; the path is drawn with subpixel (bilinear) weights.
    """
    count = max(int(4 * length), 2)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0, 1.2) / np.sqrt(count), count))
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * (length / count), 0)
    path -= path.mean(0)
    radius = int(np.ceil(np.abs(path).max())) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    corner = np.floor(path).astype(int)
    part = path - corner
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            np.add.at(kernel, (corner[:, 1] + dy + radius, corner[:, 0] + dx + radius), weight)
    return kernel / kernel.sum()


def disc_kernel(radius: float, rim: float) -> Kernel:
    """Kernel of a defocused lens: a disc of `radius` whose rim falls to zero over `rim`, both pixels, sum 1."""
    reach = int(np.ceil(radius + rim / 2))
    fine = (np.arange((2 * reach + 1) * DISC_STEPS) + 0.5) / DISC_STEPS - reach - 0.5
    inside = ((radius - np.hypot(fine[:, None], fine)) / rim + 0.5).clip(0, 1)
    kernel = inside.reshape(2 * reach + 1, DISC_STEPS, 2 * reach + 1, DISC_STEPS).mean((1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def product(first: Kernel, second: Kernel) -> Kernel:
    """The kernel of two blurs in succession."""
    reach = second.shape[0] // 2
    padded = cv2.copyMakeBorder(first, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.filter2D(padded, -1, second[::-1, ::-1], borderType=cv2.BORDER_CONSTANT), np.float32)


def blur(picture: Picture, kernel: Kernel) -> Picture:
    """Convolve with a kernel, reflecting the picture at its border."""
    return np.asarray(cv2.filter2D(picture, -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT_101), np.float32)


def jpeg(picture: Picture, quality: int, *, subsample: bool = True) -> Picture:
    """Through a JPEG file of `quality` 1 to 100, chroma halved (4:2:0) or whole (4:4:4)."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsample else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], settings)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.float32) / np.float32(255)


def jpeg_on_another_grid(picture: Picture, quality: int, shift: tuple[int, int], *, subsample: bool = True) -> Picture:
    """As `jpeg`, the blocks beginning `shift` rows and columns (0 to 7) outside the picture."""
    above, left = shift
    padded = cv2.copyMakeBorder(picture, above, 0, left, 0, cv2.BORDER_REPLICATE)
    return jpeg(np.asarray(padded), quality, subsample=subsample)[above:, left:]


def webp(picture: Picture, quality: int) -> Picture:
    """Through a lossy WebP file of `quality` 1 to 100."""
    pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    _, encoded = cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.float32) / np.float32(255)


def halve_chroma(picture: Picture, *, repeated: bool = False) -> Picture:
    """Chroma at half the size (4:2:0), then linearly enlarged, or repeated as FFmpeg does; luma stays. Not rounded."""
    planes = cv2.cvtColor(picture.clip(0, 1), cv2.COLOR_RGB2YCrCb)
    height, width = picture.shape[:2]
    small = resized(np.asarray(planes[..., 1:], np.float32), -(-height // 2), -(-width // 2))
    if repeated:
        planes[..., 1:] = small.repeat(2, 0).repeat(2, 1)[:height, :width]
    else:
        planes[..., 1:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), np.float32)


def finish(
    picture: Picture, noise: tuple[float, float], quality: tuple[int, int] | None, rng: np.random.Generator
) -> Picture:
    """Noise with sigma in `noise` (1/255), then JPEG with quality in `quality`, 8 bits, as after a blur in a camera."""
    if noise[1] > 0:
        picture = add_gaussian_noise(picture, rng.uniform(*noise), rng)
    if quality is None:
        return quantise(picture)
    return jpeg(picture, int(rng.integers(quality[0], quality[1] + 1)), subsample=bool(rng.integers(2)))


def sometimes_jpeg(picture: Picture, quality: tuple[int, int], share: float, rng: np.random.Generator) -> Picture:
    """In 8 bits, this share of the time through JPEG with a quality in `quality`."""
    return finish(picture, (0, 0), quality if rng.random() < share else None, rng)


def reduce_bicubic(picture: Picture, scale: int = SR_SCALE) -> Picture:
    """Antialiased bicubic reduction as Matlab's imresize does it, rounded to 8 bits (paper 4.2.3)."""
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    pixels = np.rint(picture[: height * scale, : width * scale].clip(0, 1) * 255).astype(np.uint8)
    return resize(pixels, height, width).astype(np.float32) / np.float32(255)
