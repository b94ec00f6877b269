"""Print the manual page that the commands' help makes: `python tools/manpage.py > hfpie.1`."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from hfpie_cli import __version__
from hfpie_cli.cli import app


def roff(text: str | None) -> str:
    plain = re.sub(r"(?<!\\)\[/?[a-z ]*\]", "", text or "").replace("\\[", "[")  # without rich's marks
    return "\\&" + plain.replace("\\", "\\e").replace("-", "\\-").replace("\n", "\n.br\n\\&")


def sections(command: Any, name: str) -> Iterator[str]:
    yield f'.SH "{name.upper()}"\n{roff(command.help)}'
    for parameter in command.params:
        flags = parameter.opts if parameter.opts[0].startswith("-") else [parameter.name]
        yield f".TP\n.B {roff(', '.join(flags))}\n{roff(getattr(parameter, 'help', ''))}"
    yield f".PP\n{roff(command.epilog)}"
    for below, child in getattr(command, "commands", {}).items():
        yield from sections(child, f"{name} {below}")


print(f'.TH HFPIE 1 "" "hfpie {__version__}"\n.SH NAME\nhfpie \\- restore photographs')
print(*sections(typer.main.get_command(app), "hfpie"), sep="\n")
