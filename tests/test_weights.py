"""Weights by name: package, cache, Hub; verified every time, downloaded once, and never changed unnoticed."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import UnavailableError
from hfpie_cli.hub.lock import lock_path
from hfpie_cli.weights import table as weights
from tests.hub_server import COMMIT, FAULTS, TOKEN, HubServer, odd_headers

TABLE = """
["pinned"]
task = "denoise"
scale = 1
tile = 64
overlap = 16
file = "net.safetensors"
sha256 = "{sha256}"
licence = "Apache-2.0"
repo = "me/pinned"
revision = "{commit}"

["theirs"]
task = "denoise"
scale = 1
tile = 64
overlap = 16
file = "net.safetensors"
licence = "CC0-1.0"
repo = "they/theirs"
revision = "main"
pinned = false
source = "https://example.org"
"""


@pytest.fixture
def server(monkeypatch, tmp_path, identity):
    """Two checkpoints that do not ship, a Hub that has them, an empty cache, and a folder with a photograph."""
    import huggingface_hub.constants as constants

    content = identity.read_bytes()
    table = TABLE.format(sha256=hashlib.sha256(content).hexdigest(), commit=COMMIT)
    (tmp_path / "weights.toml").write_text(table)
    monkeypatch.setattr(weights, "PACKAGE", tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.4)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((20, 30, 3), 99, np.uint8)).save("a.png")
    weights.table.cache_clear()
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        server.add("me/pinned", "net.safetensors", content)
        server.add("they/theirs", "net.safetensors", content)
        yield server
    weights.table.cache_clear()


def hfpie(*arguments: str, code: int = 0):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.stderr
    assert TOKEN not in result.output
    return result


def denoise(*options: str, code: int = 0):
    return hfpie("denoise", "a.png", "--overwrite", *options, code=code)


def cached() -> list[Path]:
    """The files of the Hub that lie in the cache under their final names."""
    files = [path for path in Path("cache/huggingface").rglob("*") if path.is_file() and path.suffix != ".incomplete"]
    return [path for path in files if {"snapshots", "blobs"} & set(path.parts)]


@pytest.mark.parametrize("name", ["pinned", "theirs", f"hf://they/theirs/net.safetensors@{COMMIT}"])
def test_the_first_run_downloads_the_second_asks_nobody(server, name):
    denoise("--weights", name, "--offline", code=4)
    assert not server.requests
    denoise("--weights", name)
    done = len(server.requests)
    assert sum("/cdn/" in r.path for r in server.requests) == 1
    denoise("--weights", name)
    denoise("--weights", name, "--offline")
    assert len(server.requests) == done
    assert np.asarray(Image.open("a_denoised.png")).mean() == 99


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in ("silence", "content silence")])
def test_a_fault_is_one_line_and_exit_code_4(server, fault):
    server.fault = fault
    result = denoise("--weights", "pinned", code=4)
    assert result.stderr.count("hfpie: ") == 1
    assert len(result.stderr.splitlines()) == 2
    assert not cached()
    assert not Path("a_denoised.png").exists()


def test_a_wrong_hash_is_refused_and_removed(server):
    right = weights.table()["pinned"].sha256
    wrong = server.add("me/pinned", "net.safetensors", b"something else")
    result = denoise("--weights", "pinned", code=4)
    assert f"SHA-256 is {wrong}, should be {right}" in result.stderr
    assert not cached()


def test_a_file_that_was_changed_in_the_cache_is_refused(server):
    hfpie("weights", "pull", "pinned")
    blob = next(path for path in cached() if "blobs" in path.parts)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    assert "should be" in hfpie("weights", "verify", code=4).stderr
    assert not cached()
    assert hfpie("weights", "verify").stderr == ""
    denoise("--weights", "pinned")


def test_what_is_not_pinned_stays_as_it_was_first_seen(server, identity):
    hfpie("weights", "pull", "theirs")
    entry = json.loads(lock_path().read_text())["hf://they/theirs/net.safetensors@main"]
    sha256 = hashlib.sha256(identity.read_bytes()).hexdigest()
    assert entry == {"commit": COMMIT, "sha256": sha256}
    for path in cached():
        path.unlink()
    other = server.add("they/theirs", "net.safetensors", identity.read_bytes()[:-4] + b"moved"[:4])
    result = denoise("--weights", "theirs", code=4)
    assert f"SHA-256 is {other}, should be {sha256}" in result.stderr
    assert COMMIT in server.requests[-1].path or "/cdn/" in server.requests[-1].path
    assert not cached()
    lock_path().write_text('{"a": 1}')
    assert "not a lock file" in denoise("--weights", "theirs", code=4).stderr


def test_a_file_that_the_hub_does_not_vouch_for_is_refused(server, monkeypatch):
    monkeypatch.setitem(FAULTS, "no hash", ("HEAD", odd_headers(X_Linked_Etag='"not-a-hash"')))
    server.fault = "no hash"
    assert "no SHA-256 is known" in denoise("--weights", "theirs", code=4).stderr
    assert not lock_path().exists()


def test_a_private_repository_needs_a_token_that_no_output_holds(server, monkeypatch):
    server.private = True
    denoise("--weights", "pinned", "--debug")
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    result = hfpie("weights", "pull", "theirs", "--debug", code=4)
    assert "hf auth login" in result.stderr
    assert "hf_wrong" not in result.output


def test_a_pickle_is_refused_with_the_way_out(server):
    Path("net.pth").write_bytes(b"whatever it is")
    for name in ("net.pth", "hf://me/pinned/net.pth"):
        assert "hfpie weights convert net.pth" in denoise("--weights", name, code=4).stderr
    assert not server.requests


def test_list_and_info_tell_where_files_are(server, monkeypatch):
    hfpie("weights", "pull", "theirs")
    records = [json.loads(line) for line in hfpie("weights", "list", "--json").stdout.splitlines()]
    assert {r["name"]: r["where"] for r in records} == {"pinned": "on the Hub", "theirs": "cached"}
    assert "theirs" in hfpie("weights", "list").stdout
    record = json.loads(hfpie("weights", "info", "theirs", "--json").stdout)
    assert (record["commit"], record["source"]) == (COMMIT, "https://example.org")
    assert COMMIT in hfpie("weights", "info", "theirs").stdout
    assert "no weights named" in hfpie("weights", "info", "nothing", code=4).stderr
    monkeypatch.setattr("hfpie_cli.commands.weights.default_weights", lambda task: "theirs")
    assert COMMIT in hfpie("weights", "info", "denoise").stdout


def test_pull_of_what_ships_says_so():
    assert "not published, shipped with the package" in hfpie("weights", "pull", "unit-test").stderr


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch, tmp_path):
    (tmp_path / "unit-test.safetensors").write_bytes(b"other")
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    with pytest.raises(UnavailableError, match="should be"):
        weights.resolve("unit-test")
    with pytest.raises(UnavailableError, match="is not there"):
        weights.resolve("compact.denoise")


def test_every_entry_is_pinned_or_says_that_it_is_not():
    for entry in weights.table().values():
        assert entry.pinned == bool(entry.sha256)
        assert entry.shipped or entry.on_hub
        assert entry.source or entry.shipped


def test_the_readme_lists_every_checkpoint():
    readme = (weights.PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in readme.splitlines() if row.startswith("| `")}
    for entry in weights.table().values():
        if entry.name != weights.TEST_WEIGHTS:
            row = rows[entry.name]
            assert entry.task in row
            assert entry.licence in row
            assert entry.source in row
            assert not entry.size or f"{entry.size / 1e6:.1f} MB" in row


def test_shapes_are_known_without_memory_or_torchs_compiler():
    """In a process of its own: here the compiler may be loaded already."""
    program = """
import sys
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.weights.checkpoint import expected_shapes
config = NetworkConfig((8, 12, 16), (1, 2, 1), scale=4, reconstruction=16)
shapes = expected_shapes(config)
assert "torch._dynamo" not in sys.modules
network = Network(config)
assert not any(weight.is_meta for weight in network.parameters())
assert shapes == {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
try:
    expected_shapes(NetworkConfig((512, 512, 512), (256, 256, 256)))
except ValueError as error:
    assert "200,000,000" in str(error)
else:
    raise AssertionError("1.2 billion weights were not refused")
assert not any(weight.is_meta for weight in Network(config).parameters())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
