"""TIFF tags of maps, microscopes and programs: kept, and scaled with the picture."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tifffile

SWAPPED = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8}  # bytes of a number, by type
STORAGE = {  # storage of the pixels, which differs in a new file, and what holds only for the old pixels
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291),
    *(292, 293, 297, 301, 317, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333, 334, 336, 337, 338, 339),
    *(340, 341, 342, 343, 344, 345, 346, 347, 400, 401, 402, 403, 404, 405, 433, 434, 435, 512, 513, 514, 515, 517),
    *(518, 519, 520, 521, 529, 530, 531, 532, 559, 32995, 32996, 32997, 32998, 37724, 50674, 50838, 50839),
}
ELSEWHERE = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 700, 33432, 34377, 34665, 34675, 34853, 40965}
ELSEWHERE |= {0x4746, 0x4749, *range(0x9C9B, 0x9CA0)}  # in EXIF: ratings, and Windows' texts
PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS = 33550, 33922, 34264, 34735
GEO = {PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, 34736, 34737}
RASTER_TYPE, PIXEL_IS_POINT = 1025, 2
IMAGEJ_COUNTS, IMAGEJ = 50838, 50839
PHOTOSHOP_LAYERS = 37724
DOUBLE = 12


@dataclass(frozen=True)
class Tag:
    """A TIFF tag."""

    code: int
    """Its number."""
    type: int
    """TIFF's number of its type."""
    count: int
    """Number of values."""
    value: bytes
    """Its bytes, little-endian."""

    def numbers(self) -> list[float]:
        """Numbers of a tag of doubles or shorts."""
        form = {DOUBLE: "d", 3: "H"}[self.type]
        return list(struct.unpack(f"<{len(self.value) // struct.calcsize(form)}{form}", self.value))


def kept_tags(data: bytes, page: tifffile.TiffPage) -> tuple[Tag, ...]:
    """The tags of a page that go with the picture."""
    tags = [_raw(data, tag, page.parent.byteorder) for tag in page.tags.values() if _is_kept(tag, len(data))]
    tags += [Tag(code, kind, count, value) for code, kind, count, value, _ in _imagej(page)]
    by_code = {tag.code: tag for tag in reversed(tags)}  # of two of a code, the first counts
    return tuple(by_code[code] for code in sorted(by_code))


def _is_kept(tag: Any, length: int) -> bool:
    """Whether a tag belongs to the picture, and its value is within the file's `length` bytes."""
    there = tag.valueoffset + tag.valuebytecount <= length
    return there and tag.code not in STORAGE | ELSEWHERE and int(tag.dtype) in SWAPPED


def _raw(data: bytes, tag: Any, order: str) -> Tag:
    value = data[tag.valueoffset : tag.valueoffset + tag.valuebytecount]
    size = SWAPPED[int(tag.dtype)]
    if order == ">" and size > 1:
        value = np.frombuffer(value, f">u{size}").astype(f"<u{size}").tobytes()
    return Tag(tag.code, int(tag.dtype), tag.count, value)


def _imagej(page: tifffile.TiffPage) -> Iterable[tuple[int, int, int, bytes, bool]]:
    """ImageJ's own metadata (overlays, labels), whose bytes depend on the file's byte order."""
    tag = page.tags.get(IMAGEJ)
    if tag is None or IMAGEJ_COUNTS not in page.tags or not isinstance(tag.value, dict):
        return ()
    from tifffile.tifffile import imagej_metadata_tag

    return imagej_metadata_tag(tag.value, "<")


def scaled_tags(tags: tuple[Tag, ...], scale: float) -> tuple[Tag, ...]:
    """The tags of the picture enlarged: pixels are smaller on the map, tie points move.

    ImageJ's overlays, which have pixel coordinates too, are left out.
    """
    if scale == 1:
        return tags
    keys = next((tag.numbers() for tag in tags if tag.code == GEO_KEYS and tag.type == 3), [])
    point = any(keys[at : at + 4] == [RASTER_TYPE, 0, 1, PIXEL_IS_POINT] for at in range(4, len(keys), 4))
    shift = (scale - 1) / 2 if point else 0.0  # then points are centres of pixels, otherwise corners
    left = (tag for tag in tags if tag.code not in (IMAGEJ, IMAGEJ_COUNTS))
    return tuple(_scaled(tag, scale, shift) if tag.type == DOUBLE else tag for tag in left)


def _scaled(tag: Tag, scale: float, shift: float) -> Tag:
    values = tag.numbers()
    if tag.code == PIXEL_SCALE and len(values) == 3:
        values = [values[0] / scale, values[1] / scale, values[2]]
    elif tag.code == TIE_POINTS:
        values = [v * scale + shift if at % 6 < 2 else v for at, v in enumerate(values)]
    elif tag.code == TRANSFORMATION and len(values) == 16:
        matrix = np.array(values).reshape(4, 4)
        matrix[:, :2] /= scale
        matrix[:3, 3] -= matrix[:3, :2].sum(1) * shift
        values = matrix.ravel().tolist()
    else:
        return tag
    return replace(tag, value=struct.pack(f"<{len(values)}d", *values))


def without_map_position(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """The tags without those that give the picture's position on a map."""
    return tuple(tag for tag in tags if tag.code not in GEO)


def left_out(tags: tuple[Tag, ...], form: str) -> str:
    """A remark on tags that a format other than TIFF cannot hold; empty if there are none."""
    if not tags or form == "TIFF":
        return ""
    if any(tag.code in GEO for tag in tags):
        return f"its map position (GeoTIFF) does not fit in {form} and is left out"
    return f"{len(tags)} TIFF tags do not fit in {form} and are left out"
