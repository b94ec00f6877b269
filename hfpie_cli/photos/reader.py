"""The photo door, inwards: a file becomes a `Photo`, with all that has to come out of the other side again.

Depth comes from the file, never from the values. Orientation is applied and reset. Nothing is converted, except what
no network can take: a palette is expanded, CMYK and the like become sRGB.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ..errors import HfpieError
from . import deep, exif, gate, headers, jpeg, png, tiff_layout
from .caught import caught, summed_up
from .formats import FORMATS, RESOURCES_PREFIX
from .limits import check_size
from .photo import Metadata, Photo, Pixels, SeveralPicturesError, check_pixels

Image.MAX_IMAGE_PIXELS = None  # the gate looks at sizes, for every kind of file alike


def read_photo(source: Path | bytes, name: str = "") -> Photo:
    """Decode a file, or the bytes of one. Raises HfpieError that names it (or `name`) and what is the matter."""
    name = name or (str(source) if isinstance(source, Path) else "standard input")
    data = source if isinstance(source, bytes) else gate.read_file(source)
    if not data:
        raise HfpieError(f"{name}: the file is empty")
    said: list[str] = []
    try:
        with warnings.catch_warnings(action="ignore"):  # what a decoder thinks of a file that it then reads
            if not _may_write(data):
                return _decode(data, name)
            with caught() as said:
                photo = _decode(data, name)
            return replace(photo, notes=photo.notes + ((f"its decoder says: {summed_up(said)}",) if said else ()))
    except HfpieError:
        raise
    except SeveralPicturesError:
        hint = "extract them into files of their own first"
        raise HfpieError(f"{name}: has several frames or pages", hint) from None
    except UnidentifiedImageError:
        raise HfpieError(f"{name}: not a picture that hfpie reads", f"it reads {', '.join(FORMATS)}") from None
    except MemoryError:
        raise HfpieError(f"{name}: too large for this machine's memory") from None
    except Exception as error:  # decoders raise whatever they please at broken files
        reason = "; ".join(filter(None, (str(error) or type(error).__name__, summed_up(said))))
        message = f"{name}: broken, or of a kind that is not read ({reason})"
        raise HfpieError(message.splitlines()[0], "open and save it with another program, as PNG or TIFF") from None


def _may_write(data: bytes) -> bool:
    """Whether a library decodes the file that writes its complaints to standard error: libtiff, or libpng in OpenCV."""
    return data[:4] in tiff_layout.SIGNATURES or (data.startswith(headers.PNG_SIGNATURE) and data[24:25] == b"\x10")


def _decode(data: bytes, name: str) -> Photo:
    facts = gate.inspect(data, name)
    if facts and facts.pictures > 1:
        raise SeveralPicturesError
    gate.check_parts(data, name)
    kind = deep.probe(data)
    if kind is not None:
        check_size(name, kind.width, kind.height, len(data))
        pixels = deep.decode(data, kind)
        check_pixels(pixels, name)
        if kind.format == "TIFF":
            turn, metadata = _tiff_metadata(exif.parse(data))
        else:
            with Image.open(io.BytesIO(data)) as image:
                image.load()  # OpenCV passes over a truncated end, Pillow does not
                turn, metadata = _metadata(image, data)
                pixels = _with_transparent_grey(pixels, image)
        return replace(_upright(_split(pixels, metadata, kind.format), turn), others=kind.others)
    with Image.open(io.BytesIO(data)) as image:
        form = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: a JPEG with a preview or a depth map
        if form not in FORMATS:
            raise HfpieError(f"{name}: {form} files are not read", "convert it to PNG or TIFF first")
        check_size(name, *image.size, len(data))
        others = getattr(image, "n_frames", 1) - 1
        if form not in {"JPEG", "TIFF"} and others:
            raise SeveralPicturesError
        image.load()
        turn, metadata = _tiff_metadata(image.getexif()) if form == "TIFF" else _metadata(image, data)
        plain, metadata = _to_plain_mode(image, metadata)
        others = max(others, jpeg.has_tail(data)) if form == "JPEG" else others
        return replace(_upright(_split(np.array(plain), metadata, form), turn), others=others)


def _metadata(image: Image.Image, data: bytes) -> tuple[int, Metadata]:
    """The EXIF orientation and the metadata of an opened file of any kind but TIFF."""
    info = image.info
    raw = {kind: png.raw_profile(info.get(f"Raw profile type {kind}")) for kind in ("exif", "APP1", "xmp")}
    block = exif.strip_prefix(info.get("exif") or raw["exif"] or raw["APP1"])
    block = block if block[:2] in (b"II", b"MM") else b""
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or raw["xmp"]
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    markers = [body for name, body in getattr(image, "applist", []) if name == "APP13"]
    metadata = Metadata(
        info.get("icc_profile") or b"",
        exif.upright(block),
        exif.upright_xmp(xmp, exif.orientation(block)),
        _sane_dpi(info.get("dpi")),
        b"".join(body.removeprefix(RESOURCES_PREFIX) for body in markers if body.startswith(RESOURCES_PREFIX)),
        info.get("comment", b"") if image.format in {"JPEG", "MPO"} else b"",
        png.kept_chunks(data) if image.format == "PNG" else (),
    )
    return exif.orientation(block), metadata


def _tiff_metadata(directory: Image.Exif) -> tuple[int, Metadata]:
    """The same for TIFF, whose directory mixes the photograph's description with the file's layout."""
    turn = turn if (turn := directory.get(exif.ORIENTATION, 1)) in range(1, 9) else 1
    xmp = directory.get(700, b"")
    unit = {2: 1.0, 3: 2.54}.get(directory.get(296, 2))
    across, down = directory.get(282), directory.get(283)
    dpi = (float(across) * unit, float(down) * unit) if unit and across and down else None
    metadata = Metadata(
        bytes(directory.get(34675, b"")),
        exif.from_tiff(directory),
        exif.upright_xmp(xmp.encode() if isinstance(xmp, str) else bytes(xmp), turn),
        _sane_dpi(dpi),
        resources if isinstance(resources := directory.get(34377), bytes) else b"",
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
    raise ValueError(f"pixels of the kind {image.mode} are not read")


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Through the profile that the file brings, or by Pillow's plain formula where it brings none of use."""
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
    """Add the alpha of a 16-bit grey PNG one of whose greys is transparent, which OpenCV passes over."""
    clear = image.info.get("transparency")
    if pixels.ndim == 3 or not isinstance(clear, int):
        return pixels
    return np.stack([pixels, np.where(pixels == clear, 0, 65535).astype(np.uint16)], -1)


def _split(pixels: Pixels, metadata: Metadata, form: str) -> Photo:
    """Tell the colours from the alpha."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] in (2, 4):
        return Photo(np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1]), metadata, form)
    return Photo(pixels, None, metadata, form)


def _upright(photo: Photo, turn: int) -> Photo:
    """Turn what is stored the way that EXIF says (1: leave it)."""
    if turn == 1:
        return photo
    alpha = None if photo.alpha is None else np.ascontiguousarray(_turned(photo.alpha, turn))
    dpi = photo.metadata.dpi[::-1] if photo.metadata.dpi and turn >= 5 else photo.metadata.dpi
    metadata = replace(photo.metadata, dpi=dpi)
    return replace(photo, pixels=np.ascontiguousarray(_turned(photo.pixels, turn)), alpha=alpha, metadata=metadata)


def _turned(pixels: Pixels, turn: int) -> Pixels:
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
