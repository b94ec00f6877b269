"""Small ICC profiles (version 4), made from primaries and a curve."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]  # CIE x, y
Primaries = tuple[Point, Point, Point, Point]  # red, green, blue, white

DISPLAY_P3: Primaries = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290))
D50 = (0.9642, 1.0, 0.8249)  # XYZ
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # (a x + b) ** g from d on, c x below: g, a, b, c, d
HEADER = 128


def colour_profile(primaries: Primaries, gamma: float | None) -> bytes:
    """The profile of RGB with these primaries. gamma: the curve's exponent; None for sRGB's curve."""
    *colours, white = primaries
    adaptation = _adaptation(_xyz(white))
    matrix = np.stack([_xyz(colour) for colour in colours], 1)
    columns = adaptation @ (matrix * np.linalg.solve(matrix, _xyz(white)))
    curve = _curve(gamma)
    tags = {name + b"XYZ": _numbers(b"XYZ ", columns[:, i]) for i, name in enumerate((b"r", b"g", b"b"))}
    tags |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    return _profile(b"RGB ", tags | {b"chad": _numbers(b"sf32", adaptation.ravel())}, _named(primaries, gamma))


def grey_profile(gamma: float) -> bytes:
    """The profile of grey with this exponent."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)}, f"grey, gamma {gamma:.3g}")


def _named(primaries: Primaries, gamma: float | None) -> str:
    """The usual name for Display P3; others are named by their primaries."""
    curve = "display curve" if gamma is None else f"gamma {gamma:.3g}"
    if primaries == DISPLAY_P3 and gamma is None:
        return "Display P3"
    return ", ".join([*(f"{x:.3f} {y:.3f}" for x, y in primaries[:3]), curve])


def _xyz(point: Point) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """XYZ under a white to XYZ under D50, by Bradford's cones."""
    cones = (BRADFORD @ np.array(D50)) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD


def _numbers(kind: bytes, values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return kind + bytes(4) + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _curve(gamma: float | None) -> bytes:
    parameters = SRGB_CURVE if gamma is None else (gamma,)
    kind = 3 if gamma is None else 0
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(_fixed(value) for value in parameters)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(encoded), 28) + encoded


def _profile(space: bytes, tags: dict[bytes, bytes], name: str) -> bytes:
    tags = {b"desc": _text(name), b"cprt": _text("free for any use"), b"wtpt": _numbers(b"XYZ ", D50), **tags}
    at = HEADER + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for tag, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += tag + struct.pack(">II", at + len(bodies), len(body))
        bodies += padded
    illuminant = b"".join(_fixed(value) for value in D50)
    head = struct.pack(">I4xI4s4s4s12x4s28x", at + len(bodies), 0x04300000, b"mntr", space, b"XYZ ", b"acsp")
    return (head + illuminant).ljust(HEADER, b"\0") + table + bodies
