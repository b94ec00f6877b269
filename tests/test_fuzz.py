"""A small part of benchmarks/fuzz.py: broken files are refused in one line, or read as other decoders read them."""

import importlib.util
import time
from pathlib import Path

import pytest

from hfpie_cli.errors import HfpieError
from hfpie_cli.photos.contents import first_of, read_content

SCRIPT = Path(__file__).parent.parent / "benchmarks/fuzz.py"
SHARE = 200  # files


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_that_are_mutated_are_good(fuzz):
    for name, data in fuzz.seeds().items():
        assert first_of(read_content(data, name)).width in fuzz.SIDE
        assert fuzz.disagreement(data) == "", name


def refusal(data: bytes, name: str) -> str:
    """The message, empty if the file is read."""
    try:
        read_content(data, name)
    except HfpieError as error:
        return error.message
    return ""


def test_mutations_are_refused_or_right(fuzz, capfd):
    refused = 0
    for name, data in fuzz.mutations(SHARE, seed=1):
        started = time.process_time()
        if message := refusal(data, name):
            assert message.startswith(f"{name}: "), message
            assert "\n" not in message
            refused += 1
        else:
            assert fuzz.disagreement(data) == "", name
        assert time.process_time() - started < 10, name
    assert 0 < refused < SHARE
    assert capfd.readouterr().err == ""
    assert list(fuzz.mutations(3)) == list(fuzz.mutations(3))
