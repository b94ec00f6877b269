"""Animations: frames, durations and repetitions are read and written."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import boxes
from hfpie_cli.photos.animation import encode_animation, losses, read_animation
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.reader import read_photo

DURATIONS = [100, 200, 350]
FRAMES = [np.full((16, 24, 3), colour, np.uint8) for colour in ((200, 30, 30), (30, 200, 30), (30, 30, 200))]


def animated(form: str, frames=FRAMES, **options) -> bytes:
    buffer = io.BytesIO()
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(buffer, form, save_all=True, append_images=images[1:], duration=DURATIONS, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("target", [None, "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_frames_durations_and_plays_stay(form, target):
    animation = read_animation(animated(form, **({} if form == "AVIF" else {"loop": 3})))
    assert (len(animation.frames), animation.durations) == (3, tuple(DURATIONS))
    written = encode_animation(animation, OutputStyle(target), name="")
    again = read_animation(written)
    assert again.durations == tuple(DURATIONS)
    for frame, expected in zip(again.frames, FRAMES, strict=True):
        assert np.abs(frame.pixels.astype(int) - expected).max() <= 12  # of lossy formats
        assert frame.alpha is None
    assert again.format == (target or ("PNG" if form == "GIF" else form))
    if form != "AVIF" and again.format != "AVIF":
        assert again.plays == animation.plays == 3
    told = losses(animation, again.format)
    assert ("AVIF repeats for ever, not 3 times" in told) == (form != "AVIF" and again.format == "AVIF")


def test_a_gif_that_plays_once_does_so_as_png():
    animation = read_animation(animated("GIF"))
    assert animation.plays == 1
    assert read_animation(encode_animation(animation, OutputStyle(), name="")).plays == 1


def test_transparency_and_metadata_of_an_animation_stay():
    clear = [np.dstack([frame, np.full((16, 24), 255, np.uint8)]) for frame in FRAMES]
    clear[1][:8, :, 3] = 0
    animation = read_animation(animated("PNG", clear))
    for form in ("PNG", "WEBP"):
        again = read_animation(encode_animation(animation, OutputStyle(form), name=""))
        assert [frame.alpha.min() for frame in again.frames] == [255, 0, 255]


def test_an_animated_png_with_long_metadata_is_read_again():
    animation = read_animation(animated("PNG"))
    xmp = b"<x:xmpmeta>" + b" " * 10_000 + b"</x:xmpmeta>"
    first = replace(animation.frames[0], metadata=replace(animation.frames[0].metadata, xmp=xmp))
    animation = replace(animation, frames=(first, *animation.frames[1:]))
    again = read_animation(encode_animation(animation, OutputStyle(), name=""))
    assert (again.durations, again.frames[0].metadata.xmp) == (tuple(DURATIONS), xmp)
    for frame, expected in zip(again.frames, FRAMES, strict=True):
        assert np.array_equal(frame.pixels, expected)


def test_colours_outside_icc_stay_in_animations():
    file = boxes.with_points(animated("AVIF"), (12, 13))
    animation = read_animation(file)
    written = encode_animation(animation, OutputStyle(), name="")
    assert boxes.colour_points(written) == (12, 13)
    assert written.count(b"colrnclx\x00\x0c\x00\x0d") == written.count(b"colrnclx") >= 2
    assert read_animation(encode_animation(animation, OutputStyle("WEBP"), name="")).frames[0].metadata.icc


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "BMP", "PPM"])
def test_formats_without_frames_refuse_them(form):
    animation = read_animation(animated("WEBP"))
    with pytest.raises(HfpieError, match=f"x.webp: an animation of 3 frames, which {form} cannot hold"):
        encode_animation(animation, OutputStyle(form), name="x.webp")


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF", "JPEG"])
def test_still_pictures_are_none(form):
    buffer = io.BytesIO()
    Image.fromarray(FRAMES[0]).save(buffer, form)
    assert read_animation(buffer.getvalue()) is None
    photo = read_photo(buffer.getvalue())
    assert photo.format == ("PNG" if form == "GIF" else form)


def test_an_animated_png_of_16_bits_is_refused():
    file = bytearray(animated("PNG"))
    file[24] = 16
    file[29:33] = zlib.crc32(file[12:29]).to_bytes(4, "big")
    with pytest.raises(HfpieError, match="16-bit animated PNG"):
        read_animation(bytes(file))


def test_a_gif_whose_frame_is_larger_than_it_says_is_refused_by_that_size():
    file = bytearray(animated("GIF"))
    second = file.rindex(b"," + bytes(4) + struct.pack("<HH", 24, 16))
    file[second + 5 : second + 9] = struct.pack("<HH", 65535, 65535)
    with pytest.raises(HfpieError, match=r"bomb.gif: 4295 megapixels, more than"):
        read_animation(bytes(file), "bomb.gif")


def test_a_broken_animation_is_refused_in_one_line():
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    with pytest.raises(HfpieError) as caught:
        read_animation(animated("WEBP", list(noise))[:5000])
    assert "\n" not in caught.value.message
