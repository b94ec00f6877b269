"""Stacks: TIFF files of several pages or slices are restored page by page into one file."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import exif, stack, tiff_layout
from hfpie_cli.photos.contents import is_readable, read_content
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Metadata, Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.stack import Stack
from hfpie_cli.photos.tiff_pages import PagesWriter
from hfpie_cli.photos.writer import encode_photo

from .test_tiff import RAMP, one_directory, tiff

PAGES = np.stack([np.roll(RAMP, 5 * number, 1) for number in range(4)])


def colours(pages: np.ndarray) -> np.ndarray:
    return np.stack([pages, pages[:, ::-1], pages[:, :, ::-1]], -1)


def opened(file: bytes) -> Stack:
    content = read_content(file, "x.tif")
    assert isinstance(content, Stack)
    return content


def rewritten(series: Stack, scale: int = 1, **style) -> bytes:
    buffer = io.BytesIO()
    with series.writing(buffer, OutputStyle(**style), scale) as add:
        for page in series.pictures():
            add(page)
    return buffer.getvalue()


def samples(file: bytes) -> list[np.ndarray]:
    with tifffile.TiffFile(io.BytesIO(file)) as found:
        return [page.asarray() for page in found.pages]


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments), "--weights", "unit-test"])


FILES = {
    "8 bits": tiff((PAGES >> 8).astype(np.uint8), photometric="minisblack"),
    "16 bits, LZW-like": tiff(PAGES, photometric="minisblack", compression="zlib", rowsperstrip=5),
    "floats": tiff((PAGES / 65535).astype(np.float32), photometric="minisblack"),
    "colours, tiles": tiff(colours(PAGES), photometric="rgb", tile=(16, 16)),
    "planes": tiff(np.moveaxis(colours(PAGES), -1, 1), photometric="rgb", planarconfig="separate"),
    "big-endian": tiff(PAGES, photometric="minisblack", byteorder=">", rowsperstrip=7),
    "BigTIFF": tiff(PAGES, photometric="minisblack", bigtiff=True, rowsperstrip=7),
    "ImageJ": tiff(PAGES, imagej=True),
    "ImageJ, one directory": one_directory(tiff(PAGES, imagej=True)),
    "one directory": one_directory(tiff(PAGES, photometric="minisblack", metadata={"axes": "ZYX"})),
    "odd lengths": tiff((PAGES[:, :23, :31] >> 8).astype(np.uint8), photometric="minisblack", rowsperstrip=1),
}


@pytest.mark.parametrize("name", FILES)
def test_pages_come_out_as_they_went_in(name):
    series = opened(FILES[name])
    with tifffile.TiffFile(io.BytesIO(FILES[name])) as file:
        expected = [picture for series in file.series for picture in series.asarray()]
    expected = [np.moveaxis(page, 0, -1) if name == "planes" else page for page in expected]
    assert (series.count, len(expected)) == (4, 4)
    assert series.pixels == sum(page.shape[0] * page.shape[1] for page in expected)
    for page, wanted in zip(series.pictures(), expected, strict=True):
        assert np.array_equal(page.pixels[..., 0] if wanted.ndim == 2 else page.pixels, wanted)
    for page, wanted in zip(samples(rewritten(series)), expected, strict=True):
        assert np.array_equal(page, wanted)


def test_pages_of_pillow_keep_their_own_size_compression_and_metadata():
    pages = [Image.fromarray(RAMP.astype(np.uint8)), Image.new("RGB", (9, 7), (10, 200, 30)), Image.new("1", (17, 5))]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw", dpi=(300, 300))
    again = opened(rewritten(opened(buffer.getvalue())))
    found = list(again.pictures())
    assert [(page.width, page.height) for page in found] == [page.size for page in pages]
    assert np.array_equal(found[1].pixels, np.asarray(pages[1]))
    assert [page.metadata.dpi for page in found] == [(300.0, 300.0)] * 3


def test_every_page_keeps_its_own_tags_and_exif():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for number, page in enumerate(PAGES):
            extra = [(65000, 2, 0, f"slide {number}", True), (271, 2, 0, "Acme", True)]
            file.write(page, photometric="minisblack", metadata=None, extratags=extra)
    again = list(opened(rewritten(opened(buffer.getvalue()))).pictures())
    assert [page.metadata.tags[0].value for page in again] == [f"slide {n}\0".encode() for n in range(4)]
    assert exif.parse(again[3].metadata.exif)[271] == "Acme"


@pytest.mark.parametrize("big", [False, True])
def test_exif_and_gps_of_every_page_stay(big):
    block = Image.Exif()
    block.get_ifd(exif.EXIF_IFD)[0x829A] = 0.01
    block.get_ifd(exif.GPS_IFD)[1] = "N"
    photo = Photo(RAMP[..., None], None, Metadata(exif=exif.strip_prefix(block.tobytes())), "TIFF")
    buffer = io.BytesIO()
    pages = PagesWriter(buffer, big=big)
    for _ in range(3):
        pages.add(encode_photo(photo, OutputStyle(), name=""))
    for page in opened(rewritten(opened(buffer.getvalue()))).pictures():
        found = exif.parse(page.metadata.exif)
        assert float(found.get_ifd(exif.EXIF_IFD)[0x829A]) == pytest.approx(0.01)
        assert found.get_ifd(exif.GPS_IFD)[1] == "N"


def test_imagej_s_description_goes_with_the_first_page_and_is_understood(tmp_path):
    file = one_directory(tiff(PAGES, imagej=True, resolution=(9, 9)))
    (tmp_path / "x.tif").write_bytes(rewritten(opened(file)))
    with tifffile.TiffFile(tmp_path / "x.tif") as found:
        assert found.is_imagej
        assert found.imagej_metadata["images"] == 4
        assert np.array_equal(found.asarray(), PAGES)
        assert [270 in page.tags for page in found.pages] == [True, False, False, False]


def test_from_a_size_on_the_file_is_bigtiff(monkeypatch):
    monkeypatch.setattr(stack, "MAX_CLASSIC", 4 * RAMP.nbytes)
    file = rewritten(opened(FILES["16 bits, LZW-like"]))
    assert file[:4] == b"II+\0"
    assert np.array_equal(np.stack(samples(file)), PAGES)


def test_smaller_copies_are_left_out_with_a_line():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for page in PAGES[:2]:
            file.write(page, photometric="minisblack", metadata=None)
            file.write(page[::4, ::4], photometric="minisblack", metadata=None, subfiletype=1)
    series = opened(buffer.getvalue())
    assert series.count == 2
    assert "its other contents (a preview, a video) are left out" in series.checked(OutputStyle("TIFF"), None, 1)


def test_other_formats_refuse_a_stack():
    with pytest.raises(HfpieError, match=r"x.tif: a TIFF of 4 pages, which PNG cannot hold"):
        opened(FILES["ImageJ"]).checked(OutputStyle("PNG"), None, 1)


def test_volumes_and_slices_that_are_compressed_together_are_refused():
    volume = tiff(PAGES, volumetric=True, photometric="minisblack", tile=(16, 16, 16))
    with pytest.raises(HfpieError, match="several frames or pages"):
        read_content(volume, "x.tif")
    with pytest.raises(HfpieError, match="several frames or pages"):
        read_photo(FILES["8 bits"], "x.tif")  # of whoever wants one picture


def test_a_stack_that_breaks_off_is_refused():
    file = one_directory(tiff(PAGES, imagej=True))
    with pytest.raises(HfpieError, match=r"x.tif: only 3 of its 4 slices are present"):
        read_content(file[: -RAMP.nbytes // 2], "x.tif")
    one = read_content(file[: -3 * RAMP.nbytes], "x.tif")  # with the description of the stack that it was taken from
    assert np.array_equal(one.pixels[..., 0], PAGES[0])


def test_tags_that_share_their_bytes_do_not_fill_the_memory():
    file = bytearray(FILES["8 bits"])
    (start,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, start)
    entries = bytes(file[start + 2 : start + 2 + 12 * count])
    shared = b"".join(struct.pack("<HHII", 51000 + n, 7, len(file), 0) for n in range(10))
    struct.pack_into("<I", file, 4, len(file))
    file += struct.pack("<H", count + 10) + entries + shared + bytes(4)
    with pytest.raises(ValueError, match="overlap"):
        tiff_layout.Layout(bytes(file)).page(len(FILES["8 bits"]))
    with pytest.raises(HfpieError, match="overlap"):
        read_content(bytes(file), "x.tif")


def test_a_page_that_is_not_read_is_named(tmp_path):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(RAMP, photometric="minisblack", metadata=None)
        file.write(RAMP.astype(np.int16), photometric="minisblack", metadata=None)
    (tmp_path / "x.tif").write_bytes(buffer.getvalue())
    assert not is_readable(tmp_path / "x.tif")
    with pytest.raises(HfpieError, match=r"x.tif, page 2: TIFF of signed 16-bit numbers"):
        list(opened(buffer.getvalue()).pictures())
    result = run("denoise", tmp_path / "x.tif")
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.tif"]


@pytest.mark.parametrize("name", ["16 bits, LZW-like", "ImageJ, one directory"])
def test_the_command_restores_all_pages_into_one_file(tmp_path, name):
    (tmp_path / "x.tif").write_bytes(FILES[name])
    result = run("denoise", tmp_path / "x.tif", "--strength", "0")
    assert result.exit_code == 0, result.stderr
    assert "4 pages" in result.stderr
    assert np.array_equal(np.stack(samples((tmp_path / "x_denoised.tif").read_bytes())), PAGES)
