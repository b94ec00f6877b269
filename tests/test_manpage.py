"""The manual page matches the help."""

import subprocess
import sys
from pathlib import Path

import typer

from hfpie_cli.cli import app

TOOL = Path(__file__).parent.parent / "tools/manpage.py"


def test_it_has_every_command_with_every_option():
    page = subprocess.run([sys.executable, TOOL], capture_output=True, text=True, check=True).stdout
    assert page.startswith(".TH HFPIE 1")
    commands = typer.main.get_command(app).commands
    for name, command in commands.items():
        section = page.partition(f'.SH "HFPIE {name.upper()}"')[2]
        section = section if hasattr(command, "commands") else section.partition(".SH ")[0]
        flags = [flag for parameter in command.params for flag in parameter.opts if flag.startswith("-")]
        assert all(flag.replace("-", "\\-") in section for flag in flags), name
        for below in getattr(command, "commands", {}):
            assert f'.SH "HFPIE {name.upper()} {below.upper()}"' in page
    assert "[bold]" not in page
    assert "[/]" not in page
    assert "'hfpie[" in page  # brackets that rich has escaped
