"""docs/formats.md: a file of every row is written, read and written again, and keeps what the row says."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import boxes
from hfpie_cli.photos.animation import encode_animation, read_animation
from hfpie_cli.photos.contents import read_content
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Metadata, Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo, losses

from .test_animation import animated
from .test_caught import corrupt_jpeg
from .test_colour import P3, PQ, avif, cicp, png
from .test_companions import VIDEO, gain_map, second_picture, ultra_hdr
from .test_extras import HEIC, dng
from .test_stack import opened, rewritten, samples
from .test_tiff import PIXEL_SCALE, RAMP, TIE_POINT, enlarged, keys, one_directory, tags_of, tiff, with_photometric

DOCS = Path(__file__).parent.parent / "docs/formats.md"
XMP = b"<x:xmpmeta/>"
ROWS: dict[str, Callable[[], None]] = {}


def row(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Registers what holds a row of the table."""

    def register(check: Callable[[], None]) -> Callable[[], None]:
        ROWS[name] = check
        return check

    return register


def again(file: bytes, form: str | None = None, **style: int) -> Photo:
    """What is read after reading and writing."""
    return read_photo(encode_photo(read_photo(file), OutputStyle(form, **style), name="x"))  # type: ignore[arg-type]


def written(form: str, dtype: type = np.uint8, *, alpha: bool = False, **metadata: object) -> bytes:
    levels = RAMP if dtype == np.uint16 else (RAMP >> 8).astype(np.uint8)
    pixels = np.stack([levels] * 3, -1)
    return encode_photo(Photo(pixels, levels if alpha else None, Metadata(**metadata), form), OutputStyle(), name="x")  # type: ignore[arg-type]


def refused(file: bytes, *forms: str) -> None:
    for form in forms:
        with pytest.raises(HfpieError):
            again(file, form)


def played(file: bytes, form: str | None = None) -> tuple[int, tuple[float, ...], int]:
    shown = read_animation(encode_animation(read_animation(file), OutputStyle(form), name="x"))  # type: ignore[arg-type]
    return len(shown.frames), shown.durations, shown.plays  # type: ignore[union-attr]


MOVED = (3, (100.0, 200.0, 350.0), 3)


@row("PNG, 8 bits")
def _():
    file = written("PNG", alpha=True, xmp=XMP, dpi=(300.0, 300.0), chunks=((b"tEXt", b"Title\0Otter"),))
    photo = again(file)
    assert np.array_equal(photo.samples(), read_photo(file).samples())
    assert (photo.metadata.xmp, photo.metadata.chunks) == (XMP, ((b"tEXt", b"Title\0Otter"),))
    refused(file, "JPEG", "BMP", "PPM")


@row("PNG, 16 bits")
def _():
    file = written("PNG", np.uint16)
    for form in ("PNG", "TIFF", "PPM"):
        assert np.array_equal(again(file, form).pixels, read_photo(file).pixels)
    assert again(file, "AVIF").metadata.bits == 10
    assert {again(file, form).pixels.dtype.name for form in ("JPEG", "WEBP", "BMP")} == {"uint8"}


@row("PNG with cICP, or gAMA and cHRM")
def _():
    for file in (png(cICP=cicp(P3)), png(gAMA=(55556).to_bytes(4, "big"))):
        assert again(file).metadata.chunks == read_photo(file).metadata.chunks
        assert all(again(file, form).metadata.icc for form in ("JPEG", "TIFF", "WEBP"))
        refused(file, "BMP", "PPM")
    assert again(png(cICP=cicp(P3)), "AVIF").metadata.points == P3


@row("PNG, PQ or HLG")
def _():
    file = png(cICP=cicp(PQ), mDCV=bytes(24), cLLI=bytes(8))
    assert again(file).metadata.chunks == read_photo(file).metadata.chunks
    assert again(file, "AVIF").metadata.points == PQ
    assert "cLLI and mDCV" in losses(read_photo(file), OutputStyle("AVIF"))[0]
    refused(file, "JPEG", "TIFF", "WEBP", "BMP", "PPM")


@row("PNG, animated")
def _():
    assert played(animated("PNG", loop=3)) == played(animated("PNG", loop=3), "WEBP") == MOVED


@row("JPEG")
def _():
    photo = again(written("JPEG", xmp=XMP, comment=b"hello", dpi=(300.0, 300.0)))
    assert (photo.metadata.xmp, photo.metadata.comment, photo.metadata.dpi) == (XMP, b"hello", (300.0, 300.0))


@row("JPEG, Ultra HDR")
def _():
    assert second_picture(encode_photo(read_photo(ultra_hdr()), OutputStyle(), name="")) == gain_map()
    assert b"hdrgm:Version" not in again(ultra_hdr(), "PNG").metadata.xmp


@row("JPEG of corrupt data")
def _():
    photo = read_photo(corrupt_jpeg())
    assert photo.notes[0].startswith("its decoder reports: Corrupt JPEG data")
    assert again(corrupt_jpeg(), "PNG").pixels.shape == photo.pixels.shape


@row("JPEG with a video or a preview")
def _():
    file = ultra_hdr(video=VIDEO)
    assert read_photo(file).others == 1
    assert b"Motion" not in again(file).metadata.xmp


@row("WebP")
def _():
    file = written("WEBP", alpha=True, xmp=XMP)
    assert np.array_equal(again(file).alpha, read_photo(file).alpha)
    assert again(file).metadata.xmp == XMP


@row("WebP, animated")
def _():
    assert played(animated("WEBP", loop=3)) == played(animated("WEBP", loop=3), "PNG") == MOVED


@row("AVIF, 8 bits")
def _():
    assert again(avif(P3)).metadata.points == P3
    assert again(written("AVIF", xmp=XMP)).metadata.xmp == XMP


@row("AVIF, 10 or 12 bits")
def _():
    for bits in (10, 12):
        photo = again(avif(P3, bits), quality=100)
        assert (photo.metadata.bits, photo.metadata.points) == (bits, P3)
        for form in (None, "PNG", "TIFF"):
            assert np.array_equal(again(avif(P3, bits), form, quality=100).pixels, photo.pixels)


@row("AVIF, animated")
def _():
    assert played(animated("AVIF"))[:2] == played(animated("AVIF"), "PNG")[:2] == MOVED[:2]


@row("GIF")
def _():
    assert played(animated("GIF", loop=3)) == played(animated("GIF", loop=3), "WEBP") == MOVED
    assert read_animation(animated("GIF")).format == "PNG"


@row("TIFF, 8 or 16 bits")
def _():
    for dtype in (np.uint8, np.uint16):
        file = tiff(RAMP.astype(dtype), extratags=[(65000, 2, 0, "acme", True)])
        assert np.array_equal(again(file).pixels[..., 0], RAMP.astype(dtype))
        assert again(file).metadata.tags
        assert not again(file, "PNG").metadata.tags


@row("TIFF, float32 or float16")
def _():
    for dtype in (np.float32, np.float16):
        file = tiff((RAMP / 65535).astype(dtype))
        assert again(file).pixels.dtype == np.float32
        assert again(file, "PNG").pixels.dtype == np.uint16


@row("BigTIFF")
def _():
    assert np.array_equal(again(tiff(bigtiff=True)).pixels[..., 0], RAMP)


@row("GeoTIFF")
def _():
    photo = read_photo(tiff(extratags=[PIXEL_SCALE, TIE_POINT, keys(1)]))
    assert tags_of(encode_photo(enlarged(photo, 2), OutputStyle(), name=""))[33550] == (0.25, 0.125, 1.0)


@row("OME-TIFF")
def _():
    photo = read_photo(tiff(ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.5}))
    told = tags_of(encode_photo(enlarged(photo, 2), OutputStyle(), name=""))[270]
    assert f'SizeX="{2 * RAMP.shape[1]}"' in told
    assert f'SizeY="{2 * RAMP.shape[0]}"' in told
    assert 'PhysicalSizeX="0.25"' in told


@row("TIFF of ImageJ, or without a unit")
def _():
    photo = read_photo(tiff(resolution=(9, 9), resolutionunit=1, description="ImageJ=1.53t"))
    tags = tags_of(encode_photo(enlarged(photo, 2), OutputStyle(), name=""))
    assert (tags[282], tags[270]) == ((18, 1), "ImageJ=1.53t")


@row("TIFF, Lab of 8 or 16 bits")
def _():
    lab = np.stack([RAMP, RAMP * 0, RAMP * 0], -1)
    assert again(with_photometric(tiff(lab, photometric="rgb"), 8)).pixels.dtype == np.uint16


@row("TIFF, CMYK of 8 bits")
def _():
    buffer = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(buffer, "TIFF")
    assert again(buffer.getvalue()).pixels[0, 0].tolist() == [255, 0, 0]


@row("TIFF, int16, uint32, float64, complex, CMYK of 16 bits")
def _():
    for pixels in (RAMP.astype(dtype) for dtype in (np.int16, np.uint32, np.float64, np.complex64)):
        refused(tiff(pixels), "TIFF")
    refused(tiff(np.stack([RAMP] * 4, -1), photometric="separated"), "TIFF")


@row("TIFF of several pages or slices")
def _():
    pages = np.stack([RAMP] * 5)
    for file in (tiff(pages, photometric="minisblack"), one_directory(tiff(pages, imagej=True))):
        assert np.array_equal(np.stack(samples(rewritten(opened(file)))), pages)
        with pytest.raises(HfpieError, match="5 pages, which PNG cannot hold"):
            opened(file).checked(OutputStyle("PNG"), None, 1)


@row("TIFF of a volume (slices in one piece)")
def _():
    volume = tiff(np.stack([RAMP] * 5), volumetric=True, photometric="minisblack", tile=(16, 16, 16))
    refused(volume, "TIFF")


@row("BMP")
def _():
    assert np.array_equal(again(written("BMP")).pixels, read_photo(written("BMP")).pixels)


@row("PPM, PGM")
def _():
    for dtype in (np.uint8, np.uint16):
        file = written("PPM", dtype)
        assert np.array_equal(again(file).pixels, read_photo(file).pixels)
        assert again(file).pixels.dtype == dtype


@row("HEIC, HEIF (extra `heif`)")
def _():
    pytest.importorskip("pi_heif", reason="needs the extra heif")
    file = (HEIC / "p3-10bit.heic").read_bytes()
    assert read_photo(file).format == "JPEG"
    assert boxes.colour_points(encode_photo(read_photo(file), OutputStyle("AVIF"), name="")) == P3
    for form in ("TIFF", "PNG"):
        assert np.array_equal(again(file, form).pixels, read_photo(file).pixels)


@row("film (extra `video`)")
def _():
    pytest.importorskip("av", reason="needs the extra video")
    from .test_film import PQ as PQ_TAGS
    from .test_film import make_film, rewritten, sound_of, told

    with TemporaryDirectory() as name:
        folder = Path(name)
        deep = make_film(folder / "deep.mkv", "libx265", "yuv420p10le", tags=PQ_TAGS, sound="aac")
        assert told(rewritten(deep, folder / "again.mkv")) == told(deep)
        assert sound_of(folder / "again.mkv") == sound_of(deep)
        old = make_film(folder / "old.avi", "mpeg4", "yuv420p")
        assert read_content(old).format == "MKV"


@row("camera raw (extra `raw`)")
def _():
    pytest.importorskip("rawpy", reason="needs the extra raw")
    photo = again(dng())
    assert (photo.format, photo.pixels.dtype, bool(photo.metadata.icc)) == ("TIFF", np.uint16, True)


def test_every_row_of_the_table_is_held():
    lines = DOCS.read_text(encoding="utf-8").partition("## Every kind of file")[2].splitlines()
    named = [cells[0] for line in lines if len(cells := re.split(r" \| | \|$|^\| ", line)[1:]) >= 3]
    assert named[1:] == list(ROWS)  # the first is the heading


@pytest.mark.parametrize("name", ROWS)
def test_a_row_holds(name):
    ROWS[name]()
