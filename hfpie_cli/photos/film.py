"""Reads films with PyAV (FFmpeg), the extra `video`. Frames are decoded one at a time, as RGB of 16 bits.

The network sees the numbers that the film holds (display-encoded, PQ and HLG too), by the film's own matrix and range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HfpieError
from ..files import check_ordinary
from . import film_write
from .film_encode import Encoding
from .film_frames import FULL_RANGE, Frame, Head, Look, to_rgb
from .film_parts import Kept
from .formats import FILMS, OutputStyle, endings_of
from .limits import check_size
from .photo import Metadata, NotReadError, Photo
from .recognise import FILM_HEAD, is_film_head
from .series import Series

MISSING = ("films need pip install 'hfpie[video]'", "or extract its frames as PNG first")
BYTES_PER_PIXEL = 48  # of memory per pixel of a frame
LEFT_OUT = {"subtitle": "subtitles", "data": "other data", "attachment": "attachments"}
SLACK = 1.0  # seconds by which the last frame may end before the film


@dataclass(frozen=True)
class Film(Series):
    """A film, decoded frame by frame."""

    head: Head
    """What its header says."""
    noun = "frame"

    @property
    def name(self) -> str:
        """For messages."""
        return self.head.name

    @property
    def count(self) -> int:
        """Number of its frames."""
        return self.head.count

    @property
    def format(self) -> str:
        """Format that it is written in."""
        return self.head.format

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.head.look.width * self.head.look.height * self.count

    @cached_property
    def first(self) -> Photo:
        """The first frame."""
        return next(self.pictures())

    def pictures(self, start: int = 0) -> Iterator[Photo]:
        """Frame after frame; those before `start` are only decoded and checked.

        Raises HfpieError for a broken or interlaced frame, one of another size, and a truncated film.
        """
        number, first, last = 0, 0, 0
        with opened(self.head.path, self.name) as (container, stream):
            stream.thread_type = "AUTO"
            for decoded in container.decode(stream):
                last = self._checked_time(decoded, number)
                first, number = last if number == 0 else first, number + 1
                if number > start:
                    pixels = np.rot90(to_rgb(decoded, self.head.look), self.head.look.turn)
                    yield Frame(np.ascontiguousarray(pixels), None, Metadata(), self.format, time=last)
        shown, seconds = float((last - first) * self.head.unit), self.head.seconds
        if not number or shown < seconds - SLACK:
            raise HfpieError(f"{self.name}: is cut off after {shown:.1f} of {seconds:.1f} seconds", "copy it again")

    def _checked_time(self, decoded: Any, number: int) -> int:
        """The time of a frame. Raises HfpieError for one that hfpie does not restore."""
        look = self.head.look
        if decoded.interlaced_frame:
            hint = "deinterlace it first: ffmpeg -i FILM -vf bwdif OUTPUT"
            raise HfpieError(f"{self.name}: is interlaced, which hfpie does not restore", hint)
        if decoded.is_corrupt:
            raise HfpieError(f"{self.name}: frame {number + 1} is corrupt", "copy or export the film again")
        if (decoded.width, decoded.height, decoded.format.name) != (look.width, look.height, look.pixels):
            raise HfpieError(f"{self.name}: frame {number + 1} has another size or depth", "split it there first")
        time = decoded.pts if decoded.pts is not None else decoded.dts
        if time is None:
            raise HfpieError(f"{self.name}: its frames have no timestamps", "save it again as MP4 or MKV")
        return int(time)

    def checked(self, style: OutputStyle, target: Path | None, scale: int) -> tuple[str, ...]:
        """Remarks for the user, a line each. Raises HfpieError for what cannot be written."""
        form = style.format or self.format
        if form not in FILMS:
            hint = f"name a film, such as {self.head.path.stem}{endings_of(self.format)[0]}"
            raise HfpieError(f"{self.name}: a film, which {form} cannot hold", hint)
        if target and target.exists() and target.samefile(self.head.path):
            raise HfpieError(f"{self.name}: --in-place would replace it with a re-encoded film", "remove --in-place")
        return film_write.remarks(self.head, form)

    def encoding(self, style: OutputStyle, scale: int, kept: Kept | None, folder: Path | None) -> Encoding:
        """Accepts the restored frames, `scale` times as large, after those that were kept.

        folder: of the temporary file if nothing is to be kept. Raises HfpieError, and OSError if there is no room.
        """
        return Encoding.begun(self.head, style, scale, kept, folder)


def is_film(path: Path) -> bool:
    """Whether a file is a film, by its first bytes, or by its suffix if they do not tell."""
    check_ordinary(path)
    try:
        with path.open("rb") as file:
            return is_film_head(file.read(FILM_HEAD))
    except OSError:
        return False  # reported when it is read


def open_film(path: Path, name: str) -> Film:
    """Open a film; only its header is read. Raises HfpieError if the file is not a film, and without PyAV."""
    with opened(path, name) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise HfpieError(f"{name}: none of its frames can be decoded")
        check_size(name, first.width, first.height, path.stat().st_size, bytes_each=BYTES_PER_PIXEL)
        pixels = first.format
        if any(component.is_alpha for component in pixels.components):
            raise HfpieError(f"{name}: a film with transparency, which hfpie cannot keep", "extract its frames as PNG")
        look = Look(
            stream.codec_context.codec.canonical_name,
            pixels.name,
            first.width,
            first.height,
            max(component.bits for component in pixels.components),
            round(first.rotation / 90) % 4,
            first.color_primaries,
            first.color_trc,
            first.colorspace,
            FULL_RANGE if pixels.name.startswith("yuvj") else first.color_range,
            aspect if (aspect := stream.sample_aspect_ratio) and aspect != 1 else None,
        )
        rate = stream.average_rate or stream.guessed_rate
        seconds = _seconds(container, stream)
        about = round((seconds or (container.duration or 0) / 1e6) * float(rate or 25))
        kinds = {one.type for one in container.streams} - {"audio", "video"}
        left_out = " and ".join(LEFT_OUT.get(kind, kind) for kind in sorted(kinds))
        sounds = tuple(one.codec_context.codec.canonical_name for one in container.streams.audio)
        count = stream.frames or max(about, 1)
        head = Head(path, name, look, count, stream.frames > 0, stream.time_base, rate, seconds, sounds, left_out)
        return Film(head)


def _seconds(container: Any, stream: Any) -> float:
    """Duration of the video by the header; 0 if it does not state one."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if found := re.match(r"(\d+):(\d+):([\d.]+)$", stream.metadata.get("DURATION", "")):  # of Matroska
        return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3])
    return (container.duration or 0) / 1e6 if len(container.streams) == 1 else 0.0  # or that of the sound


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[Any, Any]]:
    """The film as PyAV opens it, and its video stream. Errors of FFmpeg become HfpieErrors."""
    try:
        import av
    except ImportError:
        raise HfpieError(f"{name}: {MISSING[0]}", MISSING[1]) from None
    av.logging.set_level(None)
    try:
        with av.open(str(path)) as container:
            streams = [one for one in container.streams.video if not film_write.is_cover(one)]
            if not streams:
                raise HfpieError(f"{name}: contains no video, only sound or data")
            yield container, streams[0]
    except av.FFmpegError as error:
        message = f"{name}: a broken film, or one of a kind that hfpie does not read ({error.strerror})"
        raise HfpieError(message, "if another program plays it, export it from there") from None
    except NotReadError as error:
        raise HfpieError(f"{name}: {error}", error.hint) from None
