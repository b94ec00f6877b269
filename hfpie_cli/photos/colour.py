"""Colour spaces without an ICC profile: code points of ITU-T H.273, or PNG's gAMA and cHRM.

Formats that can hold them keep them. For the others an ICC profile is made from them.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace

from PIL import ImageCms

from . import icc
from .formats import FORMATS
from .photo import ColourPoints, Metadata

HDR = {16: "PQ", 18: "HLG"}  # transfer functions of high dynamic range
UNSPECIFIED = 2
SRGB_CURVES = {1, UNSPECIFIED, 6, 13, 14, 15}  # viewers show the video curves of H.273 as sRGB's, which is close
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
D65, C = (0.3127, 0.3290), (0.310, 0.316)
PRIMARIES: dict[int, icc.Primaries] = {  # red, green, blue, white as CIE x, y; H.273, table 2
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), C),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: icc.DISPLAY_P3,
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
PRIMARIES[UNSPECIFIED] = PRIMARIES[1]
CLOSE_GAMMA, CLOSE_XY = 0.05, 0.002  # from sRGB's: invisible differences


class ColourError(ValueError):
    """Colours that the format cannot represent."""


def hdr_name(metadata: Metadata) -> str:
    """PQ or HLG for high dynamic range, empty for any other."""
    return HDR.get(metadata.points[1], "") if metadata.points else ""


def fitted(metadata: Metadata, form: str, *, grey: bool) -> Metadata:
    """The metadata with colours as the format states them. grey: whether the file will have one channel.

    Raises ColourError for HDR and for colours beyond sRGB that the format cannot represent.
    """
    hdr = hdr_name(metadata)
    if hdr and form not in {"PNG", "AVIF"}:
        raise ColourError(f"its values are {hdr} (HDR), which {form} cannot represent")
    if _is_narrow(metadata) and form != "PNG":
        raise ColourError(f"its values are in narrow range (video levels), which {form} cannot represent")
    stated = any(name in {b"cICP", b"gAMA", b"cHRM", b"sRGB"} for name, _ in metadata.chunks)
    if form == "PNG" and stated:
        return metadata
    profile = metadata.icc or (b"" if hdr else _profile(metadata, grey=grey))
    if "icc" not in FORMATS[form].blocks:
        if profile and not _is_srgb(profile):
            raise ColourError(f"its colours are not sRGB, which {form} cannot represent")
        return metadata
    if form == "AVIF":  # the code points are enough
        return metadata if metadata.points else replace(metadata, icc=profile)
    if form != "PNG":
        return replace(metadata, icc=profile)
    if not metadata.points:
        return metadata
    return replace(metadata, icc=profile, chunks=((b"cICP", bytes([*metadata.points, 0, 1])), *metadata.chunks))


def points_of_png(chunks: tuple[tuple[bytes, bytes], ...]) -> ColourPoints | None:
    """The code points of cICP, if it is there."""
    body = dict(chunks).get(b"cICP", b"")
    return (body[0], body[1]) if len(body) == 4 else None


def _is_narrow(metadata: Metadata) -> bool:
    """Whether a PNG's cICP states that black is 16 of 255."""
    return dict(metadata.chunks).get(b"cICP", b"\0\0\0\1")[3:] == b"\0"


def _profile(metadata: Metadata, *, grey: bool) -> bytes:
    """The ICC profile of the code points, else of gAMA and cHRM; empty for sRGB. Raises ColourError for others."""
    if metadata.points:
        primaries, transfer = metadata.points
        if primaries not in PRIMARIES or not (transfer in SRGB_CURVES or transfer in GAMMAS):
            raise ColourError(
                f"its colours are coded as {primaries}/{transfer} (ITU-T H.273), for which hfpie has no ICC profile"
            )
        return _made(PRIMARIES[primaries], GAMMAS.get(transfer), grey=grey)
    chunks = dict(metadata.chunks)
    if b"sRGB" in chunks:
        return b""
    return _made(_chromaticities(chunks.get(b"cHRM", b"")), _gamma(chunks.get(b"gAMA", b"")), grey=grey)


def _made(primaries: icc.Primaries, gamma: float | None, *, grey: bool) -> bytes:
    srgb = all(
        abs(a - b) < CLOSE_XY
        for point, other in zip(primaries, PRIMARIES[1], strict=True)
        for a, b in zip(point, other, strict=True)
    )
    if gamma is None and (srgb or grey):
        return b""
    return icc.grey_profile(gamma or 1.0) if grey else icc.colour_profile(primaries, gamma)


def _chromaticities(body: bytes) -> icc.Primaries:
    if len(body) != 32:
        return PRIMARIES[1]
    numbers = [value / 100_000 for value in struct.unpack(">8I", body)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    if min(y for _, y in (white, red, green, blue)) <= 0:
        raise ColourError("its primaries (cHRM) are not valid colours")
    return red, green, blue, white


def _gamma(body: bytes) -> float | None:
    """The exponent that gAMA asks for; None for sRGB's curve."""
    value = int.from_bytes(body, "big") if len(body) == 4 else 0
    gamma = 100_000 / value if value else None
    return None if gamma is None or abs(gamma / 2.2 - 1) < CLOSE_GAMMA else gamma


def _is_srgb(profile: bytes) -> bool:
    if profile[16:20] == b"GRAY":
        return True
    try:
        return "srgb" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()
    except (ImageCms.PyCMSError, OSError):
        return True  # unusable anyway
