"""Animations: GIF, WebP, APNG and AVIF as frames with their durations, and back as WebP, APNG or AVIF."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import HfpieError
from ..shown import either
from . import boxes, colour, gate, png
from .formats import FORMATS, OutputStyle
from .headers import PNG_SIGNATURE, png_chunks
from .limits import check_size
from .photo import NotReadError, Photo, to_8bit
from .reader import metadata_of, read_bytes, refusals, upright
from .writer import prepared, save_options

HELD = [name for name, row in FORMATS.items() if row.animated]
READ = {*HELD, "GIF"}
ONCE, FOREVER = 1, 0  # plays
WEBP_ANIMATED, WEBP_ALPHA = 2, 16  # flags in a WebP header


@dataclass(frozen=True)
class Animation:
    """Frames of one size; the first one's metadata are the file's."""

    frames: tuple[Photo, ...]
    """The frames, in order."""
    durations: tuple[float, ...]
    """Milliseconds of each frame."""
    plays: int
    """How often it is shown; 0 for ever."""

    @property
    def format(self) -> str:
        """Format that its file is written in."""
        return self.frames[0].format


def read_animation(source: Path | bytes, name: str = "") -> Animation | None:
    """The frames of an animation; None for any other file. Raises HfpieError as `read_photo` does for a broken one."""
    name = name or (str(source) if isinstance(source, Path) else "standard input")
    data = read_bytes(source, name)
    with refusals(data, name):
        if not _may_be_animated(data):
            return None
        facts = gate.inspect(data, name)
        with Image.open(io.BytesIO(data)) as image:
            count = getattr(image, "n_frames", 1)
            if image.format not in READ or count < 2:
                return None
            width, height = (facts.width, facts.height) if facts else image.size
            check_size(name, width, height * count, len(data))
            if data[24] == 16 and image.format == "PNG":
                raise NotReadError(
                    "hfpie does not read 16-bit animated PNG", "save it with 8 bits, or as separate frames"
                )
            return _read(image, data, count)


def _may_be_animated(data: bytes) -> bool:
    """Check the header only, so that still pictures cost nothing."""
    if data[:4] == b"GIF8":
        return True
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return bool(data[20] & WEBP_ANIMATED)
    if data[:8] == PNG_SIGNATURE:
        names = (name for name, _, _ in png_chunks(data))
        return b"acTL" in takewhile(lambda name: name != b"IDAT", names)  # metadata of any length may precede it
    return boxes.kind_of(data) == "AVIF"


def _read(image: Image.Image, data: bytes, count: int) -> Animation:
    plays = {"GIF": ONCE, "AVIF": FOREVER}.get(str(image.format), FOREVER)
    plays = int(image.info.get("loop", plays))
    pictures, durations = [], []
    for number in range(count):
        image.seek(number)
        image.load()
        pictures.append(np.array(image.convert("RGBA")))
        durations.append(float(image.info.get("duration") or 0))
    image.seek(0)
    turn, metadata = metadata_of(image, data)
    clear = any((picture[..., 3] < 255).any() for picture in pictures)
    form = "PNG" if image.format == "GIF" else str(image.format)
    reduced = image.format == "AVIF" and boxes.size_and_bits(data)[2] > 8
    notes = ("its frames have more than 8 bits and are read as 8",) if reduced else ()
    frames = [
        Photo(np.ascontiguousarray(p[..., :3]), np.ascontiguousarray(p[..., 3]) if clear else None, metadata, form)
        for p in pictures
    ]
    return Animation(tuple(upright(replace(frame, notes=notes), turn) for frame in frames), tuple(durations), plays)


def check_held(animation: Animation, form: str, name: str) -> None:
    """Raise HfpieError if files of the format hold no animation."""
    if form not in HELD:
        message = f"{name}: an animation of {len(animation.frames)} frames, which {form} cannot hold"
        raise HfpieError(message, f"choose --format {either(HELD).lower()}")


def encode_animation(animation: Animation, style: OutputStyle, *, name: str) -> bytes:
    """The file, with every frame complete. Raises HfpieError naming `name` for what the format cannot hold."""
    form = style.format or animation.format
    check_held(animation, form, name)
    first = prepared(animation.frames[0], style, name=name)
    images = list(_images(animation))
    options: dict[str, Any] = save_options(first, style.quality)
    durations = [round(duration) for duration in animation.durations]
    options |= {"save_all": True, "append_images": images[1:], "duration": durations}
    if form != "AVIF":
        options["loop"] = animation.plays
    if form == "PNG":
        options |= {"disposal": 0, "blend": 0}
    buffer = io.BytesIO()
    try:
        images[0].save(buffer, form, **options)
    except (ValueError, OSError, MemoryError) as error:
        raise HfpieError(
            f"{name}: cannot be encoded as {form} ({error})".splitlines()[0], "try another --format"
        ) from None
    if form == "PNG":
        return png.with_metadata(buffer.getvalue(), first.metadata)
    if form == "AVIF" and first.metadata.points:
        return boxes.with_points(buffer.getvalue(), first.metadata.points)
    return _with_alpha_flag(buffer.getvalue()) if form == "WEBP" and first.alpha is not None else buffer.getvalue()


def _with_alpha_flag(file: bytes) -> bytes:
    """Set the transparency flag of a WebP; libwebp sets it only if a frame has transparency of its own."""
    return file[:20] + bytes([file[20] | WEBP_ALPHA]) + file[21:]


def _images(animation: Animation) -> Iterator[Image.Image]:
    return (Image.fromarray(to_8bit(frame.samples())) for frame in animation.frames)


def losses(animation: Animation, form: str) -> tuple[str, ...]:
    """Remarks for the user on how it will be written, a line each."""
    hdr = colour.hdr_name(animation.frames[0].metadata)
    lines = [f"{len(animation.frames)} frames"]
    if form == "AVIF" and animation.plays != FOREVER:
        lines.append(f"AVIF repeats for ever, not {animation.plays} times")
    if hdr:
        lines.append(f"its {hdr} values are kept in 8 bits")
    return tuple(lines)
