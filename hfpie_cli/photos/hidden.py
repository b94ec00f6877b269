"""Colours hidden by transparency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .photo import Photo


def fill_hidden(photo: Photo) -> Photo:
    """The photo with fully transparent pixels coloured as the nearest visible ones.

    Otherwise their hidden colour, mostly black, would bleed into the edges.
    """
    if photo.alpha is None or photo.alpha.all() or not photo.alpha.any():
        return photo
    from .opencv import cv2

    hidden = (photo.alpha == 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(hidden, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(nearest.max()) + 1, photo.pixels.shape[2]), photo.pixels.dtype)
    colours[nearest[hidden == 0]] = photo.pixels[hidden == 0]
    return replace(photo, pixels=colours[nearest])
