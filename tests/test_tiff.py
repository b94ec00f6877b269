"""TIFF of high depth and scientific TIFF: what is read, kept, and refused."""

import io
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import exif, tiff_write
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Metadata, Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo, losses

PRECISE = ImageCms.Flags.NOOPTIMIZE
RAMP = np.linspace(0, 65535, 24 * 32).astype(np.uint16).reshape(24, 32)
PIXEL_SCALE = (33550, 12, 3, (0.5, 0.25, 1.0), True)
TIE_POINT = (33922, 12, 6, (2.0, 3.0, 0.0, 440720.0, 3751320.0, 0.0), True)
MATRIX = (34264, 12, 16, (0.5, 0.1, 0, 400.0, 0.2, -0.5, 0, 900.0, 0, 0, 0, 0, 0, 0, 0, 1.0), True)


def keys(raster: int) -> tuple[int, int, int, tuple[int, ...], bool]:
    """GeoTIFF's directory of keys. raster: 1 if places are pixels' corners, 2 if they are their centres."""
    return (34735, 3, 12, (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, raster), True)


def tiff(pixels=RAMP, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"metadata": None, "software": False} | options)
    return buffer.getvalue()


def tags_of(file: bytes) -> dict[int, object]:
    with tifffile.TiffFile(io.BytesIO(file)) as opened:
        return {tag.code: tag.value for tag in opened.pages[0].tags.values()}  # type: ignore[union-attr]


def enlarged(photo: Photo, scale: int) -> Photo:
    pixels = np.repeat(np.repeat(photo.pixels, scale, 0), scale, 1)
    return Photo(pixels, None, photo.metadata, photo.format)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tags_that_hfpie_does_not_know_stay(order, dtype):
    extra = [
        (65000, 2, 0, "acme", True),
        (65001, 3, 3, (1, 2, 60000), True),
        (65002, 12, 2, (0.1, -7.5), True),
        (65003, 5, 1, (22, 7), True),
        (65004, 7, 5, b"\1\2\3\4\5", True),
        (42113, 2, 0, "-9999", True),  # GDAL's, of the wrong range for its samples
    ]
    file = tiff(RAMP.astype(dtype), byteorder=order, extratags=extra)
    before, after = tags_of(file), tags_of(encode_photo(read_photo(file), OutputStyle(), name=""))
    assert {code: after[code] for code, *_ in extra} == {code: before[code] for code, *_ in extra}
    stripped = tags_of(encode_photo(read_photo(file), OutputStyle(strip_metadata=True), name=""))
    assert 65000 not in stripped
    assert losses(read_photo(file), OutputStyle("PNG")) == ("6 TIFF tags do not fit in PNG and are left out",)


def test_a_tag_that_ends_behind_the_file_is_left_out():
    file = tiff(extratags=[(65001, 3, 3000, (7,) * 3000, True)])
    start = file.index(struct.pack("<HHI", 65001, 3, 3000))
    broken = file[: start + 4] + struct.pack("<I", 10**6) + file[start + 8 :]
    assert np.array_equal(read_photo(broken).pixels[..., 0], RAMP)
    assert 65001 not in tags_of(encode_photo(read_photo(broken), OutputStyle(), name=""))


@pytest.mark.parametrize(("raster", "shift"), [(1, 0.0), (2, 1.5)])
def test_a_map_keeps_its_place_when_it_is_enlarged(raster, shift):
    file = tiff(extratags=[PIXEL_SCALE, TIE_POINT, keys(raster)])
    same = tags_of(encode_photo(read_photo(file), OutputStyle(), name=""))
    assert (same[33550], same[33922]) == (PIXEL_SCALE[3], TIE_POINT[3])
    large = tags_of(encode_photo(enlarged(read_photo(file), 4), OutputStyle(), name=""))
    assert large[33550] == (0.125, 0.0625, 1.0)
    assert large[33922] == (8.0 + shift, 12.0 + shift, *TIE_POINT[3][2:])
    assert large[34735] == same[34735] == keys(raster)[3]
    assert "GeoTIFF" in losses(read_photo(file), OutputStyle("JPEG"))[0]


@pytest.mark.parametrize("raster", [1, 2])
def test_a_map_s_matrix_sends_the_same_points_to_the_same_places(raster):
    file = tiff(extratags=[MATRIX, keys(raster)])
    old = np.array(MATRIX[3]).reshape(4, 4)
    new = np.array(tags_of(encode_photo(enlarged(read_photo(file), 4), OutputStyle(), name=""))[34264]).reshape(4, 4)
    corner = 0.5 if raster == 2 else 0.0  # how far a place's number lies behind the distance from the corner
    for column, row in ((0, 0), (5, 9), (31, 23)):
        before = old @ (column - corner, row - corner, 0, 1)
        assert np.allclose(new @ (4 * column - corner, 4 * row - corner, 0, 1), before)


def test_a_map_that_lies_turned_loses_its_place_and_says_so():
    file = bytearray(tiff(extratags=[PIXEL_SCALE, TIE_POINT, keys(1), (274, 3, 1, 6, True)]))
    photo = read_photo(bytes(file))
    assert (photo.width, photo.metadata.tags) == (24, ())
    assert "map position" in photo.notes[0]


def test_resolutions_without_a_unit_are_scaled_and_dpi_stay():
    description = "ImageJ=1.53t\nunit=micron\n"
    file = tiff(resolution=((9_000_000, 1_000_000), (4, 3)), resolutionunit=1, description=description)
    same = tags_of(encode_photo(read_photo(file), OutputStyle(), name=""))
    assert (same[282], same[283], same[296], same[270].strip()) == ((9, 1), (4, 3), 1, description.strip())
    large = tags_of(encode_photo(enlarged(read_photo(file), 4), OutputStyle(), name=""))
    assert (large[282], large[283], large[296]) == ((36, 1), (16, 3), 1)
    inches = tiff(resolution=(300, 300), resolutionunit="INCH")
    assert tags_of(encode_photo(enlarged(read_photo(inches), 4), OutputStyle(), name=""))[282] == (300, 1)


@pytest.mark.parametrize("order", ["<", ">"])
def test_imagej_s_own_metadata_go_along_in_either_byte_order(order):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, imagej=True, byteorder=order) as file:
        file.write(RAMP, metadata={"Info": "cells", "Labels": ["one"], "unit": "micron"}, resolution=(9, 9))
    written = encode_photo(read_photo(buffer.getvalue()), OutputStyle(), name="")
    assert tags_of(written)[50839]["Info"] == "cells"
    assert 50839 not in tags_of(encode_photo(enlarged(read_photo(buffer.getvalue()), 2), OutputStyle(), name=""))


@pytest.mark.parametrize(
    "stack",
    [
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"metadata": {"axes": "ZYX"}, "photometric": "minisblack"},
        {"volumetric": True, "photometric": "minisblack", "tile": (16, 16, 16)},
    ],
    ids=["ImageJ", "directories", "volume"],
)
def test_stacks_are_refused(stack):
    file = tiff(np.stack([RAMP] * 5), **stack)
    if "imagej" in stack:
        file = one_directory(file)
    with pytest.raises(HfpieError, match="several frames or pages"):
        read_photo(file)


def one_directory(file: bytes) -> bytes:
    """The same ImageJ file with all slices behind its first directory, as ImageJ writes large ones."""
    changed = bytearray(file)
    order = ">" if file[:2] == b"MM" else "<"
    (start,) = struct.unpack_from(order + "I", file, 4)
    (count,) = struct.unpack_from(order + "H", file, start)
    struct.pack_into(order + "I", changed, start + 2 + 12 * count, 0)
    return bytes(changed)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_bigtiff_of_16_bits_is_read(options):
    assert np.array_equal(read_photo(tiff(bigtiff=True, **options)).pixels[..., 0], RAMP)


def test_bigtiff_is_written_from_a_size_on_with_all_metadata(monkeypatch):
    directory = exif.Image.Exif()
    directory[271] = "Acme"
    directory.get_ifd(exif.EXIF_IFD)[0x829A] = 0.01
    directory.get_ifd(exif.GPS_IFD)[1] = "N"
    metadata = Metadata(exif=exif.strip_prefix(directory.tobytes()), xmp=b"<x/>", dpi=(300.0, 300.0))
    photo = Photo(RAMP[..., None], None, metadata, "TIFF")
    monkeypatch.setattr(tiff_write, "MAX_CLASSIC", 1000)
    file = encode_photo(photo, OutputStyle(), name="")
    assert file[:4] == b"II+\0"
    again = read_photo(file)
    assert np.array_equal(again.pixels, photo.pixels)
    found = exif.parse(again.metadata.exif)
    assert found[271] == "Acme"
    assert float(found.get_ifd(exif.EXIF_IFD)[0x829A]) == pytest.approx(0.01)
    assert found.get_ifd(exif.GPS_IFD)[1] == "N"
    assert (again.metadata.xmp, again.metadata.dpi) == (b"<x/>", (300.0, 300.0))


def test_half_floats_are_read_and_written_as_floats():
    half = (RAMP / 65535).astype(np.float16)
    photo = read_photo(tiff(half))
    assert photo.pixels.dtype == np.float32
    assert np.array_equal(photo.pixels[..., 0], half.astype(np.float32))
    assert tags_of(encode_photo(photo, OutputStyle(), name=""))[258] == 32


def with_photometric(file: bytes, value: int) -> bytes:
    """The same TIFF with another photometric interpretation."""
    buffer = io.BytesIO(file)
    with tifffile.TiffFile(buffer, mode="r+") as opened:
        opened.pages[0].tags[262].overwrite(value)  # type: ignore[union-attr]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "dtype", "white", "unit"),
    [(8, np.uint16, 65535, 256), (9, np.uint16, 0xFF00, 256), (9, np.uint8, 255, 1)],
    ids=["CIE Lab 16", "ICC Lab 16", "ICC Lab 8"],
)
def test_lab_becomes_srgb_of_16_bits(kind, dtype, white, unit):
    rng = np.random.default_rng(0)
    eight = np.stack([rng.integers(50, 230, (12, 10)), *rng.integers(113, 143, (2, 12, 10))], -1)  # a, b: 128 is zero
    chroma = (eight[..., 1:] - (128 if kind == 8 else 0)) * unit
    stored = np.concatenate([np.rint(eight[..., :1] * (white / 255)).astype(int), chroma], -1).astype(dtype)
    picture = Image.merge("LAB", [Image.fromarray(plane) for plane in np.moveaxis(eight.astype(np.uint8), -1, 0)])
    expected = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB", flags=PRECISE
    )
    photo = read_photo(with_photometric(tiff(stored, photometric="rgb"), kind))
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels / 257 - np.asarray(expected)).max() < 1
    assert photo.notes == ("its Lab colours become sRGB",)


@pytest.mark.parametrize(
    ("file", "word", "hint"),
    [
        (tiff(RAMP.astype(np.int16)), "signed 16-bit numbers", "add 32,768"),
        (tiff(RAMP.astype(np.uint32)), "32 bits per sample", "uint16"),
        (tiff(RAMP.astype(np.float64)), "64 bits per sample", "float32"),
        (tiff(RAMP.astype(np.complex64)), "complex numbers", "float32"),
        (tiff(np.stack([RAMP] * 4, -1), photometric="separated"), "CMYK with 16 bits", "RGB"),
        (tiff(np.stack([RAMP] * 5, -1), photometric="rgb"), "5 channels with 16 bits", "grey or RGB"),
        (tiff(np.stack([RAMP] * 5, -1).astype(np.uint8), photometric="rgb"), "channels other than colour", "without"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_read_is_named_with_a_hint_that_helps(file, word, hint):
    with pytest.raises(HfpieError, match=word) as caught:
        read_photo(file)
    assert hint in caught.value.hint
    assert "PNG or TIFF" not in caught.value.hint


def test_the_xml_of_microscopes_tells_the_size_of_the_enlarged_picture(rng):
    buffer, scale = io.BytesIO(), 4
    pixels = rng.integers(0, 65536, (12, 20), np.uint16)
    told = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 1.0}
    tifffile.imwrite(buffer, pixels, ome=True, metadata=told)
    photo = read_photo(buffer.getvalue(), "a.ome.tif")
    enlarged = replace(photo, pixels=photo.pixels.repeat(scale, 0).repeat(scale, 1))
    with tifffile.TiffFile(io.BytesIO(encode_photo(enlarged, OutputStyle(), name="a"))) as file:
        assert file.is_ome
        assert file.series[0].shape == (48, 80)
        assert np.array_equal(file.asarray(), pixels.repeat(scale, 0).repeat(scale, 1))
        lengths = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (lengths["SizeX"], lengths["SizeY"]) == (80, 48)
    assert (lengths["PhysicalSizeX"], lengths["PhysicalSizeY"]) == (0.125, 0.25)
    assert lengths["PhysicalSizeXUnit"] == "µm"


@pytest.mark.parametrize("text", ["", 'SizeX="2" SizeY="2"', '<OME SizeX="2"', '<OME SizeX="0" SizeY="e"'])
def test_other_descriptions_stay(text):
    assert tiff_write.sized_ome(text, 8, 8) == text


def test_names_that_are_not_ascii_stay(tmp_path):
    image = Image.new("RGB", (8, 6))
    image.save(tmp_path / "a.tif", tiffinfo={315: "Müller".encode(), 270: "Grüße".encode("latin-1")})
    photo = read_photo(tmp_path / "a.tif")
    with tifffile.TiffFile(io.BytesIO(encode_photo(photo, OutputStyle(), name="a"))) as file:
        tags = file.pages.first.tags
        assert (tags["Artist"].value, tags["ImageDescription"].value) == ("Müller", "Grüße")
    assert "Müller".encode() in encode_photo(photo, OutputStyle("JPEG"), name="a")


@pytest.mark.parametrize("module", ["tiff", "tiff_pages", "tiff_write"])
def test_tifffile_s_remarks_on_broken_files_are_not_shown(module):
    program = f"from hfpie_cli.photos import {module}; import tifffile; tifffile.logger().error('a remark')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
