"""Video frames: shots are found, and their frames share averages."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli import Restorer
from hfpie_cli.batch.frames import find_shots, folder_sequences, numbered_sequences
from hfpie_cli.batch.journal import NAME
from hfpie_cli.cli import app
from hfpie_cli.jobs import Job
from hfpie_cli.photos.photo import Photo
from tests.conftest import make_checkpoint, save_picture, smooth_picture

EXAMPLE = Path(__file__).parent.parent / "examples/chelsea.png"
SIDE, STEP = 64, 1  # pixels of a frame, and by which the camera moves from one to the next


def pan(seed: int, count: int) -> list[np.ndarray]:
    """A camera that moves to the right over a still picture, darker there."""
    scene = smooth_picture(seed, (SIDE, SIDE + STEP * 24)).astype(np.float32)
    scene *= np.linspace(1, 0.3, scene.shape[1])[:, None]
    return [scene.astype(np.uint8)[:, STEP * i : STEP * i + SIDE] for i in range(count)]


def save_frames(folder, pictures, name="shot{:02}.png"):
    return [save_picture(folder / name.format(number), picture) for number, picture in enumerate(pictures, 1)]


def jobs_of(folder):
    return [Job(path, None, None) for path in sorted(folder.iterdir())]


def names(shots):
    return [[job.source.name for job in shot] for shot in shots]


def test_shared_averages_take_the_flicker_out_of_a_moving_picture():
    """What two frames show of the same place, far from their borders, differs by the averages alone."""
    restorer = Restorer.from_weights("compact.sr-x4-gan", precision="fp32")
    picture = np.asarray(Image.open(EXAMPLE).convert("RGB"))
    frames = [Photo(picture[:144, left : left + 144]) for left in (0, 16)]
    shared = restorer.share(frames)
    alone = [restorer.restore(frame).photo.pixels.astype(float) for frame in frames]
    together = [restorer.restore(frame, shared=shared).photo.pixels.astype(float) for frame in frames]

    def flicker(pair):
        return np.abs(pair[0][192:-192, 256:-192] - pair[1][192:-192, 192:-256]).mean()

    assert flicker(together) < flicker(alone) / 3


def test_frames_of_a_shot_are_never_left_as_they_were(tmp_path, identity):
    restorer = Restorer.from_weights(identity)
    photos = [Photo(frame) for frame in pan(0, 2)]
    assert not restorer.restore(photos[0]).changed
    assert restorer.restore(photos[0], shared=restorer.share(photos)).changed


def test_numbered_files_that_look_alike_are_shots(tmp_path):
    save_frames(tmp_path, [*pan(0, 4), *pan(1, 3)])
    shots = find_shots(numbered_sequences(jobs_of(tmp_path)))
    assert names(shots) == [[f"shot{i:02}.png" for i in (1, 2, 3, 4)], [f"shot{i:02}.png" for i in (5, 6, 7)]]


def test_photographs_and_gaps_are_no_shots(tmp_path, monkeypatch):
    frames = pan(0, 6)
    save_frames(tmp_path / "photographs", [smooth_picture(seed) for seed in range(5)], "IMG_{:04}.png")
    save_frames(tmp_path / "two", frames[:2])
    for number in (1, 2, 4, 5, 7):
        save_picture(tmp_path / "gaps" / f"{number}.png", frames[0])
    save_frames(tmp_path / "sizes", [frames[0], frames[1][:32], frames[2]])
    broken = save_frames(tmp_path / "broken", frames)[2]
    broken.write_text("text")
    for folder in ("photographs", "two", "gaps", "sizes"):
        assert find_shots(numbered_sequences(jobs_of(tmp_path / folder))) == [], folder
    assert [len(shot) for shot in find_shots(numbered_sequences(jobs_of(broken.parent)))] == [2, 3]
    monkeypatch.setattr("hfpie_cli.batch.frames.LARGEST", SIDE * SIDE - 1)
    assert numbered_sequences(jobs_of(broken.parent)) == []


def test_all_files_of_a_folder_are_frames_on_demand(tmp_path):
    for name, picture in zip(("a1", "a2", "a10", "b"), [*pan(0, 3), smooth_picture(9)], strict=True):
        save_picture(tmp_path / f"{name}.png", picture)
    sequences = folder_sequences(jobs_of(tmp_path))
    assert names(sequences) == [["a1.png", "a2.png", "a10.png", "b.png"]]
    assert names(find_shots(sequences)) == [["a1.png", "a2.png", "a10.png"]]


@pytest.fixture
def strong(tmp_path, monkeypatch):
    """A network that attends to averages, and a folder with a shot of 6 frames."""
    monkeypatch.chdir(tmp_path)
    save_frames(tmp_path / "in", pan(0, 6))
    return make_checkpoint(tmp_path / "strong.safetensors", unshuffle=2)


def run(weights, *arguments):
    return CliRunner().invoke(app, ["denoise", *arguments, "--weights", str(weights)])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != NAME}


def test_the_command_shares_averages_by_itself_and_resumes_with_the_same(tmp_path, strong):
    result = run(strong, "in", "-o", "out/")
    assert "6 frames in 1 shot, " in result.stderr
    assert "frames" not in run(strong, "in", "-o", "alone/", "--no-frames").stderr
    whole, alone = contents(tmp_path / "out"), contents(tmp_path / "alone")
    assert all(
        whole[name] != alone[name] for name in ("shot01.png", "shot06.png")
    )  # the averages of the ends differ most
    for name in ("shot02.png", "shot05.png"):
        (tmp_path / "out" / name).unlink()
    again = run(strong, "in", "-o", "out/", "--resume", "--json")
    assert json.loads(again.stdout.splitlines()[-1])["summary"]["done"] == 2
    assert contents(tmp_path / "out") == whole


def test_frames_and_in_place_do_not_go_together(tmp_path, strong):
    refused = run(strong, "in", "--in-place", "--frames")
    assert refused.exit_code == 2
    shutil.copytree(tmp_path / "in", tmp_path / "alone")
    assert run(strong, "in", "--in-place").exit_code == 0
    assert run(strong, "alone", "--in-place", "--no-frames").exit_code == 0
    assert contents(tmp_path / "in") == contents(tmp_path / "alone")
    assert Image.open(tmp_path / "in/shot01.png").size == (SIDE, SIDE)
