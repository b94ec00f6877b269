"""Encodes a film in segments, so that a later run can continue, and joins them with the sound into one file."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import HfpieError
from .film_frames import Head, from_rgb
from .film_parts import Kept, Parts
from .film_write import KEPT_WORDS, MUXERS, video_stream
from .formats import OutputStyle
from .photo import Photo

SEGMENT = 48  # frames of a segment: the most that a stopped run loses


@dataclass
class Encoding:
    """A film that is being encoded. Its frames are added in order; complete segments are final."""

    film: Head
    """The film that is restored."""
    style: OutputStyle
    """How it is written."""
    scale: int
    """How many times as large its frames are."""
    parts: Parts
    """What is encoded."""
    _stream: Any  # of the current segment; an opened one has not encoded anything yet
    _count: int = 0  # frames of the current segment

    @classmethod
    def begun(cls, film: Head, style: OutputStyle, scale: int, kept: Kept | None, folder: Path | None) -> Encoding:
        """Start after the frames that are kept. Raises as `Parts.opened` does."""
        with _told(film, style):
            stream = _opened_stream(film, style, scale)
        coding = (_form(film, style), film.look, style, scale, SEGMENT, _versions(), stream.codec_context.extradata)
        return cls(film, style, scale, Parts.opened(kept, folder, repr(coding)), stream)

    @property
    def done(self) -> int:
        """Number of the first frames that need not be added."""
        return self.parts.frames

    def add(self, photo: Photo) -> None:
        """Encode the next frame.

        A segment is complete when the next one's first frame arrives. So a film's last segment never is, and a
        continued run always has something to restore.
        """
        with _told(self.film, self.style):
            if self._count == SEGMENT:
                self.finish()
                self.parts.seal(SEGMENT)
                self._stream, self._count = _opened_stream(self.film, self.style, self.scale), 0
            look = self.film.look
            frame = from_rgb(photo.pixels, look)
            frame.pts, frame.time_base = getattr(photo, "time", 0), self.film.unit
            frame.colorspace, frame.color_range = look.matrix, look.range
            frame.color_primaries, frame.color_trc = look.primaries, look.transfer
            self._keep(self._stream.encode(frame))
            self._count += 1

    def finish(self) -> None:
        """End the current segment, before a frame of a new one or after the last."""
        with _told(self.film, self.style):
            self._keep(self._stream.encode(None))
        self._stream.container.close()  # an encoder may hold gigabytes until the garbage collector runs

    def close(self) -> None:
        """Stop encoding; sealed segments stay for a later run."""
        self._stream.container.close()
        self.parts.close()

    def _keep(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            ratio = packet.time_base / self.film.unit
            duration = round((packet.duration or 0) * ratio)
            self.parts.add(round(packet.pts * ratio), duration, bytes(packet), is_key=packet.is_keyframe)

    def join(self, file: IO[bytes]) -> None:
        """Write the film with all added frames and the sound of the original."""
        import av

        times = decoding_times([packet.time for packet in self.parts.packets(data=False)])
        with (
            _told(self.film, self.style),
            av.open(file, "w", format=MUXERS[_form(self.film, self.style)]) as container,
            av.open(str(self.film.path)) as source,
        ):
            if not self.style.strip_metadata:
                words = KEPT_WORDS & {*source.metadata}
                container.metadata.update({word: source.metadata[word] for word in words})
            stream = video_stream(container, self.film, _form(self.film, self.style), self.style, self.scale)
            sound = Sound.copied(source, container)
            for time, part in zip(times, self.parts.packets(), strict=True):
                sound.copy_until(float(time * self.film.unit))
                packet = av.Packet(part.data)
                packet.pts, packet.dts, packet.duration = part.time, time, part.duration
                packet.time_base, packet.is_keyframe, packet.stream = self.film.unit, part.is_key, stream
                container.mux(packet)
            sound.copy_until(None)


def _form(film: Head, style: OutputStyle) -> str:
    return style.format or film.format


@contextmanager
def _told(film: Head, style: OutputStyle) -> Iterator[None]:
    """Turn errors of FFmpeg into HfpieErrors."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        message = f"{film.name}: cannot be written as {_form(film, style)} ({error.strerror})"
        raise HfpieError(message, f"try -o {film.path.stem}.mkv, which holds most kinds of sound") from None


def _opened_stream(film: Head, style: OutputStyle, scale: int) -> Any:
    """A stream that encodes a segment, in a file that is never written."""
    import av

    form = _form(film, style)
    container = av.open(io.BytesIO(), "w", format=MUXERS[form])
    stream = video_stream(container, film, form, style, scale)
    stream.codec_context.open()
    return stream


def _versions() -> tuple[object, ...]:
    import av

    return av.__version__, sorted(av.library_versions.items())


def decoding_times(times: Sequence[int]) -> list[int]:
    """Decoding time of each frame: in order, and not after its display.

    times: when frames are shown, in the order in which they are stored. Encoders also state decoding times, but a
    segment's first ones precede the last ones of the segment before.
    """
    shown = sorted(times)
    ranks = [bisect_right(shown, time) - 1 for time in times]
    delay = max((index - rank for index, rank in enumerate(ranks)), default=0)
    early = [shown[index] - (shown[delay] - shown[0]) for index in range(delay)]
    return [*early, *shown[: len(shown) - delay]]


@dataclass
class Sound:
    """The sound of a film, copied packet by packet without decoding."""

    packets: Iterator[Any]
    """Packets of the input."""
    container: Any
    """Output file."""
    streams: dict[int, Any]
    """Output streams by the input's stream number."""
    waiting: Any = None
    """Packet read ahead, to be copied later."""

    @classmethod
    def copied(cls, source: Any, container: Any) -> Sound:
        """Prepare to copy from one opened film to another, which gets the streams."""
        streams = {one.index: container.add_stream_from_template(one) for one in source.streams.audio}
        packets = source.demux(*source.streams.audio) if streams else iter(())
        return cls(packets, container, streams)

    def copy_until(self, seconds: float | None) -> None:
        """Copy all packets up to a time; None copies the rest."""
        while packet := self.waiting or next(self.packets, None):
            self.waiting = packet
            if seconds is not None and packet.dts is not None and float(packet.dts * packet.time_base) > seconds:
                return
            self.waiting = None
            if packet.dts is not None:  # each stream ends with an empty packet
                packet.stream = self.streams[packet.stream_index]
                self.container.mux(packet)
