"""Photographs read and written: nothing is lost, for every format, depth, mode and orientation."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from hfpie_cli import Restorer
from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import exif
from hfpie_cli.photos.formats import FORMATS, OutputStyle
from hfpie_cli.photos.photo import FULL_SCALE, Metadata, Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import check_writable, encode_photo, write_photo

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


@pytest.mark.parametrize(
    ("form", "dtype", "channels"),
    [(*kind, channels) for kind in KINDS for channels in (1, 2, 3, 4) if channels in (1, 3) or FORMATS[kind[0]].alpha],
)
def test_an_identity_network_gives_back_the_file(tmp_path, rng, identity, form, dtype, channels):
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
@pytest.mark.parametrize(
    ("form", "dtype"),
    [*KINDS[:5], ("JPEG", np.uint8), ("WEBP", np.uint8)],
    ids=lambda v: v if isinstance(v, str) else np.dtype(v).name,
)
def test_orientation_is_applied_and_reset(rng, form, dtype, turn):
    photo = make_photo(rng, form, dtype, 3, turn=turn)
    data = encode_photo(photo, OutputStyle(), name="memory")
    if form == "TIFF":
        data = with_tiff_orientation(data, turn)
    read = read_photo(data)
    stored = read_photo(encode_photo(upright(photo), OutputStyle(), name="memory")).pixels  # as a codec leaves them
    assert np.array_equal(read.pixels, turned(stored, turn))
    assert exif.parse(read.metadata.exif).get(exif.ORIENTATION, 1) == 1


def with_tiff_orientation(data: bytes, turn: int) -> bytes:
    """The same TIFF with its orientation tag overwritten."""
    buffer = io.BytesIO(data)
    with tifffile.TiffFile(buffer, mode="r+") as file:
        file.pages.first.tags[274].overwrite(turn)
    return buffer.getvalue()


def upright(photo: Photo) -> Photo:
    """The same photo, its metadata saying upright."""
    return Photo(photo.pixels, photo.alpha, Metadata(), photo.format)


def turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """What a viewer shows, from the definition of EXIF: where row 0 and column 0 of the stored picture lie."""
    return {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],  # top right
        3: lambda p: p[::-1, ::-1],  # bottom right
        4: lambda p: p[::-1],  # bottom left
        5: lambda p: p.swapaxes(0, 1),  # left top
        6: lambda p: np.rot90(p, -1),  # right top
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),  # right bottom
        8: lambda p: np.rot90(p, 1),  # left bottom
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


def test_cmyk_becomes_srgb_even_with_a_useless_profile(rng):
    image = Image.fromarray(samples(rng, np.uint8, 4), "CMYK")
    for profile in (b"", b"nonsense", ICC):
        photo = read_photo(saved(image, "TIFF", icc_profile=profile))
        assert np.array_equal(photo.pixels, np.asarray(image.convert("RGB")))
        assert photo.metadata.icc == b""


def test_lab_goes_through_its_profile():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = Image.merge("LAB", [Image.new("L", (4, 4), level) for level in (255, 128, 128)])
    photo = read_photo(saved(image, "TIFF", icc_profile=lab))
    assert photo.pixels.min() >= 254  # the brightest of all, without a hue
    assert photo.metadata.icc == b""


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_compression_left_to_opencv_is_not_turned_twice(rng, turn):
    pixels = samples(rng, np.uint16, 1)
    data = saved(Image.fromarray(pixels[..., 0]), "TIFF", compression="tiff_lzw", tiffinfo={exif.ORIENTATION: turn})
    assert np.array_equal(read_photo(data).pixels, turned(pixels, turn))


def test_deep_tiffs_of_unusual_kinds(rng):
    def tiff(pixels, **options):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, **options)
        return buffer.getvalue()

    grey = samples(rng, np.uint16, 1)[..., 0]
    assert np.array_equal(read_photo(tiff(grey, photometric="miniswhite")).pixels[..., 0], 65535 - grey)
    half = np.full((4, 4, 4), 20000, np.uint16)
    half[..., :3] = 10000
    photo = read_photo(tiff(half, photometric="rgb", extrasamples=["assocalpha"]))
    assert (photo.pixels == 32768).all()
    assert (photo.alpha == 20000).all()
    planes = samples(rng, np.uint16, 3)
    assert np.array_equal(
        read_photo(tiff(np.moveaxis(planes, -1, 0), photometric="rgb", planarconfig="separate")).pixels, planes
    )
    for wrong, options in [
        (samples(rng, np.uint16, 5), {"photometric": "rgb", "extrasamples": ["unspecified"] * 2}),
        (grey.astype(np.uint32), {}),
        (np.full((2, 2), np.nan, np.float32), {}),
    ]:
        with pytest.raises(HfpieError, match=r"not read|not finite"):
            read_photo(tiff(wrong, **options))


def test_a_transparent_grey_stays_grey(rng):
    grey = samples(rng, np.uint8, 1)[..., 0]
    photo = read_photo(saved(Image.fromarray(grey), "PNG", transparency=int(grey[0, 0])))
    assert photo.pixels.shape[2] == 1
    assert np.array_equal(photo.alpha == 0, grey == grey[0, 0])
    deep = grey.astype(np.uint16) * 257
    photo = read_photo(saved(Image.fromarray(deep), "PNG", transparency=int(deep[0, 0])))
    assert np.array_equal(photo.alpha == 0, deep == deep[0, 0])


def test_a_grey_profile_does_not_come_to_stand_in_colours(rng):
    grey_icc = ICC[:16] + b"GRAY" + ICC[20:]
    photo = Photo(samples(rng, np.uint8, 1), metadata=Metadata(icc=grey_icc))
    for form, icc in (("PNG", grey_icc), ("TIFF", grey_icc), ("WEBP", b"")):
        assert read_photo(encode_photo(photo, OutputStyle(form), name="memory")).metadata.icc == icc


@pytest.mark.parametrize("quality", [1, 80, 95, 100])
def test_the_noisiest_picture_fits_in_a_jpeg(quality):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert read_photo(encode_photo(Photo(noise), OutputStyle("JPEG", quality), name="noise")).width == 400


def test_xmp_and_exif_texts_survive():
    xmp = b'<x:xmpmeta><a tiff:Orientation="6"/><tiff:Orientation>8</tiff:Orientation></x:xmpmeta>'
    directory = Image.Exif()
    directory[315] = "Jörg"
    metadata = Metadata(xmp=exif.upright_xmp(xmp, 6), exif=exif.strip_prefix(directory.tobytes()))
    photo = Photo(np.zeros((2, 3, 3), np.uint8), metadata=metadata)
    for form in ("PNG", "TIFF"):
        again = read_photo(encode_photo(photo, OutputStyle(form), name="memory"))
        assert again.metadata.xmp == xmp.replace(b"6", b"1").replace(b"8", b"1")
        assert exif.parse(again.metadata.exif)[315] == exif.parse(metadata.exif)[315]


def test_captions_and_comments_go_from_jpeg_to_jpeg_and_captions_to_tiff(rng):
    resources = b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x78\0\x05Otter" * 4000  # more than one segment holds
    metadata = Metadata(resources=resources, comment="née Müller".encode())
    photo = read_photo(encode_photo(Photo(samples(rng, np.uint8, 3), None, metadata, "JPEG"), OutputStyle(), name=""))
    assert photo.metadata.resources == resources
    assert photo.metadata.comment == metadata.comment
    assert Image.open(io.BytesIO(encode_photo(photo, OutputStyle(), name=""))).info["photoshop"][0x0404]
    tiff = read_photo(encode_photo(photo, OutputStyle("TIFF"), name=""))
    assert tiff.metadata.resources == resources
    assert read_photo(encode_photo(tiff, OutputStyle("JPEG"), name="")).metadata.resources == resources
    stripped = read_photo(encode_photo(photo, OutputStyle(strip_metadata=True), name=""))
    assert replace(stripped.metadata, size=None) == Metadata()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_a_png_says_of_its_colours_and_its_texts_stays(rng, dtype):
    chunks = (
        (b"gAMA", (100_000).to_bytes(4, "big")),  # linear light
        (b"cICP", bytes([9, 16, 0, 1])),
        (b"tEXt", b"Title\0Otter"),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "Müder Otter".encode()),
    )
    file = encode_photo(Photo(samples(rng, dtype, 3), None, Metadata(xmp=XMP, chunks=chunks)), OutputStyle(), name="")
    photo = read_photo(file)
    assert photo.metadata.chunks == chunks  # XMP is not among them
    assert photo.metadata.xmp == XMP
    assert Image.open(io.BytesIO(file)).info["gamma"] == 1
    stripped = read_photo(encode_photo(photo, OutputStyle(strip_metadata=True), name=""))
    assert [name for name, _ in stripped.metadata.chunks] == [b"gAMA", b"cICP"]


def test_exif_that_a_jpeg_cannot_hold_is_known_beforehand(rng):
    photo = Photo(samples(rng, np.uint8, 3), None, Metadata(exif=exif_block() + bytes(70_000)))
    with pytest.raises(HfpieError, match="longer than the 65,504 bytes") as caught:
        check_writable(photo, OutputStyle("JPEG"), name="x.png")
    assert "--strip-metadata" in caught.value.hint
    check_writable(photo, OutputStyle("JPEG", strip_metadata=True), name="x.png")


def test_broken_exif_does_not_lose_the_picture():
    photo = read_photo(saved(Image.new("RGB", (3, 2)), "JPEG", exif=b"Exif\0\0garbage that is no directory"))
    for form in ("PNG", "TIFF", "JPEG", "WEBP", "AVIF"):
        assert read_photo(encode_photo(photo, OutputStyle(form), name="memory")).width == 3


def test_floats_keep_16_bits_in_formats_that_have_them(rng):
    photo = Photo(samples(rng, np.float32, 3) * 1.2 - 0.1, samples(rng, np.float32, 1)[..., 0])
    again = read_photo(encode_photo(photo, OutputStyle("PNG"), name=""))
    assert np.abs(again.pixels / 65535 - photo.pixels.clip(0, 1)).max() <= 0.5 / 65535 + 1e-7
    assert np.abs(again.alpha / 65535 - photo.alpha).max() <= 0.5 / 65535 + 1e-7


@pytest.mark.parametrize(("form", "dtype"), [kind for kind in KINDS if FORMATS[kind[0]].alpha])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("out_scale", [2, 4])
def test_an_enlarged_file_keeps_its_depth_and_its_alpha(rng, enlarger, form, dtype, channels, out_scale):
    photo = make_photo(rng, form, dtype, channels)
    veil = dtype(FULL_SCALE[np.dtype(dtype).name] * 0.75)
    photo = replace(photo, alpha=np.full_like(photo.alpha, veil))
    large = Restorer.from_weights(enlarger, out_scale=out_scale).restore(photo).photo
    again = read_photo(encode_photo(large, OutputStyle(), name="memory"))
    assert again.pixels.dtype == again.alpha.dtype == dtype
    assert again.pixels.shape[:2] == again.alpha.shape == tuple(out_scale * n for n in photo.alpha.shape)
    assert np.allclose(again.alpha, veil, rtol=1e-6, atol=0 if form != "AVIF" else 3)


@pytest.mark.parametrize("turn", [1, 6])
def test_the_thumbnail_of_a_turned_photograph_is_not_shown(turn):
    directory = Image.Exif()
    directory[exif.ORIENTATION] = turn
    block = bytearray(directory.tobytes()[len(exif.PREFIX) :])
    link = 8 + 2 + 12 * 1  # behind the one entry
    assert block[:2] == b"MM"
    block[link : link + 4] = len(block).to_bytes(4, "big")
    block += b"\0\0\0\0\0\0"
    changed = exif.upright(bytes(block))
    assert exif.orientation(changed) == 1
    assert (changed[link : link + 4] == bytes(4)) == (turn != 1)


def test_maker_notes_survive_the_reset_of_the_orientation():
    block = exif_block(6) + b"maker note at the end"
    assert exif.orientation(block) == 6
    reset = exif.upright(block)
    assert exif.orientation(reset) == 1
    assert sum(a != b for a, b in zip(block, reset, strict=True)) == 1


@pytest.mark.parametrize(("form", "turn"), [("JPEG", 1), ("JPEG", 6), ("PNG", 1), ("TIFF", 6), ("WEBP", 8)])
def test_the_size_that_the_metadata_tell_is_the_picture_s(rng, form, turn):
    directory = Image.Exif()
    directory.update({exif.ORIENTATION: turn, 256: 30, 257: 20, 271: "maker"})
    directory.get_ifd(exif.EXIF_IFD).update({0xA002: 30, 0xA003: 20, 0x8827: 200})
    xmp = b"<x:xmpmeta><r exif:PixelXDimension=\"30\" tiff:ImageLength='20'/><tiff:ImageWidth>30</tiff:ImageWidth>"
    data = saved(Image.fromarray(samples(rng, np.uint8, 3)), "JPEG", exif=directory, xmp=xmp)
    photo = read_photo(data)
    large = replace(photo, pixels=np.repeat(photo.pixels, 3000, 1) if form == "PNG" else photo.pixels)
    kept = read_photo(encode_photo(large, OutputStyle(form), name="")).metadata
    again = exif.parse(kept.exif)
    inner = again.get_ifd(exif.EXIF_IFD)
    assert (inner[0xA002], inner[0xA003]) == (large.width, large.height)
    assert (again[271], inner[0x8827]) == ("maker", 200)
    if form != "TIFF":
        assert (again[256], again[257]) == (large.width, large.height)
    width, height = str(large.width).encode(), str(large.height).encode()
    assert b"exif:PixelXDimension=\"%s\" tiff:ImageLength='%s'" % (width, height) in kept.xmp
    assert b"<tiff:ImageWidth>%s</tiff:ImageWidth>" % width in kept.xmp


@pytest.mark.parametrize(("scale", "word"), [(255, "of 1.*, where white is 1"), (np.nan, "not finite")])
def test_floats_of_another_scale_are_refused(tmp_path, rng, scale, word):
    path = tmp_path / "float.tif"
    tifffile.imwrite(path, samples(rng, np.float32, 3) * np.float32(scale), photometric="rgb")
    with pytest.raises(HfpieError, match=f"float.tif: .*{word}"):
        read_photo(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"quality": 1}])
def test_what_is_appended_to_a_jpeg_is_noticed(rng, options):
    data = saved(Image.fromarray(samples(rng, np.uint8, 3, (60, 90))), "JPEG", comment=b"\xff\xd9 no end", **options)
    assert read_photo(data).others == read_photo(data + b"\0\0\r\n").others == 0
    assert read_photo(data + b"\0ftypmp42 a video").others == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_previews_of_a_tiff_are_noticed(rng, dtype):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(samples(rng, dtype, 3), photometric="rgb")
        file.write(samples(rng, np.uint8, 3), photometric="rgb", subfiletype=1)
    assert read_photo(buffer.getvalue()).others == 1


def test_a_tiff_of_more_channels_than_come_out_again_is_refused(rng):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples(rng, np.uint8, 4), photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(HfpieError, match="channels other than colour"):
        read_photo(buffer.getvalue())


@pytest.mark.parametrize("kind", ["exif", "APP1"])
def test_profiles_of_a_png_as_imagemagick_writes_them_are_read(rng, kind):
    profile = exif.PREFIX + exif_block()
    texts = PngImagePlugin.PngInfo()
    texts.add_text(f"Raw profile type {kind}", f"\n{kind}\n{len(profile):8}\n{profile.hex()}\n", zip=True)
    texts.add_text("Raw profile type xmp", f"\nxmp\n{5:8}\n{b'<xmp>'.hex()}\n")
    metadata = read_photo(saved(Image.fromarray(samples(rng, np.uint8, 3)), "PNG", pnginfo=texts)).metadata
    assert (metadata.exif, metadata.xmp) == (exif_block(), b"<xmp>")


def test_an_orientation_that_xmp_alone_tells_stays_with_pixels_that_are_not_turned(rng):
    xmp = b'<x:xmpmeta tiff:Orientation="6"/>'
    photo = read_photo(saved(Image.fromarray(samples(rng, np.uint8, 3, (20, 30))), "JPEG", xmp=xmp))
    assert (photo.width, photo.metadata.xmp) == (30, xmp)


def test_a_header_of_many_blanks_is_refused_at_once():
    with pytest.raises(HfpieError, match="broken"):
        read_photo(b"P5" + b" " * 900 + b"x")


def test_a_16_bit_ppm_of_another_top_is_scaled():
    for comment in (b"comment", b"long comment " * 500):
        data = b"P5 # " + comment + b"\n2 1 1023\n" + np.array([0, 1023], ">u2").tobytes()
        photo = read_photo(data)
        assert (photo.pixels.dtype, photo.pixels.ravel().tolist()) == (np.uint16, [0, 65535])


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"just text", "not a photograph"), (None, "no such file"), ("truncated", "broken")],
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


@pytest.mark.parametrize("form", ["WEBP", "TIFF"])
def test_several_frames_are_refused(rng, form):
    frames = [Image.fromarray(samples(rng, np.uint8, 3)) for _ in range(2)]
    with pytest.raises(HfpieError, match="standard input: has several frames or pages"):
        read_photo(saved(frames[0], form, save_all=True, append_images=frames[1:]))


def test_the_limits_of_formats_are_known_beforehand():
    wide = Photo(np.zeros((1, 16384, 3), np.uint8))
    with pytest.raises(HfpieError, match="do not fit in WEBP"):
        encode_photo(wide, OutputStyle("WEBP"), name="wide")
    widest = Photo(np.zeros((1, 65501, 3), np.uint8))
    with pytest.raises(HfpieError, match="do not fit in JPEG"):
        encode_photo(widest, OutputStyle("JPEG"), name="widest")
    assert encode_photo(replace(widest, pixels=widest.pixels[:, 1:]), OutputStyle("JPEG"), name="")
    clear = Photo(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8))
    with pytest.raises(HfpieError, match="transparency"):
        encode_photo(clear, OutputStyle("JPEG"), name="clear")


def test_nothing_is_left_of_a_write_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(HfpieError, match="No space left"):
        write_photo(Photo(np.zeros((2, 2, 3), np.uint8)), tmp_path / "a.png", OutputStyle())
    assert list(tmp_path.iterdir()) == []
