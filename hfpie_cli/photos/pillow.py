"""Pillow's images to photos and back: the same mode, alpha and `info`."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import HfpieError
from .photo import Photo, check_pixels, split_alpha

PLAIN_MODES = {  # modes that Pillow's become; others are not supported
    **{"1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "PA": "RGBA"},
    **{"RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA", "RGBa": "RGBA"},
}
HIGH_DEPTH_MODES = {"I;16": np.uint16, "I;16L": np.uint16, "I;16B": np.uint16, "F": np.float32}


def from_pillow(image: Image.Image) -> Photo:
    """A photo of 8 bits, 16 bits (mode I;16) or float32 (mode F, white at 1), with its alpha if it has one.

    Palettes are expanded. The orientation that EXIF gives is not applied. Raises HfpieError for other modes.
    """
    if image.mode in HIGH_DEPTH_MODES:
        pixels = np.array(image).astype(HIGH_DEPTH_MODES[image.mode])
    elif image.mode in PLAIN_MODES:
        mode = PLAIN_MODES[image.mode]
        transparent = "transparency" in image.info and not mode.endswith("A")
        pixels = np.array(image.convert(f"{mode}A" if transparent else mode))
    else:
        raise HfpieError(f"hfpie does not read Pillow images of mode {image.mode}", "convert it: image.convert('RGB')")
    if not pixels.size:
        raise HfpieError("the image has no pixels")
    check_pixels(pixels, "the image")
    return Photo(*split_alpha(pixels))


def to_pillow(photo: Photo, like: Image.Image) -> Image.Image:
    """The photo as an image (L, LA, RGB, RGBA, I;16 or F) with the `info` of another: its profile, EXIF and DPI."""
    samples = photo.samples()
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    image.info = {key: value for key, value in like.info.items() if key != "transparency"}
    return image
