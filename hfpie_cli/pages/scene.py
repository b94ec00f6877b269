"""A picture of a page in all its versions: whole and lossless if it fits, otherwise reduced, with lossless parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..photos.photo import Photo
from ..photos.resize import resize
from .encode import (
    JPEG_QUALITY,
    Picture,
    Window,
    address,
    as_picture,
    colour_profile,
    differing_windows,
    jpeg,
    lossless,
    thumbnail,
)

PAGE_BYTES = 50_000_000  # of a page's pictures, by default
LEAST_ROOM = 500_000  # least useful bytes for a version of a large picture
IN_TEXT = 4 / 3  # characters a byte: base64
EXACT_PIXELS = 8_000_000  # encoding more of them losslessly takes too long
WHOLE_PIXELS = 16_000_000  # of the largest picture that phone browsers draw
PARTS, PART_SIDES = 3, (512, 1024)  # number of parts, and their sides in pixels
LEAST_SIDE = 192  # least side of a part, pixels
USUAL_LOSSLESS, USUAL_JPEG = 2.4, 0.9  # bytes a pixel of a noisy photograph


@dataclass(frozen=True)
class Version:
    """A version of a picture."""

    name: str
    """Its name on the page."""
    photo: Photo
    """Its pixels."""
    score: str = ""
    """Its score, for the label."""


@dataclass(frozen=True)
class View:
    """A picture as the viewer shows it, whole or in part."""

    label: str
    """Its name on the page."""
    width: int
    """Pixels shown."""
    height: int
    """Pixels shown."""
    reduction: int
    """Pixels of a side that were reduced to one."""
    left: int
    """First column in the whole picture."""
    top: int
    """First row in the whole picture."""
    addresses: tuple[str, ...]
    """Data address of each version."""


@dataclass(frozen=True)
class Scene:
    """A picture of a page."""

    name: str
    """Its name."""
    note: str
    """What is embedded, in words."""
    mark: str
    """Its rank: best, median or worst; may be empty."""
    thumbnail: str
    """Data address of its thumbnail."""
    versions: tuple[Version, ...]
    """Versions to compare."""
    views: tuple[View, ...]
    """The whole picture and parts of it."""

    @property
    def size(self) -> int:
        addresses = [address for view in self.views for address in view.addresses]
        return len(self.thumbnail) + sum(map(len, addresses))


@dataclass(frozen=True)
class _Stack:
    """The versions of a picture at one size, with their ICC profiles."""

    pictures: Sequence[Picture]
    profiles: Sequence[bytes]

    @property
    def width(self) -> int:
        return int(self.pictures[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.pictures[0].shape[0])

    def encoded(self, encode: Callable[[Picture, bytes], bytes], window: Window | None = None) -> list[bytes]:
        cut = [window.cut(picture) if window else picture for picture in self.pictures]
        return [encode(picture, icc) for picture, icc in zip(cut, self.profiles, strict=True)]

    def reduced(self, times: int) -> _Stack:
        height, width = max(1, self.height // times), max(1, self.width // times)
        return _Stack([resize(picture, height, width) for picture in self.pictures], self.profiles)


class Room:
    """Characters that a page's pictures may still take, shared evenly by those to come."""

    def __init__(self, size: int, scenes: int) -> None:
        self.left, self.scenes = size, scenes

    def take(self, name: str, versions: Sequence[Version], mark: str = "") -> Scene | None:
        """The picture's scene; None if it does not fit."""
        share = max(self.left // max(self.scenes, 1), min(self.left, LEAST_ROOM * len(versions)))
        scene = make_scene(name, versions, share, mark)
        self.scenes -= 1
        self.left -= scene.size if scene else 0
        return scene


def make_scene(name: str, versions: Sequence[Version], room: int, mark: str = "") -> Scene | None:
    """A picture's versions (two at least) in at most `room` characters; None if that is too little.

    Smaller versions are enlarged to the largest one's size. Raises UsageError for versions of different shapes.
    """
    stack = _stacked(name, versions)
    small = address(thumbnail(stack.pictures[-1], stack.profiles[-1]))
    room = int((room - len(small)) / IN_TEXT) - 64 * len(versions)  # bytes: addresses have beginnings and padding
    views = _exact(stack, room) or _reduced(stack, room)
    if views is None:
        return None
    return Scene(name, _note(stack, versions, views), mark, small, tuple(versions), tuple(views))


def _stacked(name: str, versions: Sequence[Version]) -> _Stack:
    """All versions at the size of the largest."""
    widest = max((version.photo for version in versions), key=lambda photo: photo.width * photo.height)
    for version in versions:
        photo = version.photo
        scale = max(widest.width / photo.width, widest.height / photo.height)
        if abs(photo.width * widest.height - photo.height * widest.width) > scale * max(photo.width, photo.height):
            sizes = f"{photo.width} x {photo.height} ({version.name}) and {widest.width} x {widest.height} pixels"
            raise UsageError(f"{name}: its versions have different shapes, {sizes}", "compare versions of one picture")
    pictures = [resize(as_picture(version.photo), widest.height, widest.width) for version in versions]
    return _Stack(pictures, [colour_profile(version.photo) for version in versions])


def _exact(stack: _Stack, room: int) -> list[View] | None:
    """The whole picture without loss, if it fits."""
    pixels = stack.width * stack.height
    if pixels > EXACT_PIXELS or pixels * len(stack.pictures) > room:  # few have less than a byte per pixel
        return None
    files = stack.encoded(lossless)
    return [_view("Whole", stack, files)] if _size(files) <= room else None


def _reduced(stack: _Stack, room: int) -> list[View] | None:
    """The whole as JPEG, as large as fits in half of the room, and lossless parts in the rest."""
    parts = _parts(stack, room // 2)
    share = room - sum(_size(files) for files, _ in parts)
    pixels = min(WHOLE_PIXELS, share / len(stack.pictures) / USUAL_JPEG)
    times = math.ceil(math.sqrt(stack.width * stack.height / max(pixels, 1)))
    while parts and times < max(stack.width, stack.height):
        whole = stack.reduced(times) if times > 1 else stack
        files = whole.encoded(jpeg)
        if _size(files) <= share:
            names = ["Part"] if len(parts) == 1 else [f"Part {number + 1}" for number in range(len(parts))]
            exact = [_view(label, stack, *part) for label, part in zip(names, parts, strict=True)]
            return [_view("Whole", stack, files, times=times), *exact]
        times += 1
    return None


def _view(label: str, stack: _Stack, files: Sequence[bytes], window: Window | None = None, times: int = 1) -> View:
    window = window or Window(0, 0, stack.width, stack.height)
    addresses = tuple(map(address, files))
    return View(label, window.width, window.height, times, window.left, window.top, addresses)


def _parts(stack: _Stack, room: int) -> list[tuple[list[bytes], Window]]:
    """The parts that differ most, with their files; none if not even one fits."""
    least, most = PART_SIDES
    pixels = room / len(stack.pictures) / USUAL_LOSSLESS
    count = PARTS if pixels >= PARTS * least**2 else 1
    side = int(min(most, math.sqrt(max(pixels, 0) / count)))
    while side >= LEAST_SIDE:
        windows = differing_windows(stack.pictures, side, count)
        parts = [(stack.encoded(lossless, window), window) for window in windows]
        if sum(_size(files) for files, _ in parts) <= room:
            return parts
        side = side * 4 // 5
    return []


def _size(files: Sequence[bytes]) -> int:
    return sum(len(data) for data in files)


def _note(stack: _Stack, versions: Sequence[Version], views: Sequence[View]) -> str:
    """A note on how the pictures are embedded."""
    whole, *parts = views
    lines = [f"{stack.width} x {stack.height} pixels"]
    for version in versions:
        photo = version.photo
        if (photo.width, photo.height) != (stack.width, stack.height):
            lines.append(f"{version.name}: {photo.width} x {photo.height}, enlarged bicubically here")
    if not parts:
        return "; ".join([*lines, "embedded whole, without loss"])
    size = f"reduced to 1/{whole.reduction}" if whole.reduction > 1 else "at full size"
    exact = (
        f"{len(parts)} parts where the versions differ most" if len(parts) > 1 else "the part where they differ most"
    )
    return "; ".join([*lines, f"embedded {size} as JPEG {JPEG_QUALITY}, and {exact} at 100 % without loss"])
