"""The photo door: what goes in comes out, for every format, depth, mode and orientation."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from hfpie_cli import Restorer, exif
from hfpie_cli.errors import HfpieError
from hfpie_cli.formats import OutputStyle
from hfpie_cli.photo import Metadata, Photo
from hfpie_cli.photo_reader import read_photo
from hfpie_cli.photo_writer import encode_photo, write_photo

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"/><?xpacket end="w"?>'
KINDS = [(form, dtype) for form in ("PNG", "TIFF") for dtype in (np.uint8, np.uint16)] + [
    ("TIFF", np.float32),
    ("BMP", np.uint8),
    ("PPM", np.uint8),
    ("PPM", np.uint16),
    ("JPEG", np.uint8),
    ("WEBP", np.uint8),
    ("AVIF", np.uint8),
]


def exif_block(orientation: int = 1) -> bytes:
    directory = Image.Exif()
    directory[exif.ORIENTATION] = orientation
    directory[271] = "Acme"
    directory.get_ifd(exif.EXIF_IFD)[0x829A] = 0.01  # exposure time
    directory.get_ifd(exif.GPS_IFD)[1] = "N"
    return directory.tobytes()[len(exif.PREFIX) :]


def samples(rng, dtype, channels, size=(13, 22)) -> np.ndarray:
    if dtype == np.float32:
        return rng.random((*size, channels), dtype=np.float32)
    return rng.integers(0, np.iinfo(dtype).max, (*size, channels), dtype=dtype, endpoint=True)


def make_photo(rng, form, dtype, channels, *, turn=1) -> Photo:
    pixels = samples(rng, dtype, channels)
    alpha = None
    if channels in (2, 4):
        pixels, alpha = np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1])
    return Photo(pixels, alpha, Metadata(ICC, exif_block(turn), XMP, (300.0, 300.0)), form)


@pytest.mark.parametrize(("form", "dtype"), KINDS, ids=lambda v: v if isinstance(v, str) else np.dtype(v).name)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_identity_network_gives_back_the_file(tmp_path, rng, identity, form, dtype, channels):
    if channels in (2, 4) and form not in {"PNG", "TIFF", "WEBP", "AVIF"}:
        pytest.skip("the format has no transparency")
    source = tmp_path / "ein Föto 写真"
    write_photo(make_photo(rng, form, dtype, channels), source, OutputStyle())
    photo = read_photo(source)
    restored = Restorer.from_weights(identity, tile=16, overlap=4).restore(photo).photo
    again = read_photo(encode_photo(restored, OutputStyle(), name="memory"))
    assert photo.pixels.dtype == dtype
    assert np.allclose(restored.pixels, photo.pixels, atol=1e-6 if dtype == np.float32 else 0, rtol=0)
    lossless = form not in {"JPEG", "WEBP", "AVIF"}
    if lossless:
        assert np.array_equal(again.pixels, restored.pixels)
    if photo.alpha is not None and form != "AVIF":
        assert np.array_equal(again.alpha, photo.alpha)
    if form in {"PNG", "TIFF", "JPEG", "WEBP", "AVIF"}:
        assert (again.metadata.icc, again.metadata.xmp) == (ICC, XMP)
        directory = exif.parse(again.metadata.exif)
        assert directory[271] == "Acme"
        assert float(directory.get_ifd(exif.EXIF_IFD)[0x829A]) == pytest.approx(0.01)
        assert directory.get_ifd(exif.GPS_IFD)[1] == "N"
    if form in {"PNG", "TIFF", "JPEG"}:
        assert again.metadata.dpi == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(("form", "dtype"), KINDS[:5], ids=lambda v: v if isinstance(v, str) else np.dtype(v).name)
def test_orientation_is_applied_and_reset(rng, form, dtype, turn):
    photo = make_photo(rng, form, dtype, 3, turn=turn)
    data = encode_photo(photo, OutputStyle(), name="memory")
    if form == "TIFF":
        data = with_tiff_orientation(data, turn)
    read = read_photo(data)
    assert np.array_equal(read.pixels, turned(photo.pixels, turn))
    assert exif.parse(read.metadata.exif).get(exif.ORIENTATION, 1) == 1


def with_tiff_orientation(data: bytes, turn: int) -> bytes:
    """The same TIFF with its orientation tag set, added by tifffile where it is missing."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pixels, tag = file.asarray(), file.pages[0].tags.get(274)
    buffer = io.BytesIO(data)
    if tag is None:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, photometric="rgb", extratags=[(274, "H", 1, turn, True)])
    else:
        with tifffile.TiffFile(buffer, mode="r+") as file:
            file.pages[0].tags[274].overwrite(turn)
    return buffer.getvalue()


def turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """What a viewer shows, from the definition of EXIF: where row 0 and column 0 of the stored picture lie."""
    return {
        1: np.asarray,
        2: lambda p: p[:, ::-1],  # top right
        3: lambda p: p[::-1, ::-1],  # bottom right
        4: lambda p: p[::-1],  # bottom left
        5: lambda p: p.swapaxes(0, 1),  # left top
        6: lambda p: np.rot90(p, -1),  # right top
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),  # right bottom
        8: np.rot90,  # left bottom
    }[turn](pixels)


def saved(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_a_palette_is_expanded(rng):
    image = Image.fromarray(samples(rng, np.uint8, 3)).quantize(16)
    assert np.array_equal(read_photo(saved(image, "PNG")).pixels, np.asarray(image.convert("RGB")))
    clear = read_photo(saved(image, "PNG", transparency=3))
    assert np.array_equal(clear.alpha == 0, np.asarray(image) == 3)


def test_cmyk_goes_through_its_profile(rng):
    image = Image.fromarray(samples(rng, np.uint8, 4), "CMYK")
    photo = read_photo(saved(image, "TIFF"))
    assert photo.pixels.shape[2] == 3
    assert photo.metadata.icc == b""


def test_maker_notes_survive_the_reset_of_the_orientation():
    block = exif_block(6) + b"maker note at the end"
    assert exif.orientation(block) == 6
    reset = exif.upright(block)
    assert exif.orientation(reset) == 1
    assert sum(a != b for a, b in zip(block, reset, strict=True)) == 1


def test_a_16_bit_ppm_of_another_top_is_scaled():
    data = b"P5 # comment\n2 1 1023\n" + np.array([0, 1023], ">u2").tobytes()
    assert read_photo(data).pixels.ravel().tolist() == [0, 65535]


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"just text", "not a picture"), (None, "no such file"), ("truncated", "broken")],
)
def test_what_cannot_be_read_is_named(tmp_path, rng, content, word):
    path = tmp_path / "photo.png"
    if content == "truncated":
        content = encode_photo(make_photo(rng, "PNG", np.uint8, 3), OutputStyle(), name="")[:-200]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HfpieError, match=word) as caught:
        read_photo(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_truncated_16_bit_file_is_refused(rng):
    for form in ("PNG", "TIFF", "PPM"):
        data = encode_photo(make_photo(rng, form, np.uint16, 3), OutputStyle(), name="")
        with pytest.raises(HfpieError):
            read_photo(data[: len(data) // 2])


def test_several_frames_are_refused(rng):
    frames = [Image.fromarray(samples(rng, np.uint8, 3)) for _ in range(2)]
    with pytest.raises(HfpieError, match="several frames"):
        read_photo(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]))


def test_the_limits_of_formats_are_known_beforehand():
    wide = Photo(np.zeros((1, 16384, 3), np.uint8))
    with pytest.raises(HfpieError, match="do not fit in WEBP"):
        encode_photo(wide, OutputStyle("WEBP"), name="wide")
    clear = Photo(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8))
    with pytest.raises(HfpieError, match="transparency"):
        encode_photo(clear, OutputStyle("JPEG"), name="clear")


def test_nothing_is_left_of_a_write_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(HfpieError, match="No space left"):
        write_photo(Photo(np.zeros((2, 2, 3), np.uint8)), tmp_path / "a.png", OutputStyle())
    assert list(tmp_path.iterdir()) == []
