"""PNG written strip by strip: the same lines as written whole, without copies of the whole picture."""

import errno
import io
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from hfpie_cli.photos import png_write
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.headers import png_chunks
from hfpie_cli.photos.photo import Photo, split_alpha
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo, write_into


def picture(dtype: type, channels: int, height: int = 61, width: int = 47) -> np.ndarray:
    """Ramps with noise, so that every filter is chosen for some line."""
    generator = np.random.default_rng(channels)
    ramps = np.add.outer(np.arange(height) * 3, np.arange(width))[..., None] + 20 * np.arange(channels)
    noisy = ramps + generator.integers(0, 1 + 40 * (np.arange(height) % 3), (channels, width, height)).T
    return (noisy % 256 * (257 if dtype is np.uint16 else 1) + (dtype is np.uint16) * 5).clip(0, 65535).astype(dtype)


def lines_of(file: bytes) -> bytes:
    return zlib.decompress(b"".join(file[at : at + length] for name, at, length in png_chunks(file) if name == b"IDAT"))


@pytest.mark.parametrize("strip", [1, 700, 1 << 20])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lines_of_8_bits_are_those_of_the_picture_written_whole(monkeypatch, channels, strip):
    monkeypatch.setattr(png_write, "STRIP_BYTES", strip)
    samples = picture(np.uint8, channels)
    whole = io.BytesIO()
    Image.fromarray(samples[..., 0] if channels == 1 else samples).save(whole, "PNG", compress_level=3)
    file = encode_photo(Photo(*split_alpha(samples)), OutputStyle("PNG"), name="")
    assert lines_of(file) == lines_of(whole.getvalue())
    assert np.array_equal(read_photo(file).samples(), samples)


@pytest.mark.parametrize("strip", [1, 700, 1 << 20])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_come_back(monkeypatch, channels, strip):
    monkeypatch.setattr(png_write, "STRIP_BYTES", strip)
    samples = picture(np.uint16, channels)
    file = encode_photo(Photo(*split_alpha(samples)), OutputStyle("PNG"), name="")
    stored = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED).reshape(samples.shape)
    assert np.array_equal(stored[..., [2, 1, 0, 3][:channels]] if channels > 1 else stored, samples)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_smallest_pictures(size, dtype):
    samples = picture(dtype, 3, *size)
    assert np.array_equal(read_photo(encode_photo(Photo(samples), OutputStyle("PNG"), name="")).pixels, samples)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_writing_takes_strips_not_copies(tmp_path, form, dtype):
    photo = Photo(np.zeros((4000, 2000, 3), dtype) + np.arange(3, dtype=dtype))
    write_into(io.BytesIO(), Photo(photo.pixels[:9]), OutputStyle(form), name="")  # its imports
    with (tmp_path / "file").open("w+b") as stream:
        tracemalloc.start()
        write_into(stream, photo, OutputStyle(form), name="")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < photo.pixels.nbytes / 2


def test_a_full_disk_is_not_taken_for_what_a_format_cannot_hold():
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    for form in ("PNG", "JPEG", "TIFF"):
        with pytest.raises(OSError, match="No space left"):
            write_into(Full(), Photo(picture(np.uint8, 3)), OutputStyle(form), name="x")
