"""Colours without an ICC profile: kept, converted to a profile, or refused, but never taken for sRGB."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import boxes, icc
from hfpie_cli.photos.colour import PRIMARIES
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Metadata, Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import check_writable, encode_photo, losses

P3, PQ, HLG = (12, 13), (9, 16), (9, 18)
GREEN = np.full((16, 24, 3), (30, 200, 60), np.uint8)


def png(pixels=GREEN, **chunks: bytes) -> bytes:
    """A PNG with these chunks."""
    told = tuple((name.encode(), body) for name, body in chunks.items())
    return encode_photo(Photo(pixels, None, Metadata(chunks=told)), OutputStyle("PNG"), name="")


def avif(points, bits=8) -> bytes:
    """An AVIF whose nclx says these points, made by OpenCV."""
    pixels = GREEN[..., ::-1] if bits == 8 else (GREEN[..., ::-1].astype(np.uint16) << (bits - 8))
    settings = [cv2.IMWRITE_AVIF_QUALITY, 100, cv2.IMWRITE_AVIF_DEPTH, bits]
    return boxes.with_points(cv2.imencode(".avif", pixels, settings)[1].tobytes(), points)


def cicp(points, full=1) -> bytes:
    return bytes([*points, 0, full])


def as_srgb(file: bytes) -> np.ndarray:
    """The middle pixel as a colour-managed viewer shows it."""
    with Image.open(io.BytesIO(file)) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
        return np.array(shown.getpixel((5, 5)), int)  # type: ignore[union-attr]


def srgb_of_p3(colour) -> np.ndarray:
    """By the published matrix; what sRGB cannot show is clipped."""
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    shown = np.array(colour) / 255
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    linear = (matrix @ linear).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("file", [png(cICP=cicp(P3)), avif(P3), avif(P3, 10)], ids=["PNG", "AVIF", "AVIF of 10 bits"])
def test_display_p3_becomes_a_profile_where_code_points_have_no_place(form, file):
    written = encode_photo(read_photo(file), OutputStyle(form), name="")
    if form != "TIFF":
        assert np.abs(as_srgb(written) - srgb_of_p3((30, 200, 60))).max() <= 6
    icc_profile = read_photo(written).metadata.icc
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))).strip() == "Display P3"


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("points", [P3, PQ, HLG, (1, 1), (5, 4)])
def test_code_points_of_avif_stay(points, bits):
    photo = read_photo(avif(points, bits))
    again = encode_photo(photo, OutputStyle(), name="")
    assert boxes.colour_points(again) == photo.metadata.points == points
    assert boxes.size_and_bits(again) == (24, 16, bits)
    assert photo.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)


def test_code_points_go_from_avif_to_png_and_back():
    first = encode_photo(read_photo(avif(P3)), OutputStyle("PNG"), name="")
    photo = read_photo(first)
    assert dict(photo.metadata.chunks)[b"cICP"] == cicp(P3)
    assert photo.metadata.icc  # for viewers that do not know cICP
    assert boxes.colour_points(encode_photo(photo, OutputStyle("AVIF"), name="")) == P3
    hdr = read_photo(encode_photo(read_photo(avif(PQ, 10)), OutputStyle("PNG"), name=""))
    assert (hdr.metadata.points, hdr.metadata.icc) == (PQ, b"")


@pytest.mark.parametrize("points", [PQ, HLG])
@pytest.mark.parametrize("form", ["JPEG", "TIFF", "WEBP", "BMP", "PPM"])
def test_hdr_is_refused_by_name_where_it_cannot_be_told(points, form):
    photo = read_photo(png(cICP=cicp(points)))
    with pytest.raises(HfpieError, match=f"x.png: its values are {'PQ' if points == PQ else 'HLG'}.*{form}") as caught:
        check_writable(photo, OutputStyle(form, strip_metadata=True), name="x.png")
    assert "png or avif" in caught.value.hint
    with pytest.raises(HfpieError):
        encode_photo(photo, OutputStyle(form), name="x.png")


def test_what_hdr_says_of_its_light_stays_in_png_and_its_loss_is_told_in_avif():
    light = {"cICP": cicp(PQ), "mDCV": bytes(range(24)), "cLLI": bytes(8), "sBIT": bytes([10, 10, 10])}
    photo = read_photo(png(GREEN.astype(np.uint16) * 257, **light))
    kept = read_photo(encode_photo(photo, OutputStyle(strip_metadata=True), name="")).metadata.chunks
    assert {name.decode(): body for name, body in kept} == light
    assert losses(photo, OutputStyle()) == ()
    in_avif = losses(photo, OutputStyle("AVIF"))
    assert "cLLI and mDCV" in in_avif[0]
    assert "halves the resolution" in in_avif[1]
    assert len(losses(photo, OutputStyle("AVIF", quality=100))) == 1


def test_significant_bits_go_only_where_they_fit():
    photo = read_photo(png(GREEN.astype(np.uint16) * 257, sBIT=bytes([10, 10, 10])))
    grey = Photo(photo.pixels[..., :1], None, photo.metadata)
    eight = Photo(GREEN, None, photo.metadata)
    for other in (grey, eight):
        assert read_photo(encode_photo(other, OutputStyle("PNG"), name="")).metadata.chunks == ()


def test_gamma_and_primaries_of_png_become_a_profile():
    adobe = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    photo = read_photo(png(gAMA=(45455).to_bytes(4, "big"), cHRM=adobe))
    assert np.abs(as_srgb(encode_photo(photo, OutputStyle("JPEG"), name="")) - (0, 200, 49)).max() <= 8
    linear = read_photo(png(gAMA=(100_000).to_bytes(4, "big")))
    shown = as_srgb(encode_photo(linear, OutputStyle("WEBP"), name=""))
    expected = [255 * (1.055 * (v / 255) ** (1 / 2.4) - 0.055) for v in (30, 200, 60)]
    assert np.abs(shown - expected).max() <= 6
    usual = read_photo(png(gAMA=(45455).to_bytes(4, "big"), sRGB=b"\0"))
    assert read_photo(encode_photo(usual, OutputStyle("TIFF"), name="")).metadata.icc == b""


def test_grey_gets_a_grey_profile():
    photo = read_photo(png(GREEN[..., :1], gAMA=(55556).to_bytes(4, "big")))  # 1.8
    for form, space in (("TIFF", b"GRAY"), ("JPEG", b"GRAY"), ("WEBP", b"RGB ")):
        assert read_photo(encode_photo(photo, OutputStyle(form), name="")).metadata.icc[16:20] == space


def test_colours_beyond_srgb_are_refused_by_formats_without_colours():
    for file in (png(cICP=cicp(P3)), encode_photo(read_photo(avif(P3)), OutputStyle("JPEG"), name="")):
        with pytest.raises(HfpieError, match="not sRGB, which BMP cannot represent"):
            encode_photo(read_photo(file), OutputStyle("BMP"), name="x")


def test_unknown_colours_and_video_levels_are_refused_outside_their_own_kind():
    for chunk, word in ((cicp((10, 17)), "10/17"), (cicp(P3, full=0), "narrow range")):
        photo = read_photo(png(cICP=chunk))
        assert dict(read_photo(encode_photo(photo, OutputStyle(), name="")).metadata.chunks)[b"cICP"] == chunk
        with pytest.raises(HfpieError, match=word):
            encode_photo(photo, OutputStyle("JPEG"), name="x")


def test_the_profiles_are_those_of_their_primaries():
    srgb = ImageCms.createProfile("sRGB")
    ramp = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    made = ImageCms.ImageCmsProfile(io.BytesIO(icc.colour_profile(PRIMARIES[1], None)))
    same = ImageCms.profileToProfile(ramp, made, srgb)
    assert np.abs(np.asarray(same).astype(int) - np.asarray(ramp)).max() <= 1
    for points in PRIMARIES.values():  # white stays white, whatever the white
        made = ImageCms.ImageCmsProfile(io.BytesIO(icc.colour_profile(points, 2.2)))
        white = ImageCms.profileToProfile(Image.new("RGB", (1, 1), (255, 255, 255)), made, srgb)
        assert min(white.getpixel((0, 0))) >= 254


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bits", [10, 12])
def test_ten_and_twelve_bits_of_avif_stay_in_full(bits, alpha):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 2**bits, (16, 24, 4), dtype=np.uint16)
    pixels = np.rint(levels * (65535 / (2**bits - 1))).astype(np.uint16)
    exif_block = Image.Exif()
    exif_block[271] = "Acme"
    metadata = Metadata(exif=exif_block.tobytes()[6:], xmp=b"<x:xmpmeta/>", bits=bits)
    photo = Photo(pixels[..., :3], pixels[..., 3] if alpha else None, metadata, "AVIF")
    again = read_photo(encode_photo(photo, OutputStyle(quality=100), name=""))
    assert np.array_equal(again.pixels, photo.pixels)
    assert alpha is False or np.array_equal(again.alpha, photo.alpha)
    assert again.metadata.bits == bits
    assert again.metadata.xmp == metadata.xmp
    assert b"Acme" in again.metadata.exif


def test_an_avif_that_opencv_does_not_read_is_read_as_8_bits_and_told(monkeypatch):
    file = avif(P3, 10)
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: None)
    photo = read_photo(file)
    assert (photo.pixels.dtype, photo.metadata.points) == (np.uint8, P3)
    assert photo.notes == ("its 10 bits could only be read as 8",)
