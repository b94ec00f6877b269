"""Properties for any input: tile plans, windows, turns, names of outputs, damaged files in the readers."""

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from hfpie_cli.errors import HfpieError
from hfpie_cli.jobs import Naming
from hfpie_cli.photos import exif
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Photo
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.writer import encode_photo
from hfpie_cli.plan import plan_jobs
from hfpie_cli.tensors import ALL_TURNS
from hfpie_cli.tiling import plan_axis

settings.register_profile("hfpie", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("hfpie")

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
STEMS = st.text("abé _.-", min_size=1, max_size=6).filter(lambda stem: stem.strip(". ") == stem)
FILE_NAMES = st.builds("{}{}".format, STEMS, st.sampled_from([".png", ".jpg", ".PNG", ".tif", "_denoised.png"]))


@st.composite
def axes(draw):
    """(plan, overlap, stride) of a side."""
    stride = draw(st.sampled_from([1, 4, 8]))
    tile = draw(st.integers(2 * stride, 64))
    overlap = draw(st.integers(0, tile // stride // 2 * stride))
    assume(2 * -(-overlap // stride) <= tile // stride)
    return plan_axis(draw(st.integers(1, 400)), tile=tile, overlap=overlap, stride=stride), tile, overlap, stride


@given(axes())
def test_tiles_cover_a_side_and_overlap_as_asked(case):
    axis, tile, overlap, stride = case
    assert axis.tile <= tile
    assert all(number % stride == 0 for number in (axis.tile, *axis.starts))
    assert axis.starts[0] == 0
    assert axis.length <= axis.starts[-1] + axis.tile < axis.length + stride
    assert all(0 < b - a <= axis.tile - overlap for a, b in zip(axis.starts, axis.starts[1:], strict=False))


@given(axes(), st.sampled_from([1, 2, 4]))
def test_windows_are_positive_and_add_up_to_one(case, scale):
    axis = case[0]
    windows, total = axis.windows(scale), torch.zeros((axis.starts[-1] + axis.tile) * scale)
    for start, window in zip(axis.starts, windows, strict=True):
        total[start * scale : start * scale + len(window)] += window
    assert windows.min() >= 0
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)


@given(st.sampled_from(ALL_TURNS), st.integers(1, 5), st.integers(1, 5))
def test_every_turn_can_be_undone(turn, height, width):
    picture = torch.arange(3.0 * height * width).reshape(1, 3, height, width)
    assert torch.equal(turn.undo(turn.apply(picture)), picture)


def test_turns_are_all_different():
    picture = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert len({tuple(turn.apply(picture).flatten().tolist()) for turn in ALL_TURNS}) == 8


@given(
    st.lists(FILE_NAMES, min_size=1, max_size=6, unique_by=str.lower), st.booleans(), st.sampled_from([None, "out/"])
)
def test_no_two_outputs_and_no_input_share_a_name(names, in_place, output):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in names]
        for path in paths:
            path.touch()
        named = None if in_place or output is None else f"{folder}/{output}"
        try:
            jobs = plan_jobs([str(path) for path in paths], Naming("_denoised", named, in_place=in_place)).jobs
        except HfpieError:
            return
        targets = [job.target for job in jobs]
        assert len(set(targets)) == len(targets) == len(paths)
        assert in_place or not set(targets) & set(paths)


def photo_file(form: str) -> bytes:
    """A small file with the metadata that its format holds."""
    description = Image.Exif()
    description[exif.ORIENTATION], description[271] = 6, "maker"
    options: dict[str, dict[str, Any]] = {
        "PNG": {"exif": description, "dpi": (72, 72)},
        "JPEG": {"exif": description, "quality": 90},
        "PPM": {},
    }
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, **options[form])
    return buffer.getvalue()


def damaged(data: bytes, changes: list[tuple[int, int]], length: int) -> bytes:
    changed = bytearray(data)
    for place, value in changes:
        changed[place % len(changed)] = value
    return bytes(changed[: max(length % (2 * len(data)), 1)])  # half of them whole


CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "PPM"])
@given(changes=CHANGES, length=st.integers(0, 10**6))
def test_a_damaged_file_is_read_or_refused_by_name(form, changes, length):
    refusal, photo = None, None
    try:
        photo = read_photo(damaged(photo_file(form), changes, length), "the name")
    except HfpieError as error:
        refusal = error.message
    if photo is None:
        assert refusal.startswith("the name: ")
        assert "\n" not in refusal
    else:
        assert photo.pixels.ndim == 3
        assert exif.orientation(photo.metadata.exif) == 1


@given(st.binary(max_size=80), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_exif_block_has_an_orientation_and_can_be_made_upright(tail, head):
    block = head + tail
    assert exif.orientation(block) in range(1, 9)
    assert exif.orientation(exif.upright(block)) == 1


@given(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.sampled_from(["uint8", "uint16"]), st.booleans()
)
def test_what_png_writes_it_reads(height, width, channels, kind, transparent):
    rng = np.random.default_rng(height * width)
    samples = rng.integers(0, np.iinfo(kind).max, (height, width, channels + 1), endpoint=True).astype(kind)
    photo = Photo(samples[..., :-1].copy(), samples[..., -1].copy() if transparent else None)
    read = read_photo(encode_photo(photo, OutputStyle(), name="memory"))
    assert np.array_equal(read.pixels[..., :channels], photo.pixels)
    assert photo.alpha is None or np.array_equal(read.alpha, photo.alpha)
