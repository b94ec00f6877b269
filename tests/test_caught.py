"""Messages of C libraries on standard error are reported with the file's name."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from hfpie_cli.errors import HfpieError
from hfpie_cli.photos.caught import caught, summed_up
from hfpie_cli.photos.headers import png_chunks
from hfpie_cli.photos.reader import read_photo

from .conftest import smooth_picture


def deep_png(*, damaged: bool = False, extra: bytes = b"") -> bytes:
    file = cv2.imencode(".png", smooth_picture(0).astype(np.uint16) * 257)[1].tobytes()
    if damaged:
        name, at, length = next(chunk for chunk in png_chunks(file) if chunk[0] == b"IDAT")
        body = file[at : at + length // 2] + b"\xff" * (length - length // 2)
        crc = struct.pack(">I", zlib.crc32(name + body))
        file = file[:at] + body + crc + file[at + length + 4 :]
    return file[:33] + extra + file[33:]


def test_lines_are_caught_and_the_descriptor_comes_back(capfd):
    with caught() as lines:
        os.write(2, b"one\ntwo\none\n\n")
        assert lines == []
    os.write(2, b"outside")
    assert lines == ["one", "two"]
    assert summed_up(lines) == "one (and 1 more)"
    assert summed_up([]) == ""
    with pytest.raises(ZeroDivisionError), caught() as lines:
        os.write(2, b"%d" % (os.write(2, b"three\n") // 0))
    assert lines == ["three"]
    assert capfd.readouterr().err == "outside"


def test_threads_do_not_mix_their_lines():
    found = {}

    def write(number):
        for turn in range(20):
            with caught() as lines:
                os.write(2, f"{number}-{turn}\n".encode())
            found[number, turn] = lines

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {(n, t): [f"{n}-{t}"] for n in range(4) for t in range(20)}


def test_the_reason_of_a_library_stands_in_the_message(capfd):
    with pytest.raises(HfpieError, match=r"bad\.png: broken.*libpng error"):
        read_photo(deep_png(damaged=True), "bad.png")
    assert capfd.readouterr().err == ""


def test_the_program_tells_it_beside_the_file(tmp_path):
    profile = b"\0\0\0\x10iCCPnone\0\0" + b"\0" * 10
    profile += struct.pack(">I", zlib.crc32(profile[4:]))
    (tmp_path / "bad.png").write_bytes(deep_png(damaged=True))
    (tmp_path / "odd.png").write_bytes(deep_png(extra=profile))
    command = [sys.executable, "-m", "hfpie_cli", "denoise", "bad.png", "odd.png", "--weights", "unit-test"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    heading, *lines = done.stderr.splitlines()
    assert heading.startswith("unit-test on ")
    assert lines[0].startswith("hfpie: bad.png: broken")
    assert lines[-2:] == ["2 photographs: 1 denoised, 0 skipped, 1 failed", "failed: bad.png"]
    told = [line for line in lines[:-2] if not line.startswith(("       ", "odd.png -> "))]
    assert len(told) == 2, done.stderr
    assert told[1].startswith("odd.png: its decoder reports: libpng warning")


def corrupt_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(smooth_picture(0)).save(buffer, "JPEG", quality=90)
    good = buffer.getvalue()
    assert read_photo(good).notes == ()
    return good[:-40] + b"\xff\xd3" + good[-40:]  # a restart marker that nothing announced


def test_a_corrupt_jpeg_is_read_and_named_once(tmp_path):
    (tmp_path / "odd.jpg").write_bytes(corrupt_jpeg())
    run = subprocess.run(
        [sys.executable, "-m", "hfpie_cli", "denoise", "odd.jpg", "--weights", "unit-test"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = [line for line in run.stderr.splitlines() if "Corrupt" in line]
    assert len(said) == 1
    assert said[0].startswith("odd.jpg: its decoder reports: Corrupt JPEG data")
