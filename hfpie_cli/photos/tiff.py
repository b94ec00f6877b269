"""TIFF: samples of 16 bits or floats on the way in, every TIFF on the way out.

tifffile does the work, with OpenCV for the compressions that it leaves to an optional package. Arrays are (h, w) or
(h, w, c) in the order RGB(A).
"""

from __future__ import annotations

import io
import logging
import struct
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from . import exif
from .photo import FULL_SCALE, Photo, SeveralPicturesError

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # errors come as exceptions
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

WHITE_IS_ZERO, PLANAR, PREMULTIPLIED, UNSPECIFIED = 0, 2, 1, 0  # values of the tags PhotometricInterpretation and so on
COLOURS = {WHITE_IS_ZERO: 1, 1: 1, 2: 3}  # samples of each photometric interpretation that is read


def probe(data: bytes) -> tuple[int, int, int] | None:
    """Width, height and number of previews of a TIFF file of more than 8 bits a sample; None for one for Pillow.

    Raises ValueError for samples that no one reads, SeveralPicturesError for several pages (a preview page is none).
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        if len(file.pages) > 1 and not all(p.is_reduced for p in file.pages[1:]):  # type: ignore[union-attr]
            raise SeveralPicturesError
        if page.dtype is None or page.dtype in (np.uint8, bool):
            if len(page.extrasamples) > 1 or UNSPECIFIED in page.extrasamples:
                raise ValueError("it has channels beside its colours and its alpha")
            return None
        if page.dtype not in (np.uint16, np.float32) or page.bitspersample not in (16, 32):
            raise ValueError(f"TIFF samples of {page.bitspersample} bits ({page.dtype}) are not read")
        if page.photometric not in COLOURS or page.samplesperpixel - COLOURS[page.photometric] not in (0, 1):
            raise ValueError(f"deep TIFF files are read if grey or RGB, not {page.samplesperpixel} samples a pixel")
        if file.is_bigtiff:
            raise ValueError("deep BigTIFF files are not read")
        return page.imagewidth, page.imagelength, len(file.pages) - 1


def decode(data: bytes) -> NDArray[Any]:
    """The pixels as they are stored, not turned: uint16 or float32. Raises ValueError for what does not decode."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        try:
            pixels = page.asarray()
            if page.planarconfig == PLANAR and pixels.ndim == 3:
                pixels = np.moveaxis(pixels, 0, -1)
        except (ValueError, ImportError, KeyError):  # a compression that tifffile leaves to an optional package
            pixels = decode_opencv(exif.upright(data))  # OpenCV would turn the picture by itself
        top = FULL_SCALE[pixels.dtype.name]
        if page.photometric == WHITE_IS_ZERO:
            pixels = (top - pixels).astype(pixels.dtype)
        if page.extrasamples == (PREMULTIPLIED,):
            alpha = pixels[..., -1:].astype(np.float64)
            colours = (pixels[..., :-1] * (top / np.maximum(alpha, top * 1e-6))).clip(0, top)
            colours = colours if top == 1.0 else np.rint(colours)
            pixels = np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], -1)
        return np.ascontiguousarray(pixels)


def decode_opencv(data: bytes) -> NDArray[Any]:
    """The uint16 or float32 pixels of any file that OpenCV reads. Raises ValueError for what does not decode."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint16, np.float32):
        raise ValueError("its pixels do not decode")
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return pixels


def encode(photo: Photo) -> bytes:
    """The file of a photo of any depth, with its metadata."""
    metadata, pixels = photo.metadata, photo.samples()
    directory = exif.parse(metadata.exif) if metadata.exif else None
    tags: list[tuple[int, str, int, Any, bool]] = [(exif.ORIENTATION, "H", 1, 1, True)]
    if metadata.xmp:
        tags.append((700, "B", len(metadata.xmp), metadata.xmp, True))
    if metadata.resources:
        tags.append((34377, "B", len(metadata.resources), metadata.resources, True))
    if directory is not None:
        texts = {tag: str(directory[tag]) for tag in exif.DESCRIPTIVE if tag in directory}
        stored = {tag: text.encode("latin-1", "replace") + b"\0" for tag, text in texts.items()}  # as Pillow decoded it
        tags += [(tag, "s", len(text), text, True) for tag, text in stored.items()]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels[..., 0] if pixels.shape[2] == 1 else pixels,
        byteorder="<",
        photometric="rgb" if pixels.shape[2] >= 3 else "minisblack",
        planarconfig="contig" if pixels.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if photo.alpha is not None else None,
        compression="zlib",
        metadata=None,
        software=False,
        resolution=metadata.dpi,
        resolutionunit="INCH" if metadata.dpi else None,
        iccprofile=metadata.icc or None,
        extratags=tags,
    )
    directories = {tag: directory.get_ifd(tag) for tag in (exif.EXIF_IFD, exif.GPS_IFD)} if directory else {}
    return _with_directories(buffer.getvalue(), directories)


def _with_directories(file: bytes, directories: dict[int, dict[int, Any]]) -> bytes:
    """Add EXIF and GPS directories, which tifffile does not write: the first directory moves to the end of the file."""
    (start,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, start)
    places = (start + 2 + 12 * i for i in range(count))
    entries = {struct.unpack_from("<H", file, place)[0]: file[place : place + 12] for place in places}
    longer = bytearray(file)
    for tag, values in directories.items():
        directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
        for key, value in values.items():
            if not isinstance(value, dict):  # a directory in the directory (interoperability) says nothing of the photo
                directory[key] = value
        if len(directory):
            longer += b"\0" * (len(longer) % 2)
            entries[tag] = struct.pack("<HHII", tag, 4, 1, len(longer))
            longer += directory.tobytes(len(longer))
    longer += b"\0" * (len(longer) % 2)
    longer[4:8] = struct.pack("<I", len(longer))
    longer += struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + b"\0\0\0\0"
    return bytes(longer)
