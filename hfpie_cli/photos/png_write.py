"""Writes PNG strip by strip, so that a large picture is not copied whole; strips are compressed in parallel.

Pillow filters 8-bit lines, as it would for the whole picture; it cannot hold 16-bit ones.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..settings import default_threads
from .headers import PNG_SIGNATURE, png_chunks
from .photo import Photo, Pixels
from .png import chunk, metadata_chunks

LEVELS = {8: 2, 16: 1}  # of zlib, by bits: 2 takes 0.36 times as long as 6 for photographs, 7 % larger
STRIP_BYTES = 1 << 20  # of pixels; strips are compressed separately, as blocks of one stream
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
MOST_MEMORY = 9  # of zlib, as Pillow sets it
SUB = 1  # the filter that subtracts the pixel to the left
STREAM_HEADER = b"\x78\x5e"  # of zlib: a window of 32 KiB, a fast level


def write(photo: Photo, stream: BinaryIO) -> None:
    """Write the file of a photo of 8 or 16 bits, with its metadata."""
    height, width = photo.height, photo.width
    samples, depth = _samples_of(photo), 8 * photo.pixels.itemsize
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[samples(0, 1).shape[2]], 0, 0, 0)
    stream.write(PNG_SIGNATURE + chunk(b"IHDR", header) + metadata_chunks(photo.metadata, header))
    for part in _compressed(samples, height, LEVELS[depth]):
        stream.write(chunk(b"IDAT", part))
    stream.write(chunk(b"IEND", b""))


Samples = Callable[[int, int], Pixels]  # (top, bottom) -> (h, w, 1 to 4) of these rows, the alpha last


def _samples_of(photo: Photo) -> Samples:
    pixels, alpha = photo.pixels, photo.alpha
    repeats = 3 if alpha is not None and pixels.dtype == np.uint16 and pixels.shape[2] == 1 else 1

    def samples(top: int, bottom: int) -> Pixels:
        colours = pixels[top:bottom]
        if alpha is None:
            return colours
        # OpenCV, which will read it, does not support 16-bit grey with alpha
        return np.concatenate([np.repeat(colours, repeats, 2), alpha[top:bottom, :, None]], -1)

    return samples


def _compressed(samples: Samples, height: int, level: int) -> Iterator[bytes]:
    """The parts of the zlib stream of all lines."""
    rows = max(1, STRIP_BYTES // samples(0, 1).nbytes)
    ends = [*range(rows, height, rows), height]
    threads, checksum = default_threads(), zlib.adler32(b"")
    yield STREAM_HEADER
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[tuple[bytes, bytes]]] = deque()
        for top, end in zip([0, *ends], ends, strict=False):
            waiting.append(pool.submit(_compress, samples, top, end, level=level, last=end == height))
            while len(waiting) > threads or (waiting and end == height):
                lines, part = waiting.popleft().result()
                checksum = zlib.adler32(lines, checksum)
                yield part
    yield struct.pack(">I", checksum)


def _compress(samples: Samples, top: int, bottom: int, *, level: int, last: bool) -> tuple[bytes, bytes]:
    """The filtered lines of a strip, and their compressed blocks."""
    lines = _filtered(samples, top, bottom)
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, MOST_MEMORY, zlib.Z_FILTERED)
    return lines, packer.compress(lines) + packer.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def _filtered(samples: Samples, top: int, bottom: int) -> bytes:
    """The lines as PNG stores them, each preceded by the number of its filter."""
    above = min(top, 1)  # filters refer to the line above
    strip = samples(top - above, bottom)
    if strip.dtype == np.uint16:
        return _subtracted(strip[above:])
    buffer = io.BytesIO()
    Image.fromarray(strip[..., 0] if strip.shape[2] == 1 else strip).save(buffer, "PNG", compress_level=0)
    file = buffer.getbuffer()
    parts = [file[at : at + length] for name, at, length in png_chunks(file) if name == b"IDAT"]
    return zlib.decompress(b"".join(parts))[above * (1 + strip[0].nbytes) :]


def _subtracted(strip: Pixels) -> bytes:
    """16-bit lines, with each sample reduced by that of the pixel to the left, byte by byte."""
    lines = strip.astype(">u2", order="C").view(np.uint8).reshape(len(strip), -1)
    step = 2 * strip.shape[2]
    filtered = np.full((len(lines), 1 + lines.shape[1]), SUB, np.uint8)
    filtered[:, 1 : 1 + step] = lines[:, :step]
    np.subtract(lines[:, step:], lines[:, :-step], out=filtered[:, 1 + step :])
    return filtered.tobytes()
