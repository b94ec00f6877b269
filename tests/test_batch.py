"""Runs over folders: resuming, sharing work, and stopping."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli import Restorer
from hfpie_cli.batch import amount, forecast, run
from hfpie_cli.batch.journal import NAME, Entry, Journals, Stamp
from hfpie_cli.batch.pipeline import Crew, Pipeline, Settled
from hfpie_cli.cli import app
from hfpie_cli.errors import HfpieError
from hfpie_cli.files import TEMPORARY, atomic_path, sweep
from hfpie_cli.jobs import Job
from hfpie_cli.pace import covered_pixels
from hfpie_cli.photos.sizes import Size, read_size
from tests.conftest import run_twice, save_picture, smooth_picture

COMMAND = (sys.executable, "-m", "hfpie_cli", "denoise")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to be in, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def make_inputs(folder: Path, count: int, ending: str = ".png") -> None:
    for index in range(count):
        save_picture(folder / "in" / f"{index:03}{ending}", smooth_picture(index, (16, 24)))


def hfpie(*arguments, command="denoise"):
    return CliRunner().invoke(app, [command, *map(str, arguments), "--weights", "unit-test"])


def summary_of(result) -> dict[str, object]:
    return json.loads(result.stdout.splitlines()[-1])["summary"]


def times_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != NAME}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != NAME}


def journal_entry(name: str) -> Entry:
    return Entry(name, f"in/{name}", Stamp(1, 2), "", Stamp(3, 4), "1")


def test_resume_does_what_is_missing_changed_empty_or_unreadable(folder):
    make_inputs(folder, 6)
    assert hfpie("in", "-o", "out/").exit_code == 0
    whole, before = contents(folder / "out"), times_of(folder / "out")
    (folder / "out/000.png").unlink()
    (folder / "out/001.png").write_bytes(b"")
    (folder / "out/002.png").write_bytes(whole["002.png"][: len(whole["002.png"]) // 2])
    save_picture(folder / "in/003.png", smooth_picture(9, (16, 24)))
    result = hfpie("in", "-o", "out/", "--resume", "--json")
    assert result.exit_code == 0, result.stderr
    assert summary_of(result) == {
        "planned": 6,
        "done": 4,
        "unchanged": 0,
        "skipped": 2,
        "failed": 0,
        "failed_inputs": [],
    }
    again, after = contents(folder / "out"), times_of(folder / "out")
    assert {name for name in whole if again[name] != whole[name]} == {"003.png"}
    assert {name for name in whole if after[name] == before[name]} == {"004.png", "005.png"}
    assert "skipped 2 of 6: already done" in result.stderr


def test_resume_makes_anew_what_other_settings_or_weights_made(folder):
    make_inputs(folder, 3)
    hfpie("in", "-o", "out/")
    for options in (["--strength", "0.5"], ["--strength", "0.5", "--format", "webp"]):
        assert summary_of(hfpie("in", "-o", "out/", "--resume", "--json", *options))["done"] == 3
        assert summary_of(hfpie("in", "-o", "out/", "--resume", "--json", *options))["skipped"] == 3
    other = CliRunner().invoke(app, ["denoise", "in", "-o", "out/", "--resume", "--json"])
    assert summary_of(other)["done"] == 3


def test_resume_neither_replaces_strangers_nor_what_was_edited(folder):
    make_inputs(folder, 3)
    save_picture(folder / "out/001.png", smooth_picture(5))
    refused = hfpie("in", "-o", "out/", "--resume")
    assert refused.exit_code == 2
    assert "out/001.png: already exists, and no journal lists it as an hfpie output" in refused.stderr
    assert list(contents(folder / "out")) == ["001.png"]
    assert hfpie("in", "-o", "out/", "--resume", "--overwrite").exit_code == 0
    save_picture(folder / "out/002.png", smooth_picture(6))
    edited = contents(folder / "out")
    kept = hfpie("in", "-o", "out/", "--resume")
    assert "skipped 1 of 3: output was changed after" in kept.stderr
    assert contents(folder / "out") == edited
    assert summary_of(hfpie("in", "-o", "out/", "--resume", "--overwrite", "--json"))["done"] == 1


def test_a_folder_that_was_copied_or_moved_knows_what_is_done(folder):
    make_inputs(folder, 3)
    hfpie("in", "-o", "out/")
    (folder / "out").rename(folder / "moved")
    for path in (folder / "moved").iterdir():
        os.utime(path)
    assert summary_of(hfpie("in", "-o", "moved/", "--resume", "--json"))["skipped"] == 3


@pytest.mark.parametrize("ending", [".png", ".bmp"])
def test_nothing_is_restored_in_place_twice(folder, ending):
    """Not even where size and time tell nothing: uncompressed, with the times kept."""
    make_inputs(folder, 3, ending)
    before = contents(folder / "in")
    first = hfpie("in", "--in-place", "--keep-times")
    assert first.exit_code == 0, first.stderr
    once = contents(folder / "in")
    assert all(once[name] != before[name] for name in before)
    assert summary_of(hfpie("in", "--in-place", "--keep-times", "--resume", "--json"))["skipped"] == 3
    other = hfpie("in", "--in-place", "--resume", "--strength", "0.5")
    assert "skipped 3 of 3: already restored in place with other settings" in other.stderr
    assert contents(folder / "in") == once
    save_picture(folder / f"in/001{ending}", smooth_picture(8, (16, 24)))
    assert summary_of(hfpie("in", "--in-place", "--resume", "--json"))["done"] == 1


def test_resume_after_a_line_that_was_cut_off(folder):
    make_inputs(folder, 3)
    hfpie("in", "-o", "out/")
    last = json.loads((folder / "out" / NAME).read_text().splitlines()[-1])["target"]
    with (folder / "out" / NAME).open("rb+") as journal:
        journal.seek(-10, os.SEEK_END)
        journal.truncate()
    (folder / "out" / last).unlink()
    assert summary_of(hfpie("in", "-o", "out/", "--resume", "--json"))["done"] == 1
    assert summary_of(hfpie("in", "-o", "out/", "--resume", "--json"))["skipped"] == 3


def test_a_journal_reads_and_adds_lines_where_the_system_cannot_read_at_an_offset(folder, monkeypatch):
    monkeypatch.delattr(os, "pread", raising=False)  # which Windows lacks
    first, second = (journal_entry(name) for name in ("a.png", "b.png"))
    (folder / NAME).write_text(json.dumps(asdict(first))[:-9])  # cut off
    with closing(Journals(folder)) as journals:
        journal = journals.of(folder / "a.png")
        journal.add(first)
        journal.refresh()
        with (folder / NAME).open("a") as other:
            other.write(json.dumps(asdict(second)) + "\n")
        journal.add(replace(first, sha256="2"))
        journal.refresh()
        assert journal.find(folder / "a.png").sha256 == "2"
        assert journal.find(folder / "b.png") == second
    assert [line.count("target") for line in (folder / NAME).read_text().splitlines()] == [1, 1, 1, 1]


def test_failures_are_in_the_journal_and_are_tried_again(folder):
    make_inputs(folder, 2)
    (folder / "in/broken.png").write_text("text")
    assert hfpie("in", "-o", "out/").exit_code == 3
    lines = [json.loads(line) for line in (folder / "out" / NAME).read_text().splitlines()]
    assert [line["target"] for line in lines if line["error"]] == ["broken.png"]
    save_picture(folder / "in/broken.png", smooth_picture(0))
    assert summary_of(hfpie("in", "-o", "out/", "--resume", "--json"))["done"] == 1


def test_a_run_without_a_place_for_its_journal_goes_on(folder, monkeypatch):
    make_inputs(folder, 2)
    (folder / "cache").write_text("no folder")
    result = hfpie("in")
    assert result.exit_code == 0
    assert "cannot write the run's journal" in result.stderr
    refused = hfpie("in", "--resume")
    assert refused.exit_code == 2


def test_skip_existing_does_not_take_an_empty_file_for_done(folder):
    make_inputs(folder, 3)
    hfpie("in", "-o", "out/")
    (folder / "out/001.png").write_bytes(b"")
    assert summary_of(hfpie("in", "-o", "out/", "--skip-existing", "--json"))["done"] == 1
    assert (folder / "out/001.png").stat().st_size


def test_skip_existing_looks_again_before_each_file(folder, monkeypatch):
    make_inputs(folder, 3)
    from hfpie_cli.batch.selection import Selector

    enter = Selector.claim

    def others_work(self, job):
        if job.source.stem == "002":
            save_picture(folder / "out/002.png", smooth_picture(7))
        return enter(self, job)

    monkeypatch.setattr(Selector, "claim", others_work)
    assert summary_of(hfpie("in", "-o", "out/", "--skip-existing", "--json"))["skipped"] == 1
    assert np.array_equal(np.asarray(Image.open(folder / "out/002.png")), smooth_picture(7))


def test_two_processes_share_a_folder(folder):
    make_inputs(folder, 120)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*COMMAND, "in", "-o", "out/", "--resume", "--json", "--weights", "unit-test"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    outputs = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    sums = [json.loads(lines[-1])["summary"] for lines in outputs]
    assert [total["planned"] for total in sums] == [120, 120]
    assert sum(total["done"] for total in sums) == 120
    assert sum(total["skipped"] for total in sums) == 120
    hfpie("in", "-o", "alone/")
    assert contents(folder / "out") == contents(folder / "alone")


def test_ranks_of_torchrun_share_the_files(folder):
    make_inputs(folder, 7)
    (folder / "in/broken.png").write_text("text")
    command = ["-m", "hfpie_cli", "denoise", "in", "-o", "out/", "--json", "--weights", "unit-test"]
    done = run_twice(*command)
    assert "8 photographs: 7 denoised, 0 skipped, 1 failed" in done.stderr, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(record.get("status") == "done" for record in records) == 7
    assert [record["summary"]["planned"] for record in records if "summary" in record] == [8]
    (folder / "out/003.png").unlink()
    assert summary_of(hfpie("in", "-o", "out/", "--resume", "--json"))["skipped"] == 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_drops_what_is_under_way_and_says_how_to_go_on(folder, number, code):
    make_inputs(folder, 400)
    command = [*COMMAND, "in", "-o", "out/", "--json", "--weights", "unit-test"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = signal.signal(number, signal.SIG_DFL)  # background jobs and nohup ignore it, and so would the command
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    signal.signal(number, before)
    assert process.stdout.readline()
    process.send_signal(number)
    output, talk = process.communicate()
    assert process.returncode == code, talk
    total = json.loads(output.splitlines()[-1])["summary"]
    assert total["interrupted"]
    names = list(contents(folder / "out"))
    assert 0 < total["done"] <= len(names) < 400
    assert not [name for name in names if name.startswith(".")]
    assert f"400 photographs: {total['done']} denoised, 0 skipped, 0 failed, {400 - total['done']} to do" in talk
    assert "continue with the same command and --resume" in talk
    assert all(np.asarray(Image.open(folder / "out" / name)).any() for name in names)


def test_kills_leave_the_folder_of_an_uninterrupted_run(tmp_path):
    script = Path(__file__).with_name("kills.py")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, "--kills", "6"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kills" in done.stdout


def test_temporaries_of_the_dead_are_swept_and_those_of_the_living_are_not(folder):
    make_inputs(folder, 2)
    (folder / "out").mkdir()
    (folder / "out" / f"{TEMPORARY}dead.png").write_bytes(b"half")
    with atomic_path(folder / "out/mine.png") as living:
        living.write_bytes(b"half")
        assert hfpie("in", "-o", "out/").exit_code == 0
        assert living.exists()
        assert sweep([folder / "out"]) == 0
    assert sorted(contents(folder / "out")) == ["000.png", "001.png", "mine.png"]


def test_where_there_are_no_locks_no_file_is_open_when_it_gets_its_name(folder, monkeypatch):
    """As on Windows, which cannot rename open files."""
    for locks in (True, False):
        with monkeypatch.context() as patch:
            if not locks:
                patch.setattr("hfpie_cli.files._lock", lock_of_no_system)
            with atomic_path(folder / "a.png") as temporary:
                assert is_open(temporary) == locks
                temporary.write_bytes(b"whole")
        assert not is_open(folder / "a.png")
        assert [path.read_bytes() for path in folder.iterdir()] == [b"whole"]


def lock_of_no_system(handle):
    raise OSError(errno.ENOTSUP, "no locks")


def is_open(path: Path) -> bool:
    """Whether this process has the file open."""
    for handle in range(256):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return True
    return False


def test_a_dry_run_prints_the_plan_and_writes_nothing(folder):
    make_inputs(folder, 3)
    hfpie("in", "-o", "out/")
    (folder / "out/001.png").unlink()
    before = sorted(path for path in folder.rglob("*"))
    result = hfpie("in", "-o", "out/", "--resume", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "in/001.png -> out/001.png  0.00 MP" in result.stdout
    assert "in/000.png: skipped, already done" in result.stdout
    assert "1 photograph to restore, 0.00 MP, about 0 s on cpu" in result.stdout
    *_, last = map(json.loads, hfpie("in", "-o", "new/", "--dry-run", "--json").stdout.splitlines())
    assert (last["summary"]["planned"], last["summary"]["megapixels"]) == (3, 0.001)
    assert sorted(path for path in folder.rglob("*")) == before


def test_earlier_outputs_are_passed_over_with_an_output_folder_too(folder):
    make_inputs(folder, 2)
    hfpie("in")
    result = hfpie("in", "-o", "out/")
    assert sorted(contents(folder / "out")) == ["000.png", "001.png"]
    assert "skipped 2 files named like hfpie outputs" in result.stderr


def test_enlarging_in_place_needs_overwrite_too(folder, enlarger):
    make_inputs(folder, 1)
    before = contents(folder / "in")
    refused = CliRunner().invoke(app, ["sr", "in", "--in-place", "--weights", str(enlarger)])
    assert refused.exit_code == 2
    assert "add --overwrite to confirm" in refused.stderr
    assert contents(folder / "in") == before
    assert CliRunner().invoke(app, ["sr", "in", "--in-place", "--overwrite", "--weights", str(enlarger)]).exit_code == 0
    assert Image.open(folder / "in/000.png").size == (96, 64)


def test_in_place_stays_in_the_folder_unless_links_are_to_be_followed(folder):
    make_inputs(folder, 1)
    mine = save_picture(folder / "elsewhere/mine.png", smooth_picture(3, (16, 24)))
    (folder / "in/link.png").symlink_to(mine)
    before = mine.read_bytes()
    result = hfpie("in", "--in-place")
    assert "skipped 1 link to files outside the folder" in result.stderr
    refused = hfpie("in/link.png", "--in-place")
    assert refused.exit_code == 2
    assert mine.read_bytes() == before
    assert hfpie("in/link.png", "--in-place", "--follow-symlinks").exit_code == 0
    assert mine.read_bytes() != before
    assert (folder / "in/link.png").is_symlink()


def test_times_are_kept_on_demand(folder):
    make_inputs(folder, 2)
    for path in (folder / "in").iterdir():
        os.utime(path, (1e9, 1.1e9))
    hfpie("in", "-o", "new/")
    hfpie("in", "-o", "kept/", "--keep-times")
    assert all(time > 1.2e18 for time in times_of(folder / "new").values())
    assert set(times_of(folder / "kept").values()) == {1_100_000_000_000_000_000}


def test_claims_hold_between_processes_and_end_with_them(folder):
    target = folder / "out/a.png"
    target.parent.mkdir()
    code = "import sys; from pathlib import Path; from hfpie_cli.batch.journal import Journals\n"
    code += "journal = Journals(Path('out')).of(Path('out/a.png'))\n"
    code += "print(journal.claim(Path('out/a.png')), journal.claim(Path('out/b.png')), flush=True); sys.stdin.read()"
    journals = Journals(folder / "out")
    assert journals.of(target).claim(target)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "False True\n"
        assert not journals.of(target).claim(folder / "out/b.png")
        other.kill()
    assert journals.of(target).claim(folder / "out/b.png")
    journals.close()


def test_several_photographs_at_a_time_give_what_one_gives(folder, monkeypatch):
    make_inputs(folder, 12)
    hfpie("in", "-o", "one/")
    crews = []

    def choose(*given, choose_crew=run.choose_crew):
        crews.append(choose_crew(*given))
        return crews[-1]

    monkeypatch.setattr(run, "choose_crew", choose)
    before = torch.get_num_threads()
    try:
        assert hfpie("in", "-o", "two/", "--threads", "2").exit_code == 0
        assert (crews[0].workers, torch.get_num_threads()) == (2, 2)
    finally:
        torch.set_num_threads(before)
    assert contents(folder / "one") == contents(folder / "two")


def test_what_does_not_fit_in_the_memory_together_goes_one_by_one(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    restorer = Restorer.from_weights("unit-test", device="cpu")
    small, large = ([run.Amount(pixels)] * 20 for pixels in (1e6, 2e8))
    assert run.choose_crew(restorer, small) == Crew(1, 4, 2, 7)
    assert run.choose_crew(restorer, large) == Crew(1, 1, 2, 1)
    assert run.choose_crew(restorer, small[:1]) == Crew(1, 1, 1, 4)


def test_a_film_counts_as_the_one_frame_that_is_in_memory_and_gets_all_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    restorer = Restorer.from_weights("unit-test", device="cpu")

    def amount_of(size):
        return run.Amount(size.pixels, size)

    film, animation = (amount_of(Size(1080, 1920, 2, 5000, held)) for held in (1, 5000))
    photo, unknown = amount_of(Size(1000, 1000, 1)), run.Amount()
    assert run.choose_crew(restorer, [film]) == Crew(1, 1, 1, 4)
    assert run.choose_crew(restorer, [film, photo, photo, unknown]).workers == 2
    assert run.choose_crew(restorer, [film, photo, photo]) == Crew(1, 1, 2, 4)
    assert run.choose_crew(restorer, [film, film, film]) == Crew(1, 3, 2, 6)
    assert run.choose_crew(restorer, [film, animation]) == Crew(1, 1, 2, 1)
    assert run.choose_crew(restorer, [unknown] * 3 + [photo]).workers == 4


def pipeline(load, work, save, **crew):
    return Pipeline(load, work, save, Crew(**crew))


def test_stages_overlap_in_bounded_numbers_and_keep_the_order():
    under_way, most, lock = 0, 0, threading.Lock()

    def load(item):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        return item

    def save(item, worked):
        nonlocal under_way
        time.sleep(0.01)
        with lock:
            under_way -= 1
        return worked

    started = time.monotonic()
    stages = pipeline(load, lambda item, loaded: (time.sleep(0.01), loaded)[1], save, workers=2, in_flight=4)
    assert [result for _, result in stages.run(range(40))] == list(range(40))
    assert most <= 4
    assert time.monotonic() - started < 40 * 0.03
    assert not stages.lingers


def test_an_error_ends_the_way_of_its_item_alone():
    def work(item, loaded):
        if item == 1:
            raise HfpieError("broken")
        return loaded

    def load(item):
        return Settled("skipped") if item == 2 else item

    results = [result for _, result in pipeline(load, work, lambda item, worked: worked).run(range(4))]
    assert [str(result) for result in results] == ["0", "broken", "skipped", "3"]


def test_an_interrupt_in_a_thread_stops_the_run():
    def work(item, loaded):
        raise KeyboardInterrupt

    stages = pipeline(lambda item: item, work, lambda item, worked: worked, in_flight=2)
    with pytest.raises(KeyboardInterrupt):
        list(stages.run(range(9)))
    assert not stages.lingers


def save_animation(path: Path, pictures=None, *, duration=120) -> None:
    pictures = pictures or [smooth_picture(number, (24, 32)) for number in range(3)]
    images = [Image.fromarray(picture) for picture in pictures]
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0)


def test_animations_go_through_a_run_as_photographs_do(folder):
    make_inputs(folder, 2)
    save_animation(folder / "in/moving.gif")
    result = hfpie("in", "-o", "out/", "--json")
    assert result.exit_code == 0, result.stderr
    records = {Path(record["input"]).name: record for record in map(json.loads, result.stdout.splitlines()[:-1])}
    assert records["moving.gif"]["notes"] == ["3 frames"]
    assert records["moving.gif"]["tiles"] == 3
    with Image.open(folder / "out/moving.png") as image:
        assert image.n_frames == 3
        image.seek(1)
        assert image.info["duration"] == 120
    before = times_of(folder / "out")
    again = hfpie("in", "-o", "out/", "--resume", "--json")
    assert summary_of(again)["skipped"] == 3
    assert times_of(folder / "out") == before


def test_an_animation_for_a_format_without_frames_fails_alone(folder):
    make_inputs(folder, 1)
    save_animation(folder / "in/moving.webp")
    result = hfpie("in", "-o", "out/", "--format", "jpg")
    assert result.exit_code == 3
    assert "moving.webp: an animation of 3 frames, which JPEG cannot hold" in result.stderr
    assert [path.suffix for path in (folder / "out").glob("[!.]*")] == [".jpg"]


def test_all_frames_of_an_animation_count_for_the_limit(folder):
    save_animation(folder / "moving.gif")
    result = hfpie("moving.gif", "--max-pixels", "1000")
    assert result.exit_code == 1
    assert "moving.gif: 0.0 megapixels, more than the 0.001 that hfpie opens" in result.stderr
    assert hfpie("moving.gif", "--max-pixels", "3000").exit_code == 0


def test_files_that_need_nothing_are_counted_apart(tmp_path, monkeypatch, identity):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (30, 20), "gray").save(tmp_path / name)
    (tmp_path / "c.png").write_text("text")
    command = ["denoise", "a.png", "b.png", "c.png", "-o", "out/", "--weights", str(identity), "--json"]
    result = CliRunner().invoke(app, command)
    assert "3 photographs: 0 denoised, 2 unchanged, 0 skipped, 1 failed\n" in result.stderr
    *records, last = map(json.loads, result.stdout.splitlines())
    assert [record.get("changed") for record in records] == [False, False, None]
    assert (last["summary"]["done"], last["summary"]["unchanged"]) == (2, 2)


def test_heads_are_read_once_and_tell_what_tiles_cover(folder, identity, monkeypatch):
    make_inputs(folder, 5)
    read = []
    monkeypatch.setattr(amount, "read_size", lambda path: read.append(path.name) or read_size(path))
    assert hfpie("in", "-o", "out/", "--no-frames").exit_code == 0
    assert sorted(read) == [f"{index:03}.png" for index in range(5)]
    jobs = [Job(path, None, None) for path in sorted((folder / "in").iterdir())]
    restorer = Restorer.from_weights(identity, tile=16, overlap=8)
    each = covered_pixels(restorer, 16, 24)
    assert each == 2 * 16 * 16
    for heads in (5, 2):  # two heads alone tell the rest
        amounts = amount.measure_amounts(jobs, heads=heads)
        assert sum(one.size is not None for one in amounts) == heads
        assert amount.covered_by(restorer, amounts) == pytest.approx(5 * each, rel=0.2)


def test_a_dry_run_names_files_whose_names_are_not_utf_8(folder):
    make_inputs(folder, 1)
    (folder / "in/000.png").rename(folder / "in" / os.fsdecode(b"a\xff.png"))
    command = [*COMMAND, "in", "-o", "out/", "--dry-run", "--weights", "unit-test"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert rb"a\udcff.png -> out/a\udcff.png" in done.stdout


def test_a_dry_run_counts_overlaps_and_names_what_cannot_be_read(folder, monkeypatch):
    make_inputs(folder, 2)
    (folder / "in/text.png").write_text("text")
    (folder / "in/empty.png").write_bytes(b"")
    os.mkfifo(folder / "in/pipe.png")
    paces = []
    monkeypatch.setattr(forecast, "measure_pace", lambda restorer, rng, **_: paces.append(restorer) or 1e-3)
    before = sorted(folder.rglob("*"))
    result = hfpie("in", "-o", "out/", "--dry-run", "--tile", "16", "--overlap", "8")
    assert result.exit_code == 3, result.stderr  # as the run would end
    covered = 2 * covered_pixels(paces[0], 16, 24)
    assert covered > 2 * 16 * 24
    *_, last = result.stdout.splitlines()
    assert last.startswith(f"2 photographs to restore, 0.00 MP, about {covered / 1000:.0f} s on cpu ")
    assert last.endswith(", 3 cannot be read")
    for told in ("in/text.png: not a photograph", "in/empty.png: the file is empty", "in/pipe.png: is a pipe"):
        assert told in result.stdout
        assert f"{told.partition(':')[0]} ->" not in result.stdout
    *records, last = map(json.loads, hfpie("in", "-o", "out/", "--dry-run", "--json").stdout.splitlines())
    assert [record["status"] for record in records] == ["planned", "planned", "failed", "failed", "failed"]
    assert (last["summary"]["planned"], last["summary"]["failed"]) == (5, 3)
    assert hfpie("in/empty.png", "--dry-run").exit_code == 1
    assert hfpie("in/000.png", "--dry-run").exit_code == 0
    assert sorted(folder.rglob("*")) == before


def test_inputs_with_a_colon_in_their_names_are_named_whole(folder):
    """One that no job can be made of, one that cannot be read, one that is restored."""
    make_inputs(folder, 1)
    names = ["in/10:30:05.png", "gone/a:b.png", "in/000.png"]
    (folder / names[0]).write_text("text")
    unread, loop, good = names
    (folder / "gone").mkdir()
    (folder / loop).symlink_to(folder / loop)
    for more in (["--dry-run"], []):
        result = hfpie(*names, "-o", "out/", "--json", *more)
        assert result.exit_code == 3, result.stderr
        *records, last = map(json.loads, result.stdout.splitlines())
        found = {record["input"]: record["status"] for record in records}
        assert found == {unread: "failed", loop: "failed", good: "planned" if more else "done"}
        assert (last["summary"]["failed"], last["summary"]["planned"]) == (2, 3)
    assert sorted(last["summary"]["failed_inputs"]) == sorted([unread, loop])
    lines = [json.loads(line) for line in (folder / "out" / NAME).read_text().splitlines()]
    failed = {line["source"]: bool(line["error"]) for line in lines}
    assert (failed[str(folder / unread)], failed[str(folder / good)]) == (True, False)
