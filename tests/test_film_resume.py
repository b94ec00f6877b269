"""Stopped films continue where they were, with the result of an uninterrupted run."""

import gc
import resource
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hfpie_cli.batch.frames import Averages
from hfpie_cli.errors import HfpieError
from hfpie_cli.files import TEMPORARY, UNFINISHED, sweep, unfinished_path
from hfpie_cli.photos import film_encode
from hfpie_cli.photos.film_encode import decoding_times
from hfpie_cli.photos.film_parts import HEAD, Kept
from hfpie_cli.photos.formats import OutputStyle

from .test_film import KINDS, TIMES, make_film, opened, pictures, run, sound_of, told
from .test_run_faults import room_for

av = pytest.importorskip("av", reason="needs the extra video")


HEAD_SIZE = len(HEAD) + 32


def decoded(path: Path) -> list[tuple[int, bytes]]:
    """Each frame as it is stored, and when it is shown."""
    with av.open(str(path)) as container:
        return [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def difference(one: Path, other: Path) -> float:
    """The mean difference of the pixels, where full scale is 1."""
    frames = zip(opened(one).pictures(), opened(other).pictures(), strict=True)
    return float(np.mean([np.abs(a.pixels.astype(float) - b.pixels).mean() for a, b in frames]) / 65535)


def encoded(source: Path, target: Path, *, resume=False, origin="1", stop=None, quality=95) -> int:
    """How many frames were kept of a film that is written again; stop: number of the frame before which it is left."""
    film = opened(source)
    encoding = film.encoding(OutputStyle(None, quality), 1, Kept(target, origin, resume), None)
    done = encoding.done
    with closing(encoding):
        for frame in islice(film.pictures(done), None if stop is None else max(stop - done, 0)):
            encoding.add(frame)
        if stop is None:
            encoding.finish()
            with target.open("w+b") as file:
                encoding.join(file)
            encoding.parts.discard()
    return done


def memory() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(TEMPORARY)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_that_was_stopped_is_the_same_in_the_end(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(film_encode, "SEGMENT", 3)
    name, codec, pixels, tags, sound = KINDS[kind]
    source = make_film(tmp_path / name, codec, pixels, tags=tags, sound=sound)
    whole, target = tmp_path / f"whole-{name}", tmp_path / f"out-{name}"
    assert encoded(source, whole) == 0
    assert encoded(source, target, stop=5) == 0
    assert encoded(source, target, resume=True, stop=8) == 3
    assert encoded(source, target, resume=True) == 6
    if codec == "libx264":  # which does not always encode the same frames alike
        assert difference(target, whole) < 0.01
    else:
        assert decoded(target) == decoded(whole)
    assert told(target) == told(whole) == told(source)
    assert told(target)["times"] == [time / 1000 for time in TIMES]
    if sound:
        assert sound_of(target) == sound_of(source)
    assert not leftovers(tmp_path)


def test_films_whose_frames_end_with_a_segment_go_on_too(tmp_path, monkeypatch):
    monkeypatch.setattr(film_encode, "SEGMENT", 4)
    source, target = make_film(tmp_path / "x.mkv", "libx264", "yuv420p"), tmp_path / "y.mkv"
    encoded(source, target, stop=len(TIMES))
    assert encoded(source, target, resume=True) == 4
    assert len(decoded(target)) == len(TIMES)


def test_other_settings_or_another_film_start_anew_and_so_does_a_run_without_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(film_encode, "SEGMENT", 2)
    source, target = make_film(tmp_path / "x.mkv", "libx264", "yuv420p"), tmp_path / "y.mkv"

    def stopped() -> None:
        encoded(source, target, stop=7)
        assert leftovers(tmp_path)

    stopped()
    assert encoded(source, target, resume=True, origin="2", stop=0) == 0
    stopped()
    assert encoded(source, target, resume=True, quality=90, stop=0) == 0
    stopped()
    assert encoded(source, target, stop=0) == 0
    stopped()
    monkeypatch.setattr(film_encode, "SEGMENT", 3)
    assert encoded(source, target, resume=True, stop=0) == 0


def test_damage_costs_the_segments_behind_it_alone(tmp_path, monkeypatch, rng):
    monkeypatch.setattr(film_encode, "SEGMENT", 2)
    source, target = make_film(tmp_path / "x.mkv", "libx264", "yuv420p"), tmp_path / "y.mkv"
    encoded(source, target, stop=7)
    kept = unfinished_path(target)
    whole = kept.read_bytes()
    for place in rng.integers(HEAD_SIZE, len(whole), 40):
        kept.write_bytes(whole[:place])
        cut = encoded(source, target, resume=True, stop=0)
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        kept.write_bytes(bytes(flipped))
        assert encoded(source, target, resume=True, stop=0) == cut
        assert cut in (0, 2, 4, 6)
    kept.write_bytes(whole)
    assert encoded(source, target, resume=True, stop=0) == 6
    kept.write_bytes(b"nonsense")
    assert encoded(source, target, resume=True, stop=0) == 0


def test_a_sweep_leaves_unfinished_films_and_two_processes_do_not_write_one(tmp_path):
    target = tmp_path / ("n" * 247 + ".mkv")
    source = make_film(tmp_path / "x.mkv", "ffv1", "yuv420p")
    film = opened(source)
    kept = Kept(target, "", resume=True)
    with (
        closing(film.encoding(OutputStyle(), 1, kept, None)),
        pytest.raises(HfpieError, match="another process is writing it"),
    ):
        film.encoding(OutputStyle(), 1, kept, None)
    assert sweep([tmp_path]) == 0
    assert leftovers(tmp_path) == [unfinished_path(target).name]


def test_encoders_of_segments_do_not_pile_up(tmp_path, monkeypatch):
    monkeypatch.setattr(film_encode, "SEGMENT", 1)
    source = make_film(tmp_path / "x.mkv", "libx264", "yuv420p", size=(480, 640), times=range(4))
    film = opened(source)
    encoding, frame, taken = film.encoding(OutputStyle(), 1, None, None), film.first, []
    gc.disable()
    try:
        with closing(encoding):
            for number in range(40):
                encoding.add(replace(frame, time=40 * number))
                taken.append(memory())
    finally:
        gc.enable()
    assert taken[-1] - taken[9] < 100e6


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 30, 10, 20], [-10, 0, 10, 20]),
        ([5, 40, 20, 10, 30, 50, 90, 70], [-10, -5, 5, 10, 20, 30, 40, 50]),
    ],
)
def test_frames_are_decoded_in_order_and_not_after_they_are_shown(times, expected):
    found = decoding_times(times)
    assert found == expected
    assert all(early <= shown for early, shown in zip(found, times, strict=True))
    assert sorted(set(found)) == found


class Measuring:
    """Stands for a Restorer: what frames share is what they look like."""

    def __init__(self):
        self.shots = 0

    def share(self, frames):
        self.shots += 1
        return tuple(frame.pixels.tobytes() for frame in frames)


@pytest.mark.parametrize("start", range(13))
def test_averages_are_those_of_the_whole_shot_wherever_a_film_goes_on(tmp_path, start):
    views = [*pictures(5), *(255 - picture for picture in pictures(1)), *pictures(6)]  # two shots, and a flash
    source = tmp_path / "x.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.codec_context.width, stream.codec_context.height = views[0].shape[1::-1]
        stream.codec_context.pix_fmt = "yuv444p"
        views = [view[: views[0].shape[0], :64] for view in views]
        for view in views:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(view), "rgb24")))
        container.mux(stream.encode())
    film, measuring = opened(source), Measuring()
    whole = list(Averages(Measuring(), []).within(film.pictures))
    rest = list(Averages(measuring, []).within(film.pictures, start))
    assert rest == whole[start:]
    assert len(set(whole)) == 3
    assert measuring.shots == (2 if start < 5 else 1 if start < 12 else 0)


STOPPED = """
import os, sys, time
from hfpie_cli.cli import main
from hfpie_cli.photos.film_parts import Parts

def seal_and_stop(parts, frames, seal=Parts.seal, number=int(sys.argv.pop())):
    seal(parts, frames)
    os.kill(os.getpid(), number)
    time.sleep(1)

Parts.seal = seal_and_stop
main()
"""


def test_commands_go_on_that_were_stopped(tmp_path):
    source = make_film(tmp_path / "x.mp4", "libx264", "yuv420p", sound="aac", times=range(0, 3000, 20))
    target, whole = tmp_path / "out.mp4", tmp_path / "whole.mp4"
    options = ("--quality", "100")  # without loss, so that x264 always encodes alike
    for number in (signal.SIGTERM, signal.SIGKILL):
        command = [sys.executable, "-c", STOPPED, "denoise", source, "-o", target, *options, "--resume"]
        command += ["--weights", "unit-test", int(number)]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == (143 if number == signal.SIGTERM else -number)
        assert ("continue with the same command and --resume" in done.stderr) == (number == signal.SIGTERM)
        assert leftovers(tmp_path) == [unfinished_path(target).name]
    result = run("denoise", source, "-o", target, *options, "--resume")
    assert result.exit_code == 0, result.stderr
    assert f"{2 * film_encode.SEGMENT} frames restored by an earlier run" in result.stderr
    assert run("denoise", source, "-o", whole, *options).exit_code == 0
    assert decoded(target) == decoded(whole)
    assert sound_of(target) == sound_of(source)
    assert not leftovers(tmp_path)
    unfinished_path(target).touch()  # as a run that is killed between its last two steps leaves it
    again = run("denoise", source, "-o", target, *options, "--resume")
    assert "already done" in again.stderr
    assert not leftovers(tmp_path)
    assert run("denoise", source, "-o", target, *options).exit_code == 2


def test_a_full_disk_is_told_and_costs_the_last_segment_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(film_encode, "SEGMENT", 5)
    source = make_film(tmp_path / "x.mkv", "ffv1", "yuv420p", times=range(0, 1000, 20))
    target, whole = tmp_path / "out.mkv", tmp_path / "whole.mkv"
    assert run("denoise", source, "-o", whole).exit_code == 0
    with room_for(whole.stat().st_size // 2):
        full = run("denoise", source, "-o", target)
    assert full.exit_code == 1
    assert "out.mkv: cannot be written (File too large)" in full.stderr
    assert not target.exists()
    kept = unfinished_path(target).stat().st_size
    result = run("denoise", source, "-o", target, "--resume")
    assert "frames restored by an earlier run" in result.stderr
    assert kept > whole.stat().st_size // 4
    assert decoded(target) == decoded(whole)


def test_nothing_is_kept_of_a_film_that_breaks_off(tmp_path):
    source = make_film(tmp_path / "x.mkv", "libx264", "yuv420p", times=range(0, 8000, 80))
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    result = run("denoise", source, "-o", tmp_path / "out.mkv", "--no-frames")
    assert result.exit_code == 1
    assert "x.mkv: " in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.mkv"]
    assert UNFINISHED not in result.stderr
