"""The help, and the errors of command lines that cannot be parsed."""

import re
import resource
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.commands.shell import PANELS

ROOT = Path(__file__).parent.parent


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def commands(group=None, path=()):
    """(words, command) of every command below the program."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in commands()])
def test_every_option_has_a_panel_and_every_example_a_line(words, command):
    shown = run(*words, "--help").stdout
    assert "<bool>" not in shown
    assert "─ Options" not in shown, "an option is in no panel"
    examples = shown.partition(" Examples:\n")[2].splitlines()
    assert sum(line.startswith(f"   hfpie {' '.join(words)}") for line in examples) >= 1
    assert not any(" | " in line for line in examples)
    assert max(map(len, examples)) <= 80, "an example is wider than a terminal"
    panels = [line.split()[1] for line in shown.splitlines() if line.startswith("╭─") and "Arguments" not in line]
    assert panels == sorted(panels, key=list(PANELS).index)


@pytest.mark.parametrize(
    ("line", "told", "hint"),
    [
        ("photo.png", "photo.png is a file name, not a command", "hfpie denoise photo.png"),
        ("denois photo.png", "no command 'denois'", "did you mean hfpie denoise?"),
        ("zzz", "no command 'zzz'", "choose one of denoise, "),
        ("weights pul", "no command 'pul'", "did you mean hfpie weights pull?"),
        ("denoise --qualty 3 x.png", "no option --qualty", "did you mean --quality?"),
        ("denoise x.png --gan", "no option --gan", "--gan belongs to hfpie sr and hfpie train"),
        ("denoise x.png --steps 9", "no option --steps", "--steps belongs to hfpie train"),
        ("weights list --no-frames", "no option --no-frames", "belongs to hfpie denoise, hfpie deblur and hfpie sr"),
        ("sr x.png --data-root d", "no option --data-root", "hfpie train, hfpie eval, hfpie data list and 3 more"),
        ("denoise x.png --weights compct.denoise", "no weights named", "compact.denoise or compact.denoise-awgn?"),
        ("denoise x.png --quality 300", "--quality must be less than or equal to 100", "hfpie denoise --help"),
        ("denoise x.png --quality many", "--quality must be a valid integer", "hfpie denoise --help"),
        ("denoise x.png --quality", "option '--quality' requires an argument", "--help"),
        ("weights push", "--repo is missing", "hfpie weights push --help"),
        ("weights pull", "NAMES is missing", "hfpie weights pull --help"),
        ("weights pull compact.denoize", "no weights named 'compact.denoize'", "did you mean compact.denoise"),
        ("denoise x.png --device gpu", "no device 'gpu'", "use auto, cpu, cuda"),
        ("denoise x.png --device cpu --precision fp16", "fp16 does not run on a CPU", "bf16"),
        ("denoise x.png --precision fp8", "no precision 'fp8'", "use auto, fp32, bf16, fp16"),
        ("denoise x.png --tile 4", "at most half of --tile, both multiples of 8", "--tile or --overlap"),
        ("eval --dataset screenshot --task denoise --device gpu", "no device 'gpu'", "use auto"),
        ("eval --dataset screenshot --task denoize", "no task 'denoize'", "did you mean denoise?"),
        ("eval --dataset kodac24 --task denoise", "kodac24: neither a known data set", "did you mean Kodak24?"),
        ("eval --dataset screenshot --task denoise --degradation agwn-25", "no degradation", "did you mean awgn-25"),
        ("train --task debluur", "no task 'debluur'", "did you mean deblur?"),
        ("train --task denoise --data . --recipe compct", "no recipe 'compct' for denoise", "did you mean compact-"),
        ("train --task denoise --data . --device gpu", "no device 'gpu'", "use auto"),
        ("data verify RED", "no data set 'RED'", "did you mean REDS?"),
    ],
)
def test_wrong_use_gets_one_line_and_the_way_out(line, told, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*line.split())
    *_, error, way_out = result.stderr.splitlines()  # before them at most the line that says what runs
    assert result.exit_code in (2, 4)
    assert result.stderr.count("hfpie: ") == 1
    assert told in error.removeprefix("hfpie: ")
    assert hint in way_out.removeprefix("       ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["-dash.png", "--steps"])
def test_a_file_named_like_an_option_is_told_how_to_be_written(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"")
    result = run("denoise", name)
    assert result.exit_code == 2
    assert result.stderr == f"hfpie: {name} is a file or folder, not an option\n       write ./{name}\n"
    assert "the file is empty" in run("denoise", f"./{name}").stderr


def test_the_help_and_a_wrong_option_answer_at_once():
    for arguments in (["--help"], ["denoise", "--qualty", "3"]):
        spent = []
        for _ in range(3):
            before = children_seconds()
            subprocess.run([sys.executable, "-m", "hfpie_cli", *arguments], capture_output=True, check=False)
            spent.append(children_seconds() - before)
        assert min(spent) < 0.6, arguments  # about half of it where nothing else runs


def children_seconds():
    """The processor's seconds that all finished children have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def documented():
    """(file, words) of every command line of hfpie in the documentation's shell blocks."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"^```sh.*?\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for line in re.split(r"\n|&&", block):
                words = shlex.split(line, comments=True)
                if words[:1] == ["hfpie"]:
                    yield path.name, list(takewhile(lambda word: word not in "<>", words[1:]))


def test_every_command_line_of_the_documentation_is_understood():
    lines = list(documented())
    assert len(lines) > 40
    for name, words in lines:
        command, rest = get_command(app), list(words)
        while hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        with command.make_context(name, rest) as context:
            assert context.command is command


def test_the_readme_has_the_four_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in (
        "hfpie denoise photo.png",
        "hfpie sr --gan -i frames/ -o out/",
        "hfpie train --task deblur",
        "hfpie eval --dataset SIDD",
    ):
        assert re.search(rf"^{re.escape(line)}(  .*)?$", readme, re.MULTILINE), line
    assert 600 <= len(re.findall(r"[A-Za-z0-9]\S*", readme)) <= 900
