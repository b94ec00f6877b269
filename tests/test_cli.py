"""The command line, end to end: names, outputs, exit codes, and that no file is lost."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli import cli
from hfpie_cli.batch.journal import NAME
from hfpie_cli.cli import app

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(path: Path, pixels=PICTURE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def load(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def names_in(folder: Path) -> list[str]:
    """What lies in it, without the hidden journal."""
    return sorted(path.name for path in folder.iterdir() if path.name != NAME)


@pytest.fixture
def hfpie(tmp_path, monkeypatch, identity):
    """Run a command in an empty folder with a network that changes nothing."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, weights=identity, **options):
        named = [] if weights is None else ["--weights", str(weights)]
        return CliRunner().invoke(app, [*map(str, arguments), *named], **options)

    return run


def test_one_photograph_goes_beside_itself(hfpie, tmp_path):
    before = save(tmp_path / "photo.png").read_bytes()
    result = hfpie("denoise", "photo.png")
    assert result.exit_code == 0, result.stderr
    assert np.array_equal(load(tmp_path / "photo_denoised.png"), PICTURE)
    assert (tmp_path / "photo.png").read_bytes() == before
    assert result.stdout == ""
    assert "photo.png -> photo_denoised.png  30 x 20" in result.stderr


@pytest.mark.parametrize(
    ("command", "name"),
    [(["deblur"], "a_deblurred.jpg"), (["sr"], "a_x4.jpg"), (["sr", "--scale", "2"], "a_x2.jpg")],
)
def test_each_command_has_its_name_and_its_size(hfpie, tmp_path, identity, enlarger, command, name):
    save(tmp_path / "a.jpg")
    result = hfpie(*command, "a.jpg", weights=enlarger if command[0] == "sr" else identity)
    assert result.exit_code == 0, result.stderr
    times = int(name[3]) if "_x" in name else 1
    assert load(tmp_path / name).shape == (20 * times, 30 * times, 3)
    assert Image.open(tmp_path / name).layer[0][1:3] == (1, 1)  # chroma is not subsampled


def test_one_by_one_pixel_in_every_command(hfpie, tmp_path, identity, enlarger):
    for size in ((1, 1), (3, 5)):
        save(tmp_path / "dot.png", np.full((*size, 3), 9, np.uint8))
        for command in ("denoise", "deblur", "sr"):
            weights = enlarger if command == "sr" else identity
            result = hfpie(command, "dot.png", "-o", "out.png", "--overwrite", weights=weights)
            assert result.exit_code == 0, result.stderr
            assert (load(tmp_path / "out.png") == 9).all()


def test_a_folder_goes_to_a_folder(hfpie, tmp_path):
    for name in ("a.png", "b.JPG", "deep/c.png", ".hidden.png", "notes.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"") if name == "notes.txt" else save(tmp_path / "in" / name)
    assert hfpie("denoise", "-i", "in/", "-o", "out/").exit_code == 0
    assert names_in(tmp_path / "out") == ["a.png", "b.JPG"]
    assert hfpie("denoise", "in", "-r", "-o", "in/out", "--format", "png").exit_code == 0
    assert hfpie("denoise", "in", "-r", "-o", "in/out", "--format", "png", "--overwrite").exit_code == 0
    found = sorted(str(p.relative_to(tmp_path / "in/out")) for p in (tmp_path / "in/out").rglob("[!.]*.*"))
    assert found == ["a.png", "b.png", "deep/c.png"]


def test_a_folder_run_passes_over_its_own_outputs(hfpie, tmp_path):
    save(tmp_path / "in/a.png")
    save(tmp_path / "in/not_denoised.png")
    assert hfpie("denoise", "in").exit_code == 0
    again = hfpie("denoise", "in", "--overwrite")
    assert again.exit_code == 0
    assert "skipped 2 files named like hfpie outputs" in again.stderr
    names = sorted(p.name for p in (tmp_path / "in").iterdir())
    assert names == ["a.png", "a_denoised.png", "not_denoised.png", "not_denoised_denoised.png"]


def test_one_bad_file_does_not_stop_the_rest(hfpie, tmp_path):
    save(tmp_path / "in/a.png")
    save(tmp_path / "in/c.png")
    (tmp_path / "in/b.png").write_text("just text")
    result = hfpie("denoise", "in", "-o", "out", "--json")
    assert result.exit_code == 3
    assert names_in(tmp_path / "out") == ["a.png", "c.png"]
    assert result.stderr.count("not a photograph") == 1
    *records, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(r["input"]).name for r in records] == ["a.png", "b.png", "c.png"]
    assert [r["status"] for r in records] == ["done", "failed", "done"]
    counts = {"planned": 3, "done": 2, "unchanged": 2, "skipped": 0, "failed": 1}
    assert last["summary"] == {**counts, "failed_inputs": ["in/b.png"]}
    assert "3 photographs: 0 denoised, 2 unchanged, 0 skipped, 1 failed\nfailed: in/b.png\n" in result.stderr
    assert "error" in records[1]
    assert (records[0]["width"], records[0]["height"], records[0]["tile_halved"]) == (30, 20, False)


def test_nothing_is_overwritten_unasked(hfpie, tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", PICTURE[::-1])
    for arguments, word in [
        (["a.png", "-o", "b.png"], "--overwrite"),
        (["a.png", "-o", "a.png"], "--in-place"),
        (["a.png", "-o", "a.png", "--overwrite"], "--in-place"),
        (["a.png", "b.png", "-o", "."], "--in-place"),
    ]:
        result = hfpie("denoise", *arguments)
        assert result.exit_code == 2
        assert word in result.stderr
        assert np.array_equal(load(tmp_path / "b.png"), PICTURE[::-1])
    skipped = hfpie("denoise", "a.png", "-o", "b.png", "--skip-existing")
    assert skipped.exit_code == 0
    assert "skipped 1 of 1: output already exists" in skipped.stderr
    assert hfpie("denoise", "a.png", "-o", "b.png", "--skip-existing", "--overwrite").exit_code == 2
    assert np.array_equal(load(tmp_path / "b.png"), PICTURE[::-1])
    assert hfpie("denoise", "a.png", "-o", "b.png", "--overwrite").exit_code == 0
    assert np.array_equal(load(tmp_path / "b.png"), PICTURE)


def test_in_place_does_not_lose_the_other_pictures_of_a_jpeg(hfpie, tmp_path):
    pictures = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[:10])]
    pictures[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=pictures[1:])
    before = (tmp_path / "a.jpg").read_bytes()
    refused = hfpie("denoise", "a.jpg", "--in-place")
    assert refused.exit_code == 1
    assert "--in-place would lose its embedded" in refused.stderr
    assert (tmp_path / "a.jpg").read_bytes() == before
    assert hfpie("denoise", "a.jpg").exit_code == 0


def test_in_place_replaces_the_input(hfpie, tmp_path):
    save(tmp_path / "a.png")
    result = hfpie("denoise", "a.png", "--in-place", "--json")
    assert result.exit_code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert "a.png -> a.png  30 x 20" in result.stderr, "as the user named it"
    assert json.loads(result.stdout)["output"] == "a.png"
    assert hfpie("denoise", "a.png", "--in-place", "--dry-run").stdout.startswith("a.png -> a.png  ")
    (tmp_path / "link.png").symlink_to("a.png")
    linked = hfpie("denoise", "link.png", "--in-place", "--follow-symlinks")
    assert f"link.png -> {tmp_path / 'a.png'}" in linked.stderr


def test_two_inputs_of_one_name_are_refused(hfpie, tmp_path):
    save(tmp_path / "x/a.png")
    save(tmp_path / "y/a.png")
    result = hfpie("denoise", "x/a.png", "y/a.png", "-o", "out/")
    assert result.exit_code == 2
    assert "would both become" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_named_twice_is_told_as_such(hfpie, tmp_path):
    save(tmp_path / "in/a.png")
    for other, word in (("in/a.png", "is given twice"), ("in/../in/a.png", "is the same file"), ("in", "given twice")):
        result = hfpie("denoise", "in/a.png", other, "-o", "out/")
        assert result.exit_code == 2
        assert word in result.stderr


def test_an_ending_and_a_format_that_differ_are_refused(hfpie, tmp_path):
    save(tmp_path / "a.png")
    result = hfpie("denoise", "a.png", "-o", "b.jpg", "--format", "webp")
    assert result.exit_code == 2
    assert "b.jpg: the ending says JPEG, but --format says WEBP" in result.stderr
    assert "b.webp" in result.stderr
    assert hfpie("denoise", "a.png", "-o", "b.jpeg", "--format", "jpg").exit_code == 0
    assert hfpie("denoise", "a.png", "-o", "b.out", "--format", "webp").exit_code == 0


def test_confusing_requests_are_refused(hfpie, tmp_path):
    save(tmp_path / "a.png")
    for arguments, word in [
        (["", "--in-place"], "empty file name"),
        (["a.png", "-o", ""], "empty file name"),
        (["a.png", "--in-place", "--format", "jpg"], "--in-place keeps"),
        (["a.png", "-o", "-", "--json"], "standard output"),
    ]:
        result = hfpie("denoise", *arguments)
        assert result.exit_code == 2, arguments
        assert word in result.stderr
    assert hfpie("denoise", "x" * 300).exit_code == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_may_go_to_the_current_one(hfpie, tmp_path):
    save(tmp_path / "photos/a.png")
    assert hfpie("denoise", "photos", "-o", ".").exit_code == 0
    assert (tmp_path / "a.png").exists()


def test_outputs_of_other_commands_are_passed_over(hfpie, tmp_path, enlarger):
    save(tmp_path / "in/a.png")
    assert hfpie("sr", "in", weights=enlarger).exit_code == 0
    assert hfpie("sr", "in", "--scale", "2", weights=enlarger).exit_code == 0
    assert hfpie("denoise", "in").exit_code == 0
    names = sorted(p.name for p in (tmp_path / "in").iterdir())
    assert names == ["a.png", "a_denoised.png", "a_x2.png", "a_x4.png"]


def test_any_error_of_one_file_leaves_the_others(hfpie, tmp_path, monkeypatch):
    save(tmp_path / "in/a.png")
    save(tmp_path / "in/b.png")
    from hfpie_cli.running import Runner

    process, calls = Runner.prepare, []

    def fail_first(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return process(self, *arguments, **options)

    monkeypatch.setattr(Runner, "prepare", fail_first)
    result = hfpie("denoise", "in", "-o", "out")
    assert result.exit_code == 3
    assert "in/a.png: internal error: RuntimeError: a bug" in result.stderr
    assert names_in(tmp_path / "out") == ["b.png"]


def test_a_file_that_appears_meanwhile_is_not_replaced(hfpie, tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    from hfpie_cli.running import Runner

    process = Runner.prepare

    def appear(self, *arguments, **options):
        (tmp_path / "a_denoised.png").write_text("mine")
        return process(self, *arguments, **options)

    monkeypatch.setattr(Runner, "prepare", appear)
    assert hfpie("denoise", "a.png").exit_code == 1
    assert (tmp_path / "a_denoised.png").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a_denoised.png"]


def test_a_private_photograph_stays_private(hfpie, tmp_path):
    save(tmp_path / "a.png").chmod(0o600)
    assert hfpie("denoise", "a.png", "--in-place").exit_code == 0
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o600


def test_on_a_terminal_too_results_go_to_standard_output(tmp_path, identity):
    """A name with brackets, and a progress bar on a terminal that must not swallow the records."""
    save(tmp_path / "b[/x].png")
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "hfpie_cli", "denoise", "b[/x].png", "--json", "--weights", str(identity)]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal, check=False)
    os.close(terminal)
    assert done.returncode == 0, os.read(controller, 10000)
    os.close(controller)
    assert json.loads(done.stdout)["output"] == "b[/x]_denoised.png"


def test_streams(hfpie, tmp_path):
    data = save(tmp_path / "a.png").read_bytes()
    result = hfpie("denoise", "-", input=data)
    assert result.exit_code == 0, result.stderr
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(result.stdout_bytes))), PICTURE)
    result = hfpie("denoise", "a.png", "-o", "-", "--format", "webp", "--quiet")
    assert Image.open(io.BytesIO(result.stdout_bytes)).format == "WEBP"
    assert result.stderr == ""
    assert hfpie("denoise", "-", "-o", "b.tif", input=data).exit_code == 0
    assert Image.open(tmp_path / "b.tif").format == "TIFF"


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["missing.png"], 1, "missing.png: no such file"),
        (["empty.png"], 1, "empty.png: the file is empty"),
        (["text.png"], 1, "text.png: not a photograph"),
        (["cut.png"], 1, "cut.png: broken"),
        (["nothing/"], 1, "nothing: no photographs"),
        (["photo.png", "-o", "text.png/out.png"], 1, "text.png"),
        (["photo.png", "-o", "out.xyz"], 2, "out.xyz"),
        (["photo.png", "--format", "gif"], 2, "gif"),
        (["photo.png", "--tile", "4"], 2, "tile"),
        (["photo.png", "--device", "cuda:9"], 2, "cuda:9"),
        (["photo.png", "--weights", "nonsense"], 4, "nonsense"),
        (["photo.png", "--weights", "photo.png"], 4, "photo.png"),
        ([], 2, "nothing to restore"),
    ],
)
def test_bad_input_gets_one_clear_line(hfpie, tmp_path, arguments, code, word):
    data = save(tmp_path / "photo.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "nothing").mkdir()
    before = sorted(tmp_path.rglob("*"))
    result = hfpie("denoise", *arguments, weights=None) if "--weights" in arguments else hfpie("denoise", *arguments)
    assert result.exit_code == code, result.stderr
    assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("hfpie: ") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(hfpie, tmp_path):
    save(tmp_path / "photo.png")
    (tmp_path / "locked").mkdir(mode=0o500)
    result = hfpie("denoise", "photo.png", "-o", "locked/a.png")
    assert result.exit_code == 1
    assert "locked: cannot write to this folder" in result.stderr


def test_an_interrupt_leaves_nothing_half_written(hfpie, tmp_path, monkeypatch):
    save(tmp_path / "photo.png")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("hfpie_cli.running.Runner.prepare", interrupt)
    assert hfpie("denoise", "photo.png").exit_code == 130
    assert [p.name for p in tmp_path.iterdir()] == ["photo.png"]


def test_the_named_test_weights_do_something(hfpie, tmp_path):
    save(tmp_path / "photo.png")
    assert hfpie("denoise", "photo.png", weights="unit-test").exit_code == 0
    assert not np.array_equal(load(tmp_path / "photo_denoised.png"), PICTURE)


def test_frames_are_enlarged_with_invented_detail(hfpie, tmp_path):
    save(tmp_path / "frames/1.png")
    assert hfpie("sr", "--gan", "-i", "frames/", "-o", "out/", weights=None).exit_code == 0
    enlarged = load(tmp_path / "out/1.png")
    assert enlarged.shape == (4 * PICTURE.shape[0], 4 * PICTURE.shape[1], 3)
    hfpie("sr", "-i", "frames/", "-o", "faithful/", weights=None)
    assert not np.array_equal(enlarged, load(tmp_path / "faithful/1.png"))


def test_weights_of_another_scale_are_refused(hfpie, tmp_path, enlarger, identity):
    save(tmp_path / "photo.png")
    assert hfpie("denoise", "photo.png", weights=enlarger).exit_code == 2
    assert hfpie("sr", "photo.png", weights=identity).exit_code == 2


def test_help_shows_examples_and_imports_no_torch():
    for command in ("denoise", "deblur", "sr", "train", "eval"):
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.stdout.count(f"hfpie {command}") >= 3, command
    code = "import sys; sys.argv = ['hfpie', '--help']; import hfpie_cli.cli as c\n"
    code += "try: c.main()\nexcept SystemExit: pass\n"
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'cv2', 'numpy', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_file_s_name_for_several_photographs_is_refused(hfpie, tmp_path):
    save(tmp_path / "photo.png")
    save(tmp_path / "other.png")
    result = hfpie("denoise", "photo.png", "other.png", "-o", "one.png")
    assert result.exit_code == 2
    assert "one.png: one file for several photographs" in result.stderr
    assert not (tmp_path / "one.png").exists()


def test_folders_that_are_not_entered_are_counted(hfpie, tmp_path):
    save(tmp_path / "scans/photo.png")
    save(tmp_path / "scans/old/other.png")
    save(tmp_path / "scans/out/earlier.png")
    assert "skipped 1 subfolder; --recursive" in hfpie("denoise", "scans", "-o", "scans/out/").stderr
    assert "subfolder" not in hfpie("denoise", "scans", "-r", "-o", "all/").stderr


def test_folders_that_are_links_or_locked_are_counted(hfpie, tmp_path, monkeypatch):
    save(tmp_path / "in/photo.png")
    save(tmp_path / "elsewhere/other.png")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/locked").mkdir()

    def scandir(folder, scandir=os.scandir):
        if Path(folder).name in locked:
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr("hfpie_cli.plan.os.scandir", scandir)
    locked = {"locked"}
    result = hfpie("denoise", "in", "-r", "-o", "out/")
    assert result.exit_code == 0
    assert "skipped 2 subfolders; they are links or cannot be read" in result.stderr
    locked = {"in"}
    result = hfpie("denoise", "in", "-r", "-o", "again/")
    assert result.exit_code == 1
    assert "in: Permission denied" in result.stderr


def test_pictures_that_are_not_read_are_counted(hfpie, tmp_path):
    for name in ("photo.png", "layers.psd", "notes.txt", "IMG_1.JXL"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"") if name != "photo.png" else save(tmp_path / "in" / name)
    told = hfpie("denoise", "in", "-o", "out/").stderr
    assert "skipped 2 pictures in formats that hfpie does not read; convert them to PNG or TIFF first" in told
    assert "(IMG_1.JXL, layers.psd)" in told


def test_notes_go_to_people_and_to_programs(hfpie, tmp_path):
    save(tmp_path / "web.png").rename(tmp_path / "web.jpg")
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0)
    result = hfpie("denoise", "web.jpg", "moving.gif", "-o", "out/", "--json")
    assert result.exit_code == 0, result.stderr
    assert "web.jpg: it holds PNG, although its name ends in .jpg" in result.stderr
    web, moving, _ = (json.loads(line) for line in result.stdout.splitlines())
    assert web["notes"] == ["it holds PNG, although its name ends in .jpg"]
    assert (moving["notes"], moving["output"]) == (["3 frames"], "out/moving.png")
    with Image.open(tmp_path / "out/moving.png") as image:
        assert image.n_frames == 3
    assert hfpie("denoise", "moving.gif", "-o", "moving.jpg").exit_code == 1


def test_a_link_to_a_picture_beside_it_is_told_as_such(hfpie, tmp_path):
    save(tmp_path / "in/a.png")
    (tmp_path / "in/z.png").symlink_to("a.png")
    result = hfpie("denoise", "in", "--in-place")
    assert result.exit_code == 2
    assert "in/z.png: is the same file as in/a.png" in result.stderr


def test_what_is_no_ordinary_file_is_not_replaced(hfpie, tmp_path):
    save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    result = hfpie("denoise", "a.png", "-o", "pipe.png", "--overwrite")
    assert result.exit_code == 2
    assert "pipe.png: is a pipe, not a file" in result.stderr
    save(tmp_path / "kept/b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "kept/b.png")
    assert hfpie("denoise", "a.png", "-o", "b.png", "--overwrite").exit_code == 0
    assert (tmp_path / "b.png").is_symlink()
    assert np.array_equal(load(tmp_path / "kept/b.png"), PICTURE)


def test_gan_and_weights_exclude_each_other(hfpie, tmp_path):
    save(tmp_path / "a.png")
    result = hfpie("sr", "--gan", "a.png", "--weights", "compact.sr-x4")
    assert result.exit_code == 2
    assert "both choose the weights" in result.stderr


def test_a_full_disk_is_told_as_such(hfpie, tmp_path, monkeypatch):
    save(tmp_path / "a.png")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hfpie_cli.files.os.fsync", full)
    result = hfpie("denoise", "a.png")
    assert result.exit_code == 1
    assert "a_denoised.png: cannot write it (No space left on device)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_missing_input_is_told_before_the_network_is_loaded(hfpie, monkeypatch):
    monkeypatch.setattr("hfpie_cli.restore.Restorer.from_weights", None)
    result = hfpie("denoise", "nowhere/")
    assert result.exit_code == 1
    assert "nowhere/: no such file or folder" in result.stderr


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_do_not_spin_unless_the_user_says_so(monkeypatch, before, after):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if before:
        monkeypatch.setenv("OMP_WAIT_POLICY", before)
    seen = []
    monkeypatch.setattr(cli, "app", lambda: seen.append(os.environ["OMP_WAIT_POLICY"]))
    cli.main()
    assert seen == [after]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--weights", "no.safetensors"], 4, "no.safetensors: no such file"),
        (["--weights", "compct.denoise"], 4, "no weights named 'compct.denoise'"),
        (["--weights", "in"], 4, "in: is a folder, not a file of weights"),
        (["--weights", "net.pth"], 4, "net.pth: a pickle"),
        (["--weights", "hf://owner/repo/net.safetensors", "--offline"], 4, "hfpie is offline"),
        (["--weights", "compact.deblur"], 2, "trained for deblur, not for denoise"),
        (["--format", "gif"], 2, "no format 'gif'"),
        (["--tile", "4"], 2, "at most half of --tile"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_options_and_weights_are_checked_before_outputs(hfpie, tmp_path, arguments, code, told, more):
    save(tmp_path / "in/a.png")
    save(tmp_path / "out/a.png")
    result = hfpie("denoise", "in", "-o", "out/", *arguments, *more, weights=None)
    assert result.exit_code == code, result.stderr
    assert told in result.stderr.splitlines()[0], "nothing is announced before"
    assert len(result.stderr.splitlines()) == 2


def test_a_page_s_inputs_are_checked_before_its_output(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "page.html").write_text("kept")
    versions = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    result = CliRunner().invoke(app, ["compare", *versions, "-o", str(tmp_path / "page.html")])
    assert "b.png" in result.stderr
    assert "already exists" not in result.stderr
