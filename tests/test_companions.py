"""Further parts of a JPEG: the gain map of Ultra HDR is kept, or a message says that it is lost."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpie_cli.photos.companions import ISO
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo, remarks

NAMESPACES = (
    'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" '
    'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
)
VIDEO = b"\0\0\0\x18ftypmp42 and so on"


def jpeg(pixels, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def packet(attributes: str, items: str = "") -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"<rdf:Description {NAMESPACES} {attributes}>{items}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def gain_map() -> bytes:
    ramp = np.tile(np.arange(0, 240, 20, dtype=np.uint8), (8, 1))
    iso = ISO + bytes(4)
    extra = b"\xff\xe2" + struct.pack(">H", len(iso) + 2) + iso
    return jpeg(ramp, xmp=packet('hdrgm:Version="1.0" hdrgm:GainMapMax="2.3"'), extra=extra)


def ultra_hdr(*, video=b"", turn=1) -> bytes:
    gain = gain_map()
    entries = [("Primary", 0), ("GainMap", len(gain))] + ([("MotionPhoto", len(video))] if video else [])
    listed = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{semantic}" Item:Length="{length}"/></rdf:li>'
        for semantic, length in entries
    )
    motion = 'GCamera:MotionPhoto="1" ' if video else ""
    items = f"<Container:Directory><rdf:Seq>{listed}</rdf:Seq></Container:Directory>"
    directory = Image.Exif()
    directory[274] = turn
    pixels = np.random.default_rng(0).integers(90, 160, (32, 48, 3), dtype=np.uint8)
    return jpeg(pixels, xmp=packet(f'{motion}hdrgm:Version="1.0"', items), exif=directory) + gain + video


def second_picture(file: bytes) -> bytes:
    """What the index of a JPEG (MPF) says is its second picture."""
    with Image.open(io.BytesIO(file)) as image:
        entry = image._getmp()[0xB002][1]  # type: ignore[attr-defined]
    start = file.index(b"MPF\0") + 4 + entry["DataOffset"]
    return file[start : start + entry["Size"]]


def test_a_gain_map_stays_as_it_is():
    photo = read_photo(ultra_hdr())
    file = encode_photo(photo, OutputStyle(), name="")
    assert second_picture(file) == gain_map()
    assert file.endswith(gain_map())
    assert ISO in file[: file.index(b"MPF\0")]
    with Image.open(io.BytesIO(file)) as image:
        image.load()
        assert image.info["xmp"] == read_photo(ultra_hdr()).metadata.xmp
        assert f'Item:Length="{len(gain_map())}"'.encode() in image.info["xmp"]
    assert read_photo(file).metadata == photo.metadata
    assert remarks(photo, OutputStyle(), Path("x.jpg"), scale=1) == ()
    assert photo.is_kept_whole(1)
    assert not photo.is_kept_whole(4)


@pytest.mark.parametrize(("style", "scale"), [("PNG", 1), ("WEBP", 1), ("JPEG", 2)])
def test_where_it_cannot_stay_nothing_announces_it(style, scale):
    photo = read_photo(ultra_hdr())
    large = np.repeat(np.repeat(photo.pixels, scale, 0), scale, 1)
    file = encode_photo(type(photo)(large, None, photo.metadata, style), OutputStyle(), name="")
    xmp = read_photo(file).metadata.xmp
    assert b"GainMap" not in xmp
    assert b"hdrgm:Version" not in xmp
    assert b'Semantic="Primary"' in xmp
    assert gain_map() not in file
    assert remarks(photo, OutputStyle(style), None, scale=scale) == ("its gain map (Ultra HDR) is left out",)


@pytest.mark.parametrize("turn", range(2, 9))
def test_it_is_turned_with_the_picture(turn):
    photo = read_photo(ultra_hdr(turn=turn))
    with Image.open(io.BytesIO(photo.metadata.gain_map)) as image:
        assert b'hdrgm:GainMapMax="2.3"' in image.info["xmp"]
        turned = np.asarray(image).astype(int)
    assert ISO in photo.metadata.gain_map
    tall = turn >= 5
    assert turned.shape == ((12, 8) if tall else (8, 12))
    assert (photo.width, photo.height) == ((32, 48) if tall else (48, 32))
    steps = np.diff(turned.mean(1 if tall else 0))
    assert (steps > 0).all() == (turn in (4, 5, 6)) or (steps < 0).all() == (turn in (2, 3, 7, 8))


def test_a_video_is_left_out_with_what_announces_it_and_the_gain_map_stays():
    photo = read_photo(ultra_hdr(video=VIDEO))
    file = encode_photo(photo, OutputStyle(), name="")
    assert VIDEO not in file
    assert second_picture(file) == gain_map()
    xmp = read_photo(file).metadata.xmp
    assert b"Motion" not in xmp
    assert b'Semantic="GainMap"' in xmp
    assert remarks(photo, OutputStyle(), None, scale=1) == ("its other contents (a preview, a video) are left out",)
    assert not photo.is_kept_whole(1)


def test_a_second_picture_that_is_no_gain_map_is_not_taken_for_one():
    other = jpeg(np.full((8, 8, 3), 90, np.uint8))
    photo = read_photo(jpeg(np.full((16, 16, 3), 120, np.uint8)) + other)
    assert photo.metadata.gain_map == b""
    assert photo.others == 1


def test_a_name_that_tells_another_format_is_told():
    photo = read_photo(encode_photo(read_photo(ultra_hdr()), OutputStyle("PNG"), name=""))
    assert remarks(photo, OutputStyle(), Path("web.jpg"), scale=1) == ("it holds PNG, although its name ends in .jpg",)
    assert remarks(photo, OutputStyle(), Path("web.png"), scale=1) == ()
