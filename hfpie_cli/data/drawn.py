"""Pictures drawn at random: text, windows, line art, bar codes, flat shapes, skies and gradients.

Photographs contain few flat colours, straight edges, or gradients without noise. Restoration shows on all of them:
flat areas must stay flat, and clean ones unchanged. A sky has more than 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..degradations.operations import Picture
from .lettering import Canvas, Colour, write_text

BENCHMARK_SIZE, BENCHMARK_COUNT = (384, 512), 12  # pixels (h, w) and number of a drawn benchmark's pictures

Draw = Callable[[np.random.Generator, int, int], Picture]


def draw_any(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A drawing of a random kind: (height, width, 3), float32 in [0, 1]."""
    kinds = list(KINDS)
    return KINDS[kinds[rng.choice(len(kinds), p=list(SHARES))]](rng, height, width)


def page(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Text of one or several sizes on a plain ground, dark on light or light on dark."""
    ground, ink = _contrasting(rng)
    canvas = _filled(height, width, ground)
    write_text(canvas, rng, (0, 0, width, height), ink)
    return _as_picture(canvas)


def screen(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A screenshot: windows with bars, frames one pixel wide, buttons, lists, text."""
    canvas = _filled(height, width, _colour(rng))
    for _ in range(int(rng.integers(1, 5))):
        box = _box(rng, height, width, 48)
        left, top, right, bottom = box
        ground, ink = _contrasting(rng)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), ground, -1)
        bar = int(rng.integers(12, 28))
        cv2.rectangle(canvas, (left, top), (right - 1, min(top + bar, bottom) - 1), _colour(rng), -1)
        write_text(canvas, rng, (left, top + bar, right, bottom), ink)
        for _ in range(int(rng.integers(0, 5))):
            _button(canvas, rng, box)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), _colour(rng), 1)
    return _as_picture(canvas)


def line_art(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Lines, curves, circles, polygons and hatching of one ink, mostly black, on paper, mostly white."""
    ground, ink = _paper(rng)
    canvas = _filled(height, width, ground)
    for _ in range(int(rng.integers(4, 16))):
        thickness = int(rng.choice([1, 1, 1, 2, 3, 5]))
        closed = bool(rng.integers(2))
        points = _points(rng, height, width, int(rng.integers(2, 7)))
        if rng.random() < 0.4:
            points = _curve(points)
        cv2.polylines(canvas, [points], closed, ink, thickness, cv2.LINE_AA)
        if rng.random() < 0.4:
            radius = int(rng.integers(2, max(min(height, width) // 3, 3)))
            cv2.circle(canvas, _point(rng, height, width), radius, ink, thickness, cv2.LINE_AA)
    if rng.random() < 0.4:
        _hatch(canvas, rng, ink)
    if rng.random() < 0.3:
        write_text(canvas, rng, _box(rng, height, width, 40), ink)
    return _as_picture(canvas)


def diagram(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Lines, circles and polygons of several inks without antialiasing, as plotting and CAD programs draw them."""
    ground, ink = _paper(rng)
    inks = [ink, *(_colour(rng) for _ in range(int(rng.integers(1, 4))))]
    canvas = _filled(height, width, ground)
    for _ in range(int(rng.integers(4, 20))):
        of, thickness = inks[rng.integers(len(inks))], int(rng.choice([1, 1, 1, 2]))
        if rng.random() < 0.5:
            points = _points(rng, height, width, int(rng.integers(2, 7)))
            cv2.polylines(canvas, [points], bool(rng.integers(2)), of, thickness, cv2.LINE_8)
        else:
            axes = rng.integers(2, max(min(height, width) // 2, 3), 2)
            round_one = rng.random() < 0.7
            size = (int(axes[0]), int(axes[0] if round_one else axes[1]))
            cv2.ellipse(canvas, _point(rng, height, width), size, 0, 0, 360, of, thickness, cv2.LINE_8)
    if rng.random() < 0.3:
        write_text(canvas, rng, _box(rng, height, width, 40), ink)
    return _as_picture(canvas)


def label(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Text in two inks, and one to three bar codes of bars 1 to 3 pixels wide: the finest stripes that there are."""
    ground, ink = _contrasting(rng)
    canvas = _filled(height, width, ground)
    write_text(canvas, rng, (0, 0, width, height), ink)
    if rng.random() < 0.5:
        write_text(canvas, rng, _box(rng, height, width, 40), _colour(rng))
    for _ in range(int(rng.integers(1, 4))):
        left, top, right, bottom = _box(rng, height // 2, width // 2, 16)
        down, across = int(rng.integers(height // 2 + 1)), int(rng.integers(width // 2 + 1))
        bars, gap = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        code = np.array([ink if x % (bars + gap) < bars else ground for x in range(right - left)], np.uint8)
        canvas[top + down : bottom + down, left + across : right + across] = code
    return _as_picture(canvas)


def shapes(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Flat polygons, discs and stripes of any colours, as in logos, maps and cartoons."""
    canvas = _filled(height, width, _colour(rng))
    for _ in range(int(rng.integers(2, 14))):
        draws = rng.random()
        if draws < 0.6:
            points = _points(rng, height, width, int(rng.integers(3, 7)))
            cv2.fillPoly(canvas, [_curve(points) if rng.random() < 0.4 else points], _colour(rng), cv2.LINE_AA)
        elif draws < 0.85:
            radius = int(rng.integers(3, max(min(height, width) // 3, 4)))
            cv2.circle(canvas, _point(rng, height, width), radius, _colour(rng), -1, cv2.LINE_AA)
        else:
            _hatch(canvas, rng, _colour(rng))
    return _as_picture(canvas)


def sky(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A gradient of two to four colours with soft clouds, as floats; some with a flat skyline before it."""
    picture: NDArray[np.floating] = gradient(rng, height, width)
    if rng.random() < 0.5:
        coarse = rng.standard_normal((int(rng.integers(2, 7)), int(rng.integers(2, 7)), 1), dtype=np.float32)
        clouds = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
        picture = picture + clouds * rng.uniform(0, 0.12) * rng.uniform(0.5, 1, 3).astype(np.float32)
    if rng.random() < 0.3:
        mask = np.zeros((height, width), np.uint8)
        xs = np.sort(rng.integers(0, width, 8))
        tops = rng.integers(height // 2, height, 8)
        outline = np.array([[0, height], *zip(xs, tops, strict=True), [width, height]], np.int32)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA)
        share = (mask / np.float32(255))[..., None]
        picture = picture * (1 - share) + share * np.array(_colour(rng), np.float32) / np.float32(255)
    return np.asarray(np.clip(picture, 0, 1), np.float32)


def gradient(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A ramp through two to four colours along a random direction or from a centre, with full precision."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.7:
        angle = rng.uniform(0, 2 * np.pi)
        at = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    else:
        at = np.hypot(x - np.float32(rng.uniform(0, width)), y - np.float32(rng.uniform(0, height)))
    at = (at - at.min()) / max(float(np.ptp(at)), 1)
    stops = int(rng.integers(2, 5))
    colours = rng.uniform(0, 1, (stops, 3))
    if rng.random() < 0.6:  # of a narrow range
        colours = colours[:1] + (colours - colours[:1]) * rng.uniform(0.02, 0.4)
    positions = np.linspace(0, 1, stops)
    return np.stack([np.interp(at, positions, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def ramp(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A grey or coloured ramp along x of a narrow or a full range, as a clean sky of 16 bits has it."""
    low, high = np.sort(rng.uniform(0, 1, (2, 1 if rng.random() < 0.5 else 3)), 0)
    row = low + (high - low) * np.linspace(0, 1, width)[:, None]
    return np.broadcast_to(row, (height, width, 3)).astype(np.float32)


KINDS: dict[str, Draw] = {
    "page": page,
    "screen": screen,
    "line art": line_art,
    "diagram": diagram,
    "label": label,
    "shapes": shapes,
    "sky": sky,
    "ramp": ramp,
}
SHARES = (0.16, 0.17, 0.14, 0.12, 0.06, 0.14, 0.16, 0.05)


@dataclass(frozen=True)
class DrawnSet:
    """A benchmark without files: picture `number` is drawn from a generator seeded by (seed, number).

    Another release of OpenCV or Pillow may shape letters a little differently; a report names both.
    """

    draw: Draw
    """Draws a picture."""
    seed: int
    """Seed of the set."""
    bits: int = 8
    """Bits that its pictures are rounded to: 8 or 16."""

    def picture(self, number: int) -> NDArray[np.uint8 | np.uint16]:
        """(h, w, 3) of BENCHMARK_SIZE."""
        drawn = self.draw(np.random.default_rng((self.seed, number)), *BENCHMARK_SIZE)
        white, kind = (255, np.uint8) if self.bits == 8 else (65535, np.uint16)
        return np.rint(drawn.astype(np.float64) * white).astype(kind)


DRAWN_SETS = {  # of `hfpie eval --dataset`
    "screenshot": DrawnSet(screen, seed=1),
    "lineart": DrawnSet(line_art, seed=2),
    "ramp": DrawnSet(ramp, seed=3, bits=16),
    "diagram": DrawnSet(diagram, seed=4),
}


def _as_picture(canvas: Canvas) -> Picture:
    return canvas.astype(np.float32) / np.float32(255)


def _filled(height: int, width: int, colour: Colour) -> Canvas:
    return np.full((height, width, 3), colour, np.uint8)


def _colour(rng: np.random.Generator) -> Colour:
    """Any colour, a grey, or black or white."""
    kind = rng.random()
    if kind < 0.3:
        return (int(rng.integers(256)),) * 3
    if kind < 0.45:
        return (int(rng.integers(2)) * 255,) * 3
    return _rgb_of(rng.integers(0, 256, 3))


def _contrasting(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """(ground, ink): light and dark, the darker one the ink in three of four."""
    light = _rgb_of(255 - rng.integers(0, 50, 3) * (rng.random() < 0.6))
    dark = _rgb_of(rng.integers(0, 110, 3) * (rng.random() < 0.6))
    return (light, dark) if rng.random() < 0.75 else (dark, light)


def _paper(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """(ground, ink): white and black in seven of ten, else as `_contrasting` has them."""
    return ((255, 255, 255), (0, 0, 0)) if rng.random() < 0.7 else _contrasting(rng)


def _rgb_of(numbers: NDArray[np.integer]) -> Colour:
    red, green, blue = (int(n) for n in numbers)
    return red, green, blue


def _point(rng: np.random.Generator, height: int, width: int) -> tuple[int, int]:
    return int(rng.integers(width)), int(rng.integers(height))


def _points(rng: np.random.Generator, height: int, width: int, count: int) -> NDArray[np.int32]:
    """(count, 2) corners near each other or all over the picture."""
    reach = rng.uniform(0.1, 0.7)
    centre, spread = rng.uniform(0, 1, 2), rng.uniform(-reach, reach, (count, 2))
    return ((centre + spread) * (width, height)).astype(np.int32)


def _curve(points: NDArray[np.int32]) -> NDArray[np.int32]:
    """A Bezier curve over the points."""
    t = np.linspace(0, 1, 32)[:, None, None]
    level = np.broadcast_to(points.astype(np.float64), (32, *points.shape))
    while level.shape[1] > 1:
        level = level[:, :-1] * (1 - t) + level[:, 1:] * t
    return level[:, 0].astype(np.int32)


def _box(rng: np.random.Generator, height: int, width: int, smallest: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom), at least `smallest` on a side where the picture has that much."""
    w, h = (int(rng.integers(min(smallest, n - 1), n)) for n in (width, height))
    left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    return left, top, left + w, top + h


def _button(canvas: Canvas, rng: np.random.Generator, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    x, y = int(rng.integers(left, right)), int(rng.integers(top, bottom))
    w, h = int(rng.integers(8, 60)), int(rng.integers(8, 24))
    part = canvas[y : min(y + h, bottom), x : min(x + w, right)]
    ground, ink = _contrasting(rng)
    part[:] = _colour(rng) if rng.random() < 0.5 else ground
    write_text(canvas, rng, (x + 3, y + 1, min(x + w, right), min(y + h, bottom)), ink)
    cv2.rectangle(canvas, (x, y), (min(x + w, right) - 1, min(y + h, bottom) - 1), ink, 1)


def _hatch(canvas: Canvas, rng: np.random.Generator, ink: Colour) -> None:
    """Parallel lines over a box; horizontal and vertical ones end at whole pixels."""
    left, top, right, bottom = _box(rng, canvas.shape[0], canvas.shape[1], 16)
    period, thickness = int(rng.integers(2, 12)), int(rng.integers(1, 4))
    slope = int(rng.integers(-40, 41)) if rng.random() < 0.5 else 0
    part = canvas[top:bottom, left:right]
    part = part.transpose(1, 0, 2) if rng.random() < 0.5 else part
    lines = np.ascontiguousarray(part)
    for y in range(0, lines.shape[0], period + thickness):
        cv2.line(lines, (0, y), (lines.shape[1], y + slope), ink, thickness, cv2.LINE_AA)
    part[:] = lines
