"""Every format keeps EXIF byte for byte: texts with accents, comments, maker notes, in all directories."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from hfpie_cli.photos import exif
from hfpie_cli.photos.animation import Animation, encode_animation, read_animation
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Metadata, Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo, losses

TITLE = "Café in Zürich, 東京"
NUMBER_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 129: 1}
FIRST, BELOW, PLACE = 0, exif.EXIF_IFD, exif.GPS_IFD


def values(order: str) -> dict[int, dict[int, tuple[int, bytes]]]:
    """The (type, bytes) of each tag, by its directory."""
    comment = b"UNICODE\0" + TITLE.encode("utf-16-le" if order == "<" else "utf-16-be")
    return {
        FIRST: {
            270: (2, TITLE.encode() + b"\0"),
            271: (2, b"Acme\0"),
            274: (3, struct.pack(order + "H", 1)),
            306: (2, b"2026:01:02 03:04:05\0"),
            315: (2, "Jörg".encode() + b"\0"),
            33432: (2, "© Müller".encode("latin-1") + b"\0"),
            0x4746: (3, struct.pack(order + "H", 4)),
            0x9C9B: (1, TITLE.encode("utf-16-le") + b"\0\0"),
        },
        BELOW: {
            0x829A: (5, struct.pack(order + "II", 1, 125)),
            0x8827: (3, struct.pack(order + "H", 400)),
            0x9286: (7, comment),
            0x927C: (7, bytes(range(256))),
            0xA430: (2, "Señor".encode() + b"\0"),
            0xA434: (129, "Objektiv für Größe".encode() + b"\0"),
        },
        PLACE: {
            1: (2, b"N\0"),
            2: (5, struct.pack(order + "6I", 47, 1, 22, 1, 30, 1)),
            8: (2, "ünü".encode() + b"\0"),
            27: (7, comment),
        },
    }


def packed(order: str, directories: dict[int, dict[int, tuple[int, bytes]]]) -> bytes:
    """An EXIF block of them."""
    block = bytearray(struct.pack(order + "HHI", 0x4949 if order == "<" else 0x4D4D, 42, 8))
    tags: dict[int, tuple[int, bytes] | None] = {**directories[FIRST], BELOW: None, PLACE: None}
    _append(block, order, tags, directories)
    return bytes(block)


def _append(block: bytearray, order: str, tags, directories) -> None:
    start = len(block)
    block += struct.pack(order + "H", len(tags)) + bytes(12 * len(tags) + 4)
    for number, tag in enumerate(sorted(tags)):
        at = start + 2 + 12 * number
        block += b"\0" * (len(block) % 2)
        if tags[tag] is None:
            struct.pack_into(order + "HHII", block, at, tag, 4, 1, len(block))
            _append(block, order, directories[tag], directories)
            continue
        kind, value = tags[tag]
        struct.pack_into(order + "HHI", block, at, tag, kind, len(value) // NUMBER_SIZES[kind])
        if len(value) > 4:
            struct.pack_into(order + "I", block, at + 8, len(block))
            block += value
        else:
            block[at + 8 : at + 8 + len(value)] = value


def found(data: bytes) -> dict[int, dict[int, tuple[int, bytes]]]:
    """What a block or a TIFF file holds, read without the code that is tested; numbers as little-endian ones."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    form, inline = ("Q", 8) if big else ("I", 4)
    (first,) = struct.unpack_from(order + form, data, 8 if big else 4)

    def read(start: int) -> dict[int, tuple[int, bytes]]:
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
        tags = {}
        for number in range(count):
            at = start + (8 + 20 * number if big else 2 + 12 * number)
            tag, kind, length = struct.unpack_from(order + "HH" + form, data, at)
            size = NUMBER_SIZES.get(kind, 8) * length
            at += 4 + inline
            (place,) = (at,) if size <= inline else struct.unpack_from(order + form, data, at)
            value = data[place : place + size]
            width = {3: 2, 4: 4, 5: 4}.get(kind, 1)
            if order == ">" and width > 1:
                value = np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
            tags[tag] = kind, value
        return tags

    directories = {FIRST: read(first)}
    for tag in (BELOW, PLACE):
        link = directories[FIRST].pop(tag)
        directories[tag] = read(int.from_bytes(link[1], "little"))
    return directories


def is_held(data: bytes, order: str) -> bool:
    """Whether a block or file holds all values; the orientation may be left out, and UTF-8 be called ASCII."""
    there, wanted = found(data), found(packed(order, values(order)))
    del wanted[FIRST][274]
    same = [there[name].get(tag) == value for name, tags in wanted.items() for tag, value in tags.items()]
    return all(same)


def photo_with(order: str, dtype=np.uint8) -> Photo:
    bits = 10 if dtype == np.uint16 else 0
    return Photo(np.zeros((16, 24, 3), dtype), metadata=Metadata(exif=packed(order, values(order)), bits=bits))


WAYS = [("JPEG", np.uint8), ("WEBP", np.uint8), ("AVIF", np.uint8), ("AVIF", np.uint16), ("PNG", np.uint8)]
WAYS += [("PNG", np.uint16), ("TIFF", np.uint8), ("TIFF", np.uint16)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("form", "dtype"), WAYS)
def test_every_format_keeps_every_byte(order, form, dtype):
    photo = photo_with(order, dtype)
    assert is_held(photo.metadata.exif, order)
    again = read_photo(encode_photo(photo, OutputStyle(form), name=""))
    assert is_held(again.metadata.exif, order)
    assert exif.orientation(again.metadata.exif) == 1
    if form != "TIFF" and (form, dtype) != ("AVIF", np.uint8):
        assert again.metadata.exif == photo.metadata.exif


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("form", ["JPEG", "TIFF", "AVIF"])
def test_what_comes_from_a_tiff_goes_on(order, form):
    tiff = encode_photo(photo_with(order), OutputStyle("TIFF"), name="")
    assert is_held(tiff, order)
    again = read_photo(encode_photo(read_photo(tiff), OutputStyle(form), name=""))
    assert is_held(again.metadata.exif, order)
    assert not again.metadata.tags


@pytest.mark.parametrize("order", "<>")
def test_texts_of_big_endian_and_of_bigtiff_are_kept(order):
    buffer = io.BytesIO()
    artist = "Jörg".encode() + b"\0"
    extra = [(315, 2, len(artist), artist, True)]
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    tifffile.imwrite(buffer, pixels, bigtiff=True, byteorder=order, extratags=extra, metadata=None, photometric="rgb")
    photo = read_photo(buffer.getvalue())
    assert np.array_equal(photo.pixels, pixels)
    block = read_photo(encode_photo(photo, OutputStyle("JPEG"), name="")).metadata.exif
    assert artist in block
    assert exif.parse(block)[315] == "Jörg".encode().decode("latin-1")


def test_animations_keep_it_too():
    frames = tuple(Photo(np.full((16, 16, 3), grey, np.uint8), None, photo_with("<").metadata) for grey in (0, 99))
    for form in ("WEBP", "AVIF", "PNG"):
        again = read_animation(encode_animation(Animation(frames, (40, 40), 0), OutputStyle(form), name=""))
        assert is_held(again.frames[0].metadata.exif, "<")


@pytest.mark.parametrize("at", [0, 3, 8, 9, 40, 200])
@pytest.mark.parametrize("form", ["TIFF", "AVIF", "JPEG"])
def test_broken_blocks_cost_no_picture(form, at, rng):
    block = bytearray(packed("<", values("<")))
    block[at : at + 6] = rng.integers(0, 256, 6, np.uint8).tobytes()
    for damaged in (bytes(block), bytes(block[: 2 * at])):
        photo = Photo(np.full((8, 8, 3), 77, np.uint8), metadata=Metadata(exif=damaged))
        again = read_photo(encode_photo(photo, OutputStyle(form, 100), name=""))
        assert np.abs(again.pixels.astype(int) - 77).max() <= 2
        if form != "JPEG" and exif.is_broken(damaged):
            assert losses(photo, OutputStyle(form)) == (f"its EXIF is broken and is left out of {form}",)


def test_an_orientation_is_taken_out_wherever_it_is():
    directory = Image.Exif()
    directory.update({271: "Acme", exif.ORIENTATION: 6, 305: "program", 315: "name"})
    block = exif.strip_prefix(directory.tobytes())
    without = exif.without_orientation(block)
    assert len(without) == len(block)
    del directory[exif.ORIENTATION]
    assert dict(exif.parse(without)) == dict(directory)
    assert exif.without_orientation(without) == without
    assert exif.without_orientation(b"") == b""
