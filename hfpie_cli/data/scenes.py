"""Groups pictures by scene, and holds some out so that no scene is both trained and scored on."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from ..photos.thumbnails import alike
from .listing import Entry

HELD_OUT = 40  # pictures of a training set that are held out for scoring
HELD_OUT_SHARE = 0.05  # share of a set for whole scenes of more pictures than that

Scenes = dict[str, list[str]]  # the names of each scene's pictures, in order, by a name of the scene


def scenes_by_name(names: Sequence[str]) -> Scenes:
    """Scenes of pairs: pictures of one folder, or without folders of one name apart from its last number."""
    scenes: Scenes = defaultdict(list)
    for name in names:
        scenes[scene_of(name)].append(name)
    return scenes


def scene_of(name: str) -> str:
    """Key of a picture's scene: its folder, or without one its name without the last number."""
    path = PurePath(name)
    return str(path.parent) if path.parent.name else _less_number(path.stem)[0] or path.stem


def scenes_by_look(entries: Sequence[Entry]) -> Scenes:
    """Scenes of photographs: frames of a clip, and bursts, each named after its first picture.

    Those are numbered pictures of one size in one folder, each of which looks like the one before. Any other photograph
    is its own scene: kodim01 to kodim24 are 24.
    """
    series: dict[tuple[str, str, int, int], list[tuple[int, str, Entry]]] = defaultdict(list)
    for entry in entries:
        path = PurePath(entry.name)
        stem, number = _less_number(path.stem)
        series[str(path.parent), stem, entry.height, entry.width].append((number, entry.name, entry))
    scenes: Scenes = {}
    for numbered in series.values():
        before: Entry | None = None
        for _, name, entry in sorted(numbered, key=lambda frame: frame[:2]):
            if before is None or not _alike(before, entry):
                scene = scenes[name] = []
            scene.append(name)
            before = entry
    return scenes


def hold_out(scenes: Scenes, count: int = HELD_OUT) -> tuple[frozenset[str], frozenset[str]]:
    """(the pictures to score on, those not to train on), a fixed choice: scenes whose hashed names come first.

    `count` pictures are scored on, at most a fifth of all. Whole scenes are not trained on, of as many pictures as are
    scored on, or of a twentieth of all if that is more. Where no scene is that small, the first pictures of the
    smallest one are held out.
    """
    pictures = sum(map(len, scenes.values()))
    wanted = min(count, _fifth(pictures))
    room = max(wanted, int(pictures * HELD_OUT_SHARE))
    names: list[str] = []
    chosen = 0
    for scene in sorted(scenes, key=hash_of):
        if chosen < wanted and len(names) + len(scenes[scene]) <= room:
            names += scenes[scene]
            chosen += 1
    if not names and scenes:
        names = min(scenes.values(), key=len)[:wanted]
    evenly = np.linspace(0, len(names), min(wanted, len(names)), endpoint=False).astype(int)
    return frozenset(names[number] for number in evenly), frozenset(names)


def _less_number(stem: str) -> tuple[str, int]:
    """(a name without its last number, that number or 0)."""
    found = re.fullmatch(r"(.*?)[\W_]*(\d+)", stem)
    return (found[1], int(found[2])) if found else (stem, 0)


def _alike(one: Entry, other: Entry) -> bool:
    return alike(*(np.frombuffer(bytes.fromhex(entry.look), np.uint8) for entry in (one, other)))


def _fifth(pictures: int) -> int:
    """A fifth of a number of pictures; at least one, but not all."""
    return min(max(pictures // 5, 1), pictures - 1) if pictures else 0


def hash_of(name: str) -> str:
    """The SHA-256 of a file name, or of lines of them, which need not be UTF-8: 64 hex digits."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
