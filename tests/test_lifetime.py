"""Start and end of a command's process: what it imports, and that a quick exit loses nothing."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from hfpie_cli.errors import ExitCode
from hfpie_cli.lifetime import leave


def run(program: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=False)


def command(*arguments: str, before: str = "") -> str:
    """A program that does what the console script does."""
    return f"import sys; sys.argv = {['hfpie', *arguments]!r}\n{before}\nfrom hfpie_cli.cli import main; main()"


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (24, 16), (90, 120, 60)).save(tmp_path / "a.png")
    return tmp_path


def test_a_plain_photograph_needs_neither_opencv_nor_tifffile_nor_rich_s_bars(photo, identity):
    unneeded = {"cv2", "tifffile", "rich.progress"}
    look = f"import atexit; atexit.register(lambda: print(*({unneeded} & set(sys.modules))))"
    done = run(command("denoise", "a.png", "--weights", str(identity), "-q", before=look), cwd=photo)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    assert Image.open(photo / "a_denoised.png").size == (24, 16)


def test_the_process_ends_without_taking_torch_apart_but_with_all_that_was_registered(photo, identity):
    look = (
        "import atexit, gc\n"
        "atexit.register(lambda: print('registered', gc.isenabled(), gc.get_freeze_count() > 100_000))\n"
        "class Late:\n"
        "    def __del__(self): print('taken apart')\n"
        "sys.late = Late()"
    )
    done = run(command("denoise", "a.png", "--weights", str(identity), before=look), cwd=photo)
    assert done.returncode == 0
    assert done.stdout == "registered True True\n"
    assert "a_denoised.png" in done.stderr


def test_codes_reach_the_shell(photo, identity):
    (photo / "b.png").write_bytes(b"no picture")
    done = run(command("denoise", "a.png", "b.png", "--weights", str(identity)), cwd=photo)
    assert done.returncode == ExitCode.SOME_FAILED
    assert "b.png" in done.stderr


def test_a_closed_standard_output_is_told_by_the_code(photo, identity):
    program = command("denoise", "a.png", "--weights", str(identity), "--json")
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=photo, stdout=reader.stdin, stderr=subprocess.PIPE, check=False
    )
    assert done.returncode != 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(photo, identity, closed):
    program = command("denoise", "a.png", "--weights", str(identity))
    words = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", program]
    done = subprocess.run(words, cwd=photo, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "a.png -> a_denoised.png" in done.stderr or "2>&-" in closed
    assert Image.open(photo / "a_denoised.png").size == (24, 16)


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
@pytest.mark.parametrize("words", [["--version"], ["weights", "list", "--json"]], ids=" ".join)
def test_what_goes_to_a_closed_standard_output_does_not_appear_elsewhere(words):
    words = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "hfpie_cli", *words]
    done = subprocess.run(words, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipe")
def test_a_full_pipe_that_does_not_block_is_waited_for():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += os.write(writing, bytes(4096))
    words = [sys.executable, "-m", "hfpie_cli", "weights", "list", "--json"]
    with subprocess.Popen(words, stdout=writing, stderr=subprocess.PIPE) as program:
        os.close(writing)
        time.sleep(1)
        with os.fdopen(reading, "rb") as reader:
            came = reader.read()[filled:]
        assert (program.wait(), program.stderr.read()) == (0, b"")
    assert all(json.loads(line)["name"] for line in came.splitlines())
    assert came.endswith(b"}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_picture_that_does_not_fit_behind_standard_output_is_told(photo, identity):
    words = [sys.executable, "-c", command("denoise", "a.png", "-o", "-", "--weights", str(identity), "-q")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, cwd=photo, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith("hfpie: standard output: cannot write it (No space left on device)")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize(("name", "code"), [("a.png", ExitCode.OK), ("none.png", ExitCode.FAILED)])
def test_messages_that_do_not_fit_behind_standard_error_are_lost_and_nothing_else(photo, identity, name, code):
    words = [sys.executable, "-m", "hfpie_cli", "denoise", name, "-o", "b.png", "--weights", str(identity)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, cwd=photo, stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, (photo / "b.png").exists()) == (code, code == ExitCode.OK)


NO_SPACE = "hfpie: standard output: cannot write it (No space left on device)"
TEXTS = [
    (),
    ("--help",),
    ("--version",),
    ("weights",),
    ("sr", "-h"),
    ("weights", "list"),
    ("weights", "list", "--json"),
]


def into_full(words: list[str]) -> tuple[int, list[str]]:
    """Run the program with a full standard output: its exit code and what it says."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", TEXTS, ids=" ".join)
def test_text_that_does_not_fit_behind_standard_output_is_told(monkeypatch, words, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    assert into_full([sys.executable, "-m", "hfpie_cli", *words]) == (ExitCode.FAILED, [NO_SPACE])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_plan_that_does_not_fit_behind_standard_output_is_told(photo):
    words = [sys.executable, "-m", "hfpie_cli", "denoise", str(photo / "a.png"), "--dry-run"]
    code, told = into_full(words)
    assert (code, told[-1]) == (ExitCode.FAILED, NO_SPACE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("debug", [False, True])
def test_another_error_is_not_taken_for_a_full_standard_output(monkeypatch, debug):
    """Not even where something printed before it is still to be written."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    before = """
def fail(*_):
    print("a line")
    raise ConnectionRefusedError(111, "Connection refused")
import hfpie_cli.commands.weights
hfpie_cli.commands.weights.print_list = fail
"""
    words = ["weights", "list", *(["--debug"] if debug else [])]
    code, told = into_full([sys.executable, "-c", command(*words, before=before)])
    assert code != 0
    assert any("Connection refused" in line and "standard output" not in line for line in told), told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_what_standard_output_did_not_take_is_not_written_again_at_the_end():
    """The interpreter would end with 120, whatever the command returned."""
    program = """
import sys
from hfpie_cli.lifetime import drop_output
try:
    sys.stdout.buffer.write(b"half a picture")
    sys.stdout.buffer.flush()
except OSError:
    drop_output()
sys.exit(7)
"""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (7, b"")


def test_threads_that_are_not_done_are_waited_for(monkeypatch):
    ended, done = [], threading.Event()
    monkeypatch.setattr("os._exit", ended.append)
    monkeypatch.setattr("atexit._run_exitfuncs", lambda: None)
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        leave(3)
        assert ended == []
    finally:
        done.set()
        thread.join()
    leave(3)
    assert ended == [3]
