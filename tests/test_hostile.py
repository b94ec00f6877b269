"""Malicious checkpoints: each is refused in one line, before its code can run."""

import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from hfpie_cli import Restorer
from hfpie_cli.errors import UnavailableError
from tests.conftest import make_checkpoint

CANARY = Path("canary")  # in the folder that a test runs in; made by whoever runs the code of a pickle
FIRST = "heads.0.weight"  # (8, 3, 3, 3)


class Trap:
    """Unpickling it makes the canary."""

    def __reduce__(self):
        return Path.touch, (CANARY,)


def pack(header: object, tensors: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def parts(good: bytes) -> tuple[dict, bytes]:
    length = struct.unpack("<Q", good[:8])[0]
    return json.loads(good[8 : 8 + length]), good[8 + length :]


def cut(at):
    """Only the first bytes; a negative number is counted from the end, a string from the end of the header."""

    def change(good):
        end = 8 + struct.unpack("<Q", good[:8])[0]
        return good[: end + int(at) if isinstance(at, str) else at]

    return change


def length(change):
    """Another length of the header."""
    return lambda good: struct.pack("<Q", change(struct.unpack("<Q", good[:8])[0], len(good))) + good[8:]


def tensor(**changes):
    """Other words about the first tensor."""

    def change(good):
        header, tensors = parts(good)
        header[FIRST] |= changes
        return pack(header, tensors)

    return change


def network(**changes):
    """Other values in the network's configuration."""

    def change(good):
        header, tensors = parts(good)
        config = json.loads(header["__metadata__"]["network"]) | changes
        header["__metadata__"]["network"] = json.dumps(config)
        return pack(header, tensors)

    return change


def metadata(**changes):
    """Other metadata; None removes a key."""

    def change(good):
        header, tensors = parts(good)
        known = header["__metadata__"] | changes
        header["__metadata__"] = {key: value for key, value in known.items() if value is not None}
        return pack(header, tensors)

    return change


def weights(change):
    """Other tensors under the same metadata."""

    def rewrite(good):
        header, _ = parts(good)
        Path("good.safetensors").write_bytes(good)
        from safetensors.torch import load_file

        changed = change(load_file("good.safetensors"))
        save_file(changed, "changed.safetensors", header["__metadata__"])
        return Path("changed.safetensors").read_bytes()

    return rewrite


def overlap(good):
    header, tensors = parts(good)
    header["heads.1.weight"]["data_offsets"] = header[FIRST]["data_offsets"]
    return pack(header, tensors)


def trapped_zip(good):
    """As torch.save writes it."""
    file = io.BytesIO()
    torch.save({"params": Trap()}, file)
    return file.getvalue()


def torchscript(good):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/constants.pkl", pickle.dumps(Trap()))
        archive.writestr("net/data.pkl", pickle.dumps(Trap()))
    return file.getvalue()


def filled(value):
    def change(tensors):
        tensors[FIRST].view(-1)[5] = value
        return tensors

    return weights(change)


HOSTILE = {
    **{f"cut at {at}": cut(at) for at in (0, 1, 7, 8, 9, 100, 1000, -1, -4, -1000, "-1", "+0", "+1", "+5000")},
    "header of no bytes": length(lambda header, file: 0),
    "header one short": length(lambda header, file: header - 1),
    "header one long": length(lambda header, file: header + 1),
    "header as long as the file": length(lambda header, file: file),
    "header of 101 MB": length(lambda header, file: 101_000_000),
    "header of 2**63": length(lambda header, file: 2**63),
    "header of 2**64 - 1": length(lambda header, file: 2**64 - 1),
    "header is a list": lambda good: pack([]),
    "header is a number": lambda good: pack(1),
    "header is nested deeply": lambda good: pack(b"[" * 200_000),
    "header is not UTF-8": lambda good: pack(b'{"\xff": 1}'),
    "header names a tensor twice": lambda good: pack(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "offsets overlap": overlap,
    "offsets backwards": tensor(data_offsets=[864, 0]),
    "offsets negative": tensor(data_offsets=[-864, 0]),
    "offsets behind the end": tensor(data_offsets=[2**40, 2**40 + 864]),
    "offsets too few": tensor(data_offsets=[0]),
    "type unknown": tensor(dtype="PICKLE"),
    "type of half the size": tensor(dtype="F16"),
    "type of integers": tensor(dtype="I32"),
    "shape too large": tensor(shape=[8, 3, 3, 4]),
    "shape that overflows": tensor(shape=[2**32, 2**32, 2**32]),
    "shape negative": tensor(shape=[-8, -3, 3, 3]),
    "shape turned": tensor(shape=[3, 8, 3, 3]),
    "shape flat": tensor(shape=[216]),
    "a weight less": weights(lambda tensors: {k: v for k, v in tensors.items() if k != FIRST}),
    "a weight more": weights(lambda tensors: tensors | {"more\nlines": torch.zeros(3)}),
    "weights of 64 bits": weights(lambda tensors: {k: v.double() for k, v in tensors.items()}),
    "NaN": filled(float("nan")),
    "infinity": filled(float("inf")),
    "no format": metadata(format=None),
    "a later format": metadata(format="hfpie-2"),
    "no architecture": metadata(architecture=None),
    "another architecture": metadata(architecture="os.system"),
    "no configuration": metadata(network=None),
    "configuration is a list": metadata(network="[]"),
    "configuration is code": metadata(network="__import__('pathlib').Path('canary').touch()"),
    "configuration is nested deeply": metadata(network="[" * 200_000),
    "unknown key": network(device="cuda"),
    "unknown dunder key": network(__class__="x"),
    "width of 0": network(widths=[0, 8, 8]),
    "width of 10**9": network(widths=[10**9, 8, 8]),
    "width of infinity": network(widths=[float("inf"), 8, 8]),
    "width in words": network(widths=["8", 8, 8]),
    "width of true": network(widths=[True, 8, 8]),
    "widths as a number": network(widths=8),
    "two scales": network(bodies=[1, 1]),
    "blocks in words": network(bodies="111"),
    "blocks of 10**9": network(tails=[10**9, 1, 1]),
    "scale of 3": network(scale=3),
    "unshuffle of 7": network(unshuffle=7),
    "edges of 2": network(edges=2),
    "2.5 thousand million weights": network(widths=[512] * 3, bodies=[256] * 3),
    "another width": network(widths=[16, 8, 8]),
    "pickle": lambda good: pickle.dumps(Trap()),
    "old pickle": lambda good: pickle.dumps(Trap(), protocol=0),
    "pickle of torch": trapped_zip,
    "TorchScript": torchscript,
    "pickle behind a header": lambda good: pack({}, pickle.dumps(Trap())),
    "web page": lambda good: b"<!DOCTYPE html><html>Log in</html>",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    return make_checkpoint(tmp_path_factory.mktemp("good") / "good.safetensors").read_bytes()


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused(good, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad = Path("bad.safetensors")
    bad.write_bytes(HOSTILE[kind](good))
    with pytest.raises(UnavailableError) as caught:
        Restorer.from_weights(bad)
    assert caught.value.message.startswith("bad.safetensors: ")
    assert "\n" not in caught.value.message
    assert not CANARY.exists()


def test_the_one_they_were_made_from_is_fine(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("good.safetensors").write_bytes(pack(*parts(good)))
    Restorer.from_weights("good.safetensors")


class Call:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


TRAPS = {  # each makes the canary
    "touch": Trap(),
    "system": Call(os.system, "touch canary"),
    "subprocess": Call(subprocess.call, ["touch", "canary"]),
    "exec": Call(exec, "open('canary', 'w')"),
    "eval": Call(eval, "open('canary', 'w')"),
    "open": Call(open, "canary", "w"),
    "open of the system": Call(os.open, "canary", os.O_CREAT),
    "folder": Call(os.mkdir, "canary"),
    "copy": Call(shutil.copyfile, os.devnull, "canary"),
    "save": Call(torch.save, 1, "canary"),
}


def saved(content: object, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


FORMS = {
    "zip": lambda trap: saved({"params": {"weight": torch.zeros(1), "trap": trap}}),
    "old": lambda trap: saved({"weight": torch.zeros(1), "trap": trap}, _use_new_zipfile_serialization=False),
    "protocol 0": lambda trap: pickle.dumps({"trap": trap}, protocol=0),
    "protocol 4": lambda trap: pickle.dumps(trap, protocol=4),
}
READ_ALL = """
import sys
from hfpie_cli.weights.unpickle import main
for source in sys.argv[1:]:
    try:
        main(source, source + ".safetensors")
    except SystemExit as refusal:
        print(refusal)
"""


def test_no_pickle_runs_its_code(tmp_path, monkeypatch):
    """40 of them in one process, as `convert` and pickles of weights.toml are read."""
    monkeypatch.chdir(tmp_path)
    files = []
    for what, trap in TRAPS.items():
        for form, pack_up in FORMS.items():
            files.append(f"{what}, {form}.pth")
            Path(files[-1]).write_bytes(pack_up(trap))
    done = subprocess.run([sys.executable, "-c", READ_ALL, *files], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == len(files) == 40
    assert not CANARY.exists()
    assert {path.name for path in Path().iterdir()} == set(files)


@pytest.mark.parametrize("what", TRAPS)
def test_each_trap_would_snap(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(TRAPS[what]))
    assert CANARY.exists()
