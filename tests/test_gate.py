"""The gate: files that claim too much or lack data are refused before they cost time or memory."""

import io
import os
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import HfpieError
from hfpie_cli.photos import gate, limits
from hfpie_cli.photos.companions import find_gain_map
from hfpie_cli.photos.contents import read_content
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.headers import png_chunks
from hfpie_cli.photos.photo import Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.recognise import is_film_head
from hfpie_cli.photos.sizes import Size, read_size
from hfpie_cli.photos.writer import check_writable

from .conftest import save_picture, smooth_picture

DEEP = smooth_picture(0, (96, 128)).astype(np.uint16) * 257


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def animated_png(frames: int, *, depth: int, first_shown: bool = True) -> bytes:
    """A PNG of `frames` pictures of 128 x 96 pixels, the first of which every reader shows."""
    file = cv2.imencode(".png", DEEP if depth == 16 else (DEEP >> 8).astype(np.uint8))[1].tobytes()
    body = b"".join(file[at : at + length] for name, at, length in png_chunks(file) if name == b"IDAT")
    control = [chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 128, 96, 0, 0, 1, 10, 0, 0)) for n in range(frames)]
    parts = [file[:33], chunk(b"acTL", struct.pack(">II", frames - (not first_shown), 0))]
    parts += [control[0]] * first_shown + [chunk(b"IDAT", body)]
    for number in range(1, frames):
        parts += [control[number], chunk(b"fdAT", struct.pack(">I", number) + body)]
    return b"".join([*parts, chunk(b"IEND", b"")])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("first_shown", [True, False])
def test_an_animation_is_refused_at_every_depth(depth, first_shown):
    with pytest.raises(HfpieError, match="several frames"):
        read_photo(animated_png(3, depth=depth, first_shown=first_shown), "moving.png")
    if first_shown:
        assert read_photo(animated_png(1, depth=depth), "still.png").width == 128


def jpeg(width=64, height=48) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(smooth_picture(1, (height, width))).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("run", [b"\xff" * 5_000_000, b"\xff" * 2_500_000 + b"\0", b"\xff\xd0" * 2_500_000])
def test_the_scan_of_a_jpeg_takes_time_in_proportion(run):
    file = jpeg()
    started = time.process_time()
    assert find_gain_map(file[:-2] + run + b"\xff\xd9") == (b"", False)
    assert find_gain_map(file + b"a video") == (b"", True)
    assert time.process_time() - started < 2


def test_padding_within_a_jpeg_is_no_end():
    file = jpeg()
    assert file[2:4] == b"\xff\xe0"
    padded = file[:2] + b"\xff" * 7 + file[2:]
    assert gate.inspect(padded, "") == gate.inspect(file, "")
    assert find_gain_map(padded) == (b"", False)
    assert np.array_equal(read_photo(padded).pixels, read_photo(file).pixels)


def deep_tiff(**how) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, DEEP, **{"photometric": "rgb", "rowsperstrip": 16, "metadata": None, **how})
    return buffer.getvalue()


def patched(file: bytes, tag: int, value: int, index: int = 0) -> bytes:
    """One number of a tag of a little-endian TIFF replaced."""
    changed = bytearray(file)
    (start,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        found, kind, length = struct.unpack_from("<HHI", file, at)
        if found == tag:
            form = {3: "<H", 4: "<I"}[kind]
            size = struct.calcsize(form)
            place = at + 8 if length * size <= 4 else struct.unpack_from("<I", file, at + 8)[0]
            struct.pack_into(form, changed, place + index * size, value)
            return bytes(changed)
    raise AssertionError(tag)


WIDTH, HEIGHT, OFFSETS, COUNTS, ROWS = 256, 257, 273, 279, 278
TILES = {"tile": (32, 32), "rowsperstrip": None, "compression": "zlib"}
INCOMPLETE = {
    "no place": (patched(deep_tiff(), OFFSETS, 0, 2), "1 of its 6 strips are absent"),
    "no length": (patched(deep_tiff(), COUNTS, 0, 5), "1 of its 6 strips are absent"),
    "compressed, no length": (patched(deep_tiff(compression="zlib"), COUNTS, 0, 1), "1 of its 6 strips are absent"),
    "short": (patched(deep_tiff(), COUNTS, 12287, 3), "1 of its 6 strips are too short"),
    "behind the end": (patched(deep_tiff(), OFFSETS, 2**31, 3), "1 of its 6 strips are beyond the end"),
    "cut off": (deep_tiff(compression="zlib")[:-50], "1 of its 6 strips are beyond the end"),
    "taller": (patched(deep_tiff(), HEIGHT, 8288), "lists 6 strips, but its size requires 518"),
    "flatter": (patched(deep_tiff(), HEIGHT, 48), "lists 6 strips, but its size requires 3"),
    "wider": (patched(deep_tiff(), WIDTH, 130), "6 of its 6 strips are too short"),
    "wider, in tiles": (patched(deep_tiff(**TILES), WIDTH, 37248), "lists 12 tiles, but its size requires 3,492"),
    "taller, in tiles": (patched(deep_tiff(**TILES), HEIGHT, 26720), "lists 12 tiles, but its size requires 3,340"),
    "strips of no rows": (patched(deep_tiff(), ROWS, 0), "strips or tiles are 128 x 0"),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_a_tiff_that_is_not_all_there_is_refused(kind):
    file, reason = INCOMPLETE[kind]
    with pytest.raises(HfpieError, match=reason):
        read_photo(file, "part.tif")


WHOLE = {
    "strips": {},
    "one strip": {"rowsperstrip": 96},
    "tiles": TILES,
    "big-endian": {"byteorder": ">"},
    "planes": {"planarconfig": "separate"},
    "planes in tiles": {**TILES, "planarconfig": "separate"},
    "deflate": {"compression": "zlib", "predictor": True},
    "rows left over": {"rowsperstrip": 36},
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_tiff_passes(kind):
    how = WHOLE[kind]
    pixels = np.moveaxis(DEEP, -1, 0) if how.get("planarconfig") == "separate" else DEEP
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"photometric": "rgb", "rowsperstrip": 16, "metadata": None, **how})
    assert np.array_equal(read_photo(buffer.getvalue()).pixels, DEEP)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK", "P"])
@pytest.mark.parametrize("compression", [None, "packbits", "tiff_lzw", "tiff_adobe_deflate", "group4", "jpeg"])
def test_what_other_programs_write_passes(mode, compression):
    if (compression == "group4") != (mode == "1") or (compression == "jpeg" and mode in {"RGBA", "P"}):
        pytest.skip("no such file")
    image, buffer = Image.fromarray(smooth_picture(2, (97, 61))).convert(mode), io.BytesIO()
    image.save(buffer, "TIFF", compression=compression)
    assert read_photo(buffer.getvalue()).pixels.shape[:2] == (97, 61)


def chained_tiff(count: int) -> bytes:
    """Pages of 8 x 8 grey pixels that share one strip."""
    file = bytearray(b"II*\0" + struct.pack("<I", 72) + bytes(64))
    for number in range(count):
        entries = [
            (256, 3, 8),
            (257, 3, 8),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, 8),
            (278, 3, 8),
            (279, 4, 64),
        ]
        after = len(file) + 6 + 12 * len(entries)
        file += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in entries)
        file += struct.pack("<I", after if number < count - 1 else 0)
    return bytes(file)


def test_many_directories_are_counted_at_once():
    started = time.process_time()
    with pytest.raises(HfpieError, match="several frames or pages"):
        read_photo(chained_tiff(20_000), "stack.tif")
    assert time.process_time() - started < 5
    assert read_photo(chained_tiff(1)).width == 8


def test_directories_that_share_their_bytes_are_refused():
    """A chain of 60,000 places within one list of 60,000 entries would be read 60,000 times."""
    entries = np.zeros((60_000, 3), "<u4")
    file = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 60_000) + entries.tobytes()
    looped = bytearray(file + struct.pack("<I", 8 + 2))
    struct.pack_into("<H", looped, 10, 59_000)
    started = time.process_time()
    with pytest.raises(HfpieError):
        read_photo(bytes(looped), "loop.tif")
    assert time.process_time() - started < 2


def claims(kind: str, width: int, height: int) -> bytes:
    """A file of few bytes that says it has so many pixels."""
    if kind == "WEBP":
        bits = struct.pack("<BI", 0x2F, (width - 1) | (height - 1) << 14) + b"\x88\x88\x08\x07\x10\x11\xfd\x0f"
        return b"RIFF" + struct.pack("<I", 12 + len(bits)) + b"WEBPVP8L" + struct.pack("<I", len(bits)) + bits
    if kind == "JPEG":
        file = bytearray(jpeg())
        struct.pack_into(">HH", file, file.index(b"\xff\xc0") + 5, height, width)
        return bytes(file)
    if kind == "PNG":
        body = zlib.compress(bytes(height * (1 + -(-width // 8))), 9)
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    if kind == "BMP":
        return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    assert kind == "TIFF"
    return patched(patched(deep_tiff(**TILES), WIDTH, width), HEIGHT, height)


@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG", "BMP", "TIFF"])
def test_few_bytes_that_claim_many_pixels_are_refused_at_once(kind):
    file = claims(kind, 16_000, 12_000)
    started = time.process_time()
    with pytest.raises(HfpieError, match=r"claims 192 megapixels in [\d,]+ bytes") as caught:
        read_photo(file, "bomb")
    assert time.process_time() - started < 1
    assert "--max-pixels 192000000" in caught.value.hint


def test_an_empty_page_of_a_scanner_passes():
    buffer = io.BytesIO()
    Image.new("1", (3508, 4000), 1).save(buffer, "TIFF", compression="group4")
    assert len(buffer.getvalue()) < 4000
    assert read_photo(buffer.getvalue()).pixels.shape == (4000, 3508, 1)


def test_a_png_whose_bytes_cannot_be_its_pixels_is_refused():
    file = bytearray(claims("PNG", 64, 64))
    struct.pack_into(">II", file, 16, 4000, 3000)
    with pytest.raises(HfpieError, match="bytes of pixel data are too few for 4000 x 3000"):
        read_photo(bytes(file))


def test_a_jpeg_of_too_many_scans_is_refused():
    buffer = io.BytesIO()
    Image.fromarray(smooth_picture(1, (480, 640))).save(buffer, "JPEG", progressive=True)
    file = buffer.getvalue()
    scan = file.index(b"\xff\xda")
    following = file.index(b"\xff\xc4", scan)
    many = file[:scan] + file[scan:following] * 4_000 + file[following:]
    started = time.process_time()
    with pytest.raises(HfpieError, match="scans of 640 x 480 pixels take too long to decode"):
        read_photo(many)
    assert time.process_time() - started < 2
    assert read_photo(file).width == 640


def test_max_pixels_raises_the_limit_and_lowers_it(tmp_path, monkeypatch):
    monkeypatch.delenv(limits.LIMIT_VARIABLE, raising=False)
    flat = claims("PNG", 4600, 4000)
    (tmp_path / "flat.png").write_bytes(flat)
    arguments = ["denoise", str(tmp_path / "flat.png"), "-o", f"{tmp_path}/o/", "--weights", "unit-test"]
    refused = CliRunner().invoke(app, [*arguments, "--max-pixels", "18000000"])
    assert refused.exit_code == 1
    assert "18.4 megapixels, more than the 18 that hfpie opens" in refused.stderr
    with limits.raised_limit(18_400_000):
        assert read_photo(flat).pixels.shape == (4000, 4600, 1)
    assert limits.LIMIT_VARIABLE not in os.environ
    with pytest.raises(HfpieError, match="claims 18 megapixels"):
        read_photo(flat)


def test_the_machines_memory_is_a_limit(monkeypatch, tmp_path):
    picture = save_picture(tmp_path / "a.png", smooth_picture(0, (480, 640)))
    monkeypatch.setattr(limits, "machine_memory", lambda: 3_000_000)
    with pytest.raises(HfpieError, match="would take"):
        read_photo(picture)
    photo = Photo(np.zeros((200, 200, 3), np.uint8))
    check_writable(photo, OutputStyle(), name="b.png")
    check_writable(photo, OutputStyle(), scale=4, name="b.png")  # written strip by strip
    for style, scale, frames in ((OutputStyle(), 5, 1), (OutputStyle("JPEG"), 4, 1), (OutputStyle(), 4, 2)):
        with pytest.raises(HfpieError, match=r"b\.png: would take"):
            check_writable(photo, style, scale=scale, frames=frames, name="b.png")
    monkeypatch.setattr(limits, "machine_memory", lambda: 1000)
    with pytest.raises(HfpieError, match="do not fit in this machine's memory"):
        read_photo(picture)


def test_what_is_no_ordinary_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path, what in ((tmp_path / "pipe.png", "a pipe"), (tmp_path, "a folder")):
        with pytest.raises(HfpieError, match=f"is {what}, not a file"):
            read_photo(path)
    for device in ("/dev/zero", "/dev/full", "/dev/tty"):
        with pytest.raises(HfpieError, match="is a device, not a file"):
            gate.read_file(tmp_path.__class__(device))


def test_samples_that_lie_in_no_known_order_are_refused():
    for dtype in (np.uint8, np.uint16):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.zeros((8, 9, 3), dtype), photometric="rgb", metadata=None)
        buffer.seek(0)
        with tifffile.TiffFile(buffer, mode="r+") as file:
            file.pages[0].tags[284].overwrite(32769)
        with pytest.raises(HfpieError, match=r"x.tif: .*planar configuration 32769"):
            read_photo(buffer.getvalue(), "x.tif")


def test_pictures_with_the_letters_of_a_film_are_pictures(tmp_path):
    image = Image.fromarray(smooth_picture(0))
    image.save(tmp_path / "a.gif")
    data = bytearray((tmp_path / "a.gif").read_bytes())
    data[188] = data[376] = ord("G")  # of the palette
    (tmp_path / "a.gif").write_bytes(data)
    image.save(tmp_path / "b.jpg")
    file = (tmp_path / "b.jpg").read_bytes()
    comment = bytearray(b"\xff\xfe\x47\x10" + bytes(0x470E))
    comment[194] = ord("G")
    (tmp_path / "b.jpg").write_bytes(file[:2] + comment + file[2:])
    for name in ("a.gif", "b.jpg"):
        assert isinstance(read_content(tmp_path / name), Photo)
        assert read_size(tmp_path / name) == Size(64, 48, 1)


@pytest.mark.parametrize(("before", "packet"), [(0, 188), (4, 192)])
def test_streams_of_films_are_known_by_their_packets(before, packet):
    stream = (bytes(before) + b"G" + bytes(packet - before - 1)) * 3
    assert is_film_head(stream)
    assert is_film_head(stream[: packet + before + 1])  # all there is
    assert not is_film_head(stream[: 2 * packet] + bytes(packet))
    assert not is_film_head(stream[:packet])
