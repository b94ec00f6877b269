"""Reads a file as a `Photo`, with everything that the output must keep.

Depth comes from the file, never from the values. Orientation is applied and reset. Only what no network can take is
converted: palettes are expanded, CMYK and the like become sRGB.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ..errors import HfpieError
from . import boxes, colour, companions, exif, gate, headers, heif, high_depth, jpeg, png, raw, recognise, tiff_layout
from .caught import caught, summed_up
from .formats import FORMATS, RESOURCES_PREFIX
from .limits import check_size
from .photo import Metadata, NotReadError, Photo, Pixels, SeveralPicturesError, check_pixels, split_alpha
from .tiff_tags import without_map_position

READ_AS = {"MPO": "JPEG", "GIF": "PNG"}  # MPO: a JPEG with a preview or a depth map
Image.MAX_IMAGE_PIXELS = None  # the gate checks sizes, for every kind of file


def read_photo(source: Path | bytes, name: str = "") -> Photo:
    """Decode a file, or its bytes. Raises HfpieError that names it (or `name`) and the problem."""
    name = name or (str(source) if isinstance(source, Path) else "standard input")
    data = read_bytes(source, name)
    with refusals(data, name) as said:
        photo = _decode(data, name)
    said += jpeg.complaints(data) if photo.format == "JPEG" and data.startswith(jpeg.SIGNATURE) else []
    return replace(photo, notes=photo.notes + ((f"its decoder reports: {summed_up(said)}",) if said else ()))


def read_bytes(source: Path | bytes, name: str) -> bytes:
    """The bytes of a file. Raises HfpieError for a missing, special or empty file."""
    data = source if isinstance(source, bytes) else gate.read_file(source)
    if not data:
        raise HfpieError(f"{name}: the file is empty")
    return data


@contextmanager
def refusals(data: bytes, name: str) -> Iterator[list[str]]:
    """Turn any exception of a decoder into an HfpieError of one line that names the file.

    After the block, the list holds what the decoder wrote to standard error.
    """
    said: list[str] = []
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about files that are then read
            if not _may_write(data):
                yield said
                return
            with caught() as said:
                yield said
    except HfpieError:
        raise
    except SeveralPicturesError:
        hint = "extract them into separate files first"
        raise HfpieError(f"{name}: has several frames or pages", hint) from None
    except NotReadError as error:
        raise HfpieError(f"{name}: {error}", error.hint) from None
    except UnidentifiedImageError:
        kind, hint = recognise.named(data)
        if kind:
            raise HfpieError(f"{name}: {kind}, which hfpie does not read", hint) from None
        raise HfpieError(f"{name}: not a photograph that hfpie can read", f"it reads {', '.join(FORMATS)}") from None
    except MemoryError:
        raise HfpieError(f"{name}: too large for this machine's memory") from None
    except Exception as error:  # decoders raise all kinds of exceptions for broken files
        reason = "; ".join(filter(None, (str(error) or type(error).__name__, summed_up(said))))
        message = f"{name}: broken, or in a format that hfpie does not read ({reason})"
        raise HfpieError(message.splitlines()[0], "if another program opens it, save it again from there") from None


def _may_write(data: bytes) -> bool:
    """Whether the file's decoder writes complaints to standard error: libtiff, or libpng in OpenCV."""
    return data[:4] in tiff_layout.SIGNATURES or (data.startswith(headers.PNG_SIGNATURE) and data[24:25] == b"\x10")


def _decode(data: bytes, name: str) -> Photo:
    facts = gate.inspect(data, name)
    if facts and facts.pictures > 1:
        raise SeveralPicturesError
    if raw.is_raw(data):
        camera = raw.open_raw(data)
        size = camera.sizes
        check_size(name, size.raw_width, size.raw_height, len(data), bytes_each=raw.BYTES_PER_PIXEL)
        return raw.decode(data, camera)
    if data[:4] in tiff_layout.SIGNATURES:
        from . import tiff_pages  # and tifffile

        gate.check_parts(data, name)
        layout = tiff_layout.Layout(data)
        if len(tiff_pages.find_pages(data, layout)) > 1:
            raise SeveralPicturesError
        return replace(decode_page(data, name), others=layout.reduced)
    if boxes.kind_of(data) == "HEIC":
        file = heif.open_heif(data)
        width, height = file.size
        check_size(name, width, height, len(data))
        return heif.decode(data, file)
    kind = high_depth.probe(data)
    if kind is None:
        return _decode_pillow(data, name)
    check_size(name, kind.width, kind.height, len(data))
    pixels = high_depth.decode(data, kind)
    if pixels is None:
        photo = _decode_pillow(data, name)
        return replace(photo, notes=(*photo.notes, f"its {kind.bits} bits could only be read as 8"))
    with Image.open(io.BytesIO(data)) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise SeveralPicturesError
        image.load()  # OpenCV ignores truncation, Pillow does not
        turn, metadata = metadata_of(image, data)
        pixels = _with_transparent_grey(pixels, image)
    bits = kind.bits if kind.format == "AVIF" else 0
    return upright(_split(pixels, replace(metadata, bits=bits), kind.format), turn)


def decode_page(data: bytes, name: str) -> Photo:
    """The first page of a TIFF file that the gate has checked. Raises any exception of the decoder."""
    from . import tiff  # imports tifffile, which few need

    kind = tiff.probe(data)
    turn, metadata = _tiff_metadata(data)
    metadata = replace(metadata, tags=kind.tags)
    if kind.by_tifffile:
        pixels = tiff.decode(data)
        check_pixels(pixels, name)
        metadata = replace(metadata, icc=b"") if kind.is_lab else metadata
    else:
        with Image.open(io.BytesIO(data)) as image:
            image.getexif().pop(exif.ORIENTATION, None)  # otherwise Pillow turns it
            image.load()
            plain, metadata = _to_plain_mode(image, metadata)
            pixels = np.array(plain)
    return upright(replace(_split(pixels, metadata, "TIFF"), notes=kind.notes), turn)


def _decode_pillow(data: bytes, name: str) -> Photo:
    with Image.open(io.BytesIO(data)) as image:
        form = READ_AS.get(str(image.format), str(image.format))
        if form not in FORMATS:
            kind, hint = recognise.named(data)
            raise HfpieError(f"{name}: {kind or form}, which hfpie does not read", hint or recognise.CONVERT)
        check_size(name, *image.size, len(data))
        others = getattr(image, "n_frames", 1) - 1
        if form != "JPEG" and others:
            raise SeveralPicturesError
        image.load()
        turn, metadata = metadata_of(image, data)
        plain, metadata = _to_plain_mode(image, metadata)
        if form == "JPEG":
            gain_map, more = companions.find_gain_map(data)
            gate.inspect(gain_map, f"{name}, its gain map")
            others = max(others - bool(gain_map), more)
            metadata = replace(metadata, gain_map=companions.turned_gain_map(gain_map, turn))
        return replace(upright(_split(np.array(plain), metadata, form), turn), others=others)


def metadata_of(image: Image.Image, data: bytes) -> tuple[int, Metadata]:
    """The EXIF orientation and the metadata of an opened file of any kind but TIFF."""
    info = image.info
    raw = {kind: png.raw_profile(info.get(f"Raw profile type {kind}")) for kind in ("exif", "APP1", "xmp")}
    block = exif.strip_prefix(info.get("exif") or raw["exif"] or raw["APP1"])
    block = block if block[:2] in (b"II", b"MM") else b""
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or raw["xmp"]
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    chunks = png.kept_chunks(data) if image.format == "PNG" else ()
    markers = [body for name, body in getattr(image, "applist", []) if name == "APP13"]
    metadata = Metadata(
        info.get("icc_profile") or b"",
        exif.upright(block),
        exif.upright_xmp(xmp, exif.orientation(block)),
        _sane_dpi(info.get("dpi")),
        b"".join(body.removeprefix(RESOURCES_PREFIX) for body in markers if body.startswith(RESOURCES_PREFIX)),
        info.get("comment", b"") if image.format in {"JPEG", "MPO"} else b"",
        chunks,
        boxes.colour_points(data) if image.format == "AVIF" else colour.points_of_png(chunks),
    )
    return exif.orientation(block), metadata


def _tiff_metadata(data: bytes) -> tuple[int, Metadata]:
    """The same for TIFF, whose directory mixes the photograph's description with the file's layout."""
    directory = exif.of_tiff_file(data)
    turn = turn if (turn := directory.get(exif.ORIENTATION, 1)) in range(1, 9) else 1
    xmp = directory.get(700, b"")
    unit = {2: 1.0, 3: 2.54}.get(directory.get(296, 2))
    across, down = directory.get(282), directory.get(283)
    pitch = (float(across), float(down)) if across and down else None
    dpi = (pitch[0] * unit, pitch[1] * unit) if unit and pitch else None
    metadata = Metadata(
        bytes(directory.get(34675, b"")),
        exif.from_tiff(data),
        exif.upright_xmp(xmp.encode() if isinstance(xmp, str) else bytes(xmp), turn),
        _sane_dpi(dpi),
        resources if isinstance(resources := directory.get(34377), bytes) else b"",
        per_unit=pitch if not unit and pitch != (1, 1) else None,
    )
    return turn, metadata


def _sane_dpi(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    if dpi is None:
        return None
    across, down = float(dpi[0]), float(dpi[1])
    return (across, down) if 1 <= across < 1e5 and 1 <= down < 1e5 else None


def _to_plain_mode(image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata]:
    """Grey, RGB or either with alpha, 8 bits: palettes expanded, CMYK and its like converted to sRGB."""
    transparent = "transparency" in image.info
    if image.mode in {"1", "L", "LA", "La"}:
        return image.convert("LA" if transparent or image.mode in {"LA", "La"} else "L"), metadata
    if image.mode in {"P", "PA", "RGB", "RGBA", "RGBX", "RGBa"}:
        alpha = transparent or image.mode in {"PA", "RGBA", "RGBa"}
        return image.convert("RGBA" if alpha else "RGB"), metadata
    if image.mode in {"CMYK", "YCbCr", "LAB", "HSV"}:
        return _to_srgb(image, metadata.icc), replace(metadata, icc=b"")
    raise ValueError(f"hfpie does not read pixels of mode {image.mode}")


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """To sRGB by the file's profile, or by Pillow's plain formula if that is missing or unusable."""
    if icc and image.mode in {"CMYK", "LAB"}:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")
        return converted
    return image.convert("RGB")


def _with_transparent_grey(pixels: Pixels, image: Image.Image) -> Pixels:
    """Add the alpha of a 16-bit grey PNG with a transparent grey, which OpenCV ignores."""
    clear = image.info.get("transparency")
    if pixels.ndim == 3 or not isinstance(clear, int):
        return pixels
    return np.stack([pixels, np.where(pixels == clear, 0, 65535).astype(np.uint16)], -1)


def _split(pixels: Pixels, metadata: Metadata, form: str) -> Photo:
    """Split colours and alpha."""
    return Photo(*split_alpha(pixels), metadata, form)


def upright(photo: Photo, turn: int) -> Photo:
    """Turn stored pixels by EXIF's orientation; 1 leaves them."""
    if turn == 1:
        return replace(photo, metadata=replace(photo.metadata, size=(photo.width, photo.height)))
    alpha = None if photo.alpha is None else np.ascontiguousarray(_turned(photo.alpha, turn))
    pixels = np.ascontiguousarray(_turned(photo.pixels, turn))
    metadata = photo.metadata
    if turn >= 5:
        dpi, per_unit = (pair and pair[::-1] for pair in (metadata.dpi, metadata.per_unit))
        metadata = replace(metadata, dpi=dpi, per_unit=per_unit)
    tags = without_map_position(metadata.tags)
    lost = (
        ("its map position (GeoTIFF) is left out, because the picture was stored rotated",)
        if tags != metadata.tags
        else ()
    )
    metadata = replace(metadata, tags=tags, size=(pixels.shape[1], pixels.shape[0]))
    return replace(photo, pixels=pixels, alpha=alpha, metadata=metadata, notes=photo.notes + lost)


def _turned(pixels: Pixels, turn: int) -> Pixels:
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
