"""Text for a terminal: counts, lists of names, wrapped lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfpie_cli.console import Console
from hfpie_cli.shown import columns_of, counted, either, end_of, in_megapixels, wrapped

from .conftest import run_on_a_terminal


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "step", "0 steps"),
        (1, "photograph", "1 photograph"),
        (1.0, "minute", "1 minute"),
        (0.5, "minute", "0.5 minutes"),
        (2, "process", "2 processes"),
        (12345, "step", "12,345 steps"),
    ],
)
def test_a_noun_agrees_with_its_count(count, noun, text):
    assert counted(count, noun) == text


def test_names_to_choose_from():
    assert either(["a"]) == "a"
    assert either(["a", "b"]) == "a or b"
    assert either(["a", "b", "c"]) == "a, b or c"


def test_lines_are_wrapped_at_words_and_names_stay_whole():
    path = "/a/very-long/path/of-a/file-that/nobody-may/break.png"
    lines = wrapped(f"{path}: is not there, look for it", 40, first="hfpie: ", indent=7).splitlines()
    assert lines == [f"hfpie: {path}:", "       is not there, look for it"]
    assert wrapped("a.png -> b.png  30 x 20", 80) == "a.png -> b.png  30 x 20"
    assert wrapped("word " * 30, None) == "word " * 30


def test_errors_and_hints_are_wrapped_on_a_terminal_alone(tmp_path):
    arguments = ["denoise", "x.png", "--weights", "zzz"]
    told, code = run_on_a_terminal(*arguments, columns=60, cwd=tmp_path)
    assert code == 4
    assert max(map(len, told.splitlines())) <= 60
    error, *hint = told.splitlines()
    assert error == "hfpie: no weights named 'zzz'"
    assert len(hint) > 1
    assert all(line.startswith("       ") for line in hint)
    command = [sys.executable, "-m", "hfpie_cli", *arguments]
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr
    assert piped.splitlines() == [error, "       " + " ".join(line.strip() for line in hint)]


def test_small_pictures_have_a_size():
    assert [in_megapixels(size) for size in (0.03, 0.24, 1, 12.19)] == ["0.03", "0.24", "1.0", "12.2"]
    assert (in_megapixels(0.4, of=1.2), in_megapixels(0, of=0.03)) == ("0.4", "0.00")


def test_a_long_name_keeps_its_end():
    assert end_of("photos/cat.png", 20) == "cat.png"
    assert end_of("photos/a-very-long-name-0001.png", 12) == "…me-0001.png"


def test_lines_are_wrapped_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("hfpie_cli.console.columns_of", lambda stream: 30)
    Console().say("skipped 1 file named like hfpie outputs (a_denoised.png)")
    assert capsys.readouterr().err.splitlines() == [
        "skipped 1 file named like",
        "  hfpie outputs",
        "  (a_denoised.png)",
    ]


@pytest.mark.parametrize(("json", "drawn"), [(False, True), (True, False)])
def test_no_bar_stands_among_the_records_of_a_terminal(json, drawn, monkeypatch):
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert Console(json=json).draws is drawn


def test_no_terminal_has_no_width():
    with Path(os.devnull).open() as nothing:
        assert columns_of(nothing) is None
