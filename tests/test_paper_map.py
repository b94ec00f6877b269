"""docs/paper.md: every file, name and value on it agrees with the code."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import hfpie_cli

PACKAGE = Path(hfpie_cli.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "paper.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+)\.py` `([\w.]+)`(?: \(([\d.]+)\))?", PAGE)


@pytest.mark.parametrize(("module", "name", "value"), sorted(set(NAMED)))
def test_the_code_has_what_the_page_names(module, name, value):
    found = import_module(f"hfpie_cli.{module.replace('/', '.')}")
    for part in name.split("."):
        if part in getattr(found, "__dataclass_fields__", {}):
            found = found.__dataclass_fields__[part].default
        else:
            found = getattr(found, part)
    if value:
        assert found == float(value)


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`((?:hfpie_cli|training|evaluation|benchmarks)/[^`*]+)`", PAGE)))
)
def test_the_files_are_there(name):
    assert (PACKAGE / name).is_file() or (PACKAGE.parent / name).is_file()


def test_every_part_of_the_paper_has_its_row():
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("|")]
    parts = ["3.1", "3.2", "3.3", "3.4", "3.5", "4.1", "4.2.1", "4.2.2", "4.2.3"]
    parts += [f"eq. {number}" for number in (1, 2, 3)] + ["eq. 4 to 6", "tables 1 to 6", "table 1", "table 3"]
    for part in parts:
        assert any(part in row for row in rows), part
    assert len(NAMED) > 40
