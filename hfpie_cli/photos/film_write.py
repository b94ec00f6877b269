"""How films are written: codec, encoder settings, depth and colour tags; what is refused or left out."""

from __future__ import annotations

import io
import os
from typing import Any

from ..errors import HfpieError
from ..shown import counted
from .film_frames import Head, stored_as
from .formats import DEFAULT_QUALITY, OutputStyle

MUXERS = {"MP4": "mp4", "MOV": "mov", "MKV": "matroska", "WEBM": "webm"}
HELD = {  # codecs that a container holds
    "MP4": {"h264", "hevc", "av1", "vp9"},
    "MOV": {"h264", "hevc", "prores"},
    "MKV": {"h264", "hevc", "av1", "vp9", "ffv1", "prores"},
    "WEBM": {"vp9", "av1"},
}
USUAL = {"MP4": ("h264", "hevc"), "MOV": ("h264", "hevc"), "MKV": ("h264", "hevc"), "WEBM": ("vp9", "av1")}
ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "ffv1": "ffv1",
    "prores": "prores_ks",
}
SETTINGS: dict[str, dict[str, str]] = {  # of encoders
    "libx265": {"x265-params": "log-level=none"},
    "libsvtav1": {"preset": "6"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "2", "row-mt": "1"},
}
RATE_FACTORS = {
    "libx264": 17,
    "libx265": 18,
    "libsvtav1": 20,
    "libvpx-vp9": 18,
}  # at the default quality; less is finer
MOST_FACTOR = 51
KEPT_WORDS = {"title", "artist", "album", "comment", "copyright", "date", "creation_time", "description", "genre"}
KEPT_WORDS |= {"location", "location-eng", "com.apple.quicktime.location.ISO6709", "make", "model"}
HDR = {16: "PQ", 18: "HLG"}


def is_cover(stream: Any) -> bool:
    """Whether a stream is a cover picture, as in music files."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def remarks(film: Head, form: str) -> tuple[str, ...]:
    """Remarks for the user on how it will be written. Raises HfpieError if no encoder can write it."""
    codec, _ = chosen(film, form)
    about = f"about {film.count} frames" if film.count > 1 else "its header does not say how many frames it has"
    lines = [counted(film.count, "frame") if film.is_counted else about]
    if codec != film.look.codec:
        lines.append(f"its {film.look.codec} becomes {codec}")
    if film.look.turn:
        lines.append("it is turned upright")
    if name := HDR.get(film.look.transfer):
        lines.append(f"its {name} values are kept, but not its mastering brightness")
    _check_sound(film, form)
    lines += [f"its {film.left_out} are left out"] if film.left_out else []
    return tuple(lines)


def _check_sound(film: Head, form: str) -> None:
    """Raise HfpieError for sound that the format cannot hold, because sound is copied unchanged."""
    import av

    with av.open(io.BytesIO(), "w", format=MUXERS[form]) as container:
        held = container.supported_codecs
    strange = [codec for codec in film.sounds if codec not in held]
    if strange:
        message = f"{film.name}: its sound ({strange[0]}) does not fit in {form}"
        raise HfpieError(message, f"try -o {film.path.stem}.mkv, which holds most kinds of sound")


def chosen(film: Head, form: str) -> tuple[str, str]:
    """(codec, encoder) that can store the film's pixels. Raises HfpieError if there is none."""
    import av

    look = film.look
    pixels = stored_as(look)
    wanted = ((look.codec,) if look.codec in HELD[form] else ()) + USUAL[form]
    for codec in dict.fromkeys(wanted):
        try:
            formats = av.Codec(ENCODERS[codec], "w").video_formats or []
        except ValueError:  # not in this build of FFmpeg
            continue
        if pixels in {one.name for one in formats}:
            return codec, ENCODERS[codec]
    message = f"{film.name}: its pixels ({look.pixels}) cannot be written as {form}"
    raise HfpieError(
        message, f"save it as yuv420p{'10le' if look.bits > 8 else ''} first, or try -o {film.path.stem}.mkv"
    )


def video_stream(container: Any, film: Head, form: str, style: OutputStyle, scale: int) -> Any:
    """A stream of frames `scale` times as large as the film's, in an opened file of the format."""
    codec, encoder = chosen(film, form)
    look, options = film.look, dict(SETTINGS.get(encoder, {}))
    if encoder in RATE_FACTORS:
        options["crf"] = str(_rate_factor(RATE_FACTORS[encoder], style.quality))
    os.environ.setdefault("SVT_LOG", "1")  # errors only: libsvtav1 prints its settings for each segment
    stream = container.add_stream(encoder, rate=film.rate, options=options)
    context, turned = stream.codec_context, look.turn % 2
    width, height = (look.height, look.width) if turned else (look.width, look.height)
    context.width, context.height, context.pix_fmt = scale * width, scale * height, stored_as(look)
    context.time_base = film.unit
    context.color_primaries, context.color_trc, context.colorspace = look.primaries, look.transfer, look.matrix
    context.color_range = look.range
    if look.aspect:
        context.sample_aspect_ratio = 1 / look.aspect if turned else look.aspect
    if encoder == "libvpx-vp9":
        context.bit_rate = 0  # otherwise the bit rate overrides the quality
    if codec == "hevc" and form in ("MP4", "MOV"):
        context.codec_tag = "hvc1"  # Apple's players need this tag
    return stream


def _rate_factor(usual: int, quality: int) -> int:
    """The encoder's rate factor: `usual` at the default quality; 0, which is almost or fully lossless, at 100."""
    finer = (100 - quality) / (100 - DEFAULT_QUALITY)
    return round(usual * finer) if finer <= 1 else min(usual + (DEFAULT_QUALITY - quality) // 2, MOST_FACTOR)
