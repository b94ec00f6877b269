"""Weights by name from the package, the cache or the Hub: verified every time, downloaded once."""

import dataclasses
import hashlib
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import UnavailableError
from hfpie_cli.tasks import TASKS
from hfpie_cli.weights import registry as weights
from hfpie_cli.weights.checkpoint import load_checkpoint, save_checkpoint
from hfpie_cli.weights.kinds import task_of
from hfpie_cli.weights.unpickle import main as unpickle
from tests.hub_server import COMMIT, FAULTS, TOKEN, HubServer, odd_headers
from tests.test_hostile import CANARY, Trap

TABLE = """
["pinned"]
task = "denoise"
use = "tests"
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
use = "the same tests"
scale = 1
tile = 64
overlap = 16
file = "net.safetensors"
licence = "CC0-1.0"
repo = "they/theirs"
revision = "main"
source = "https://example.org"

["sharper"]
task = "deblur"
use = "a pickle of the same"
scale = 1
tile = 64
overlap = 16
file = "deep/net.pth"
sha256 = "{pickle}"
seen = false
aliases = ["Sharper"]
licence = "MIT"
repo = "they/pickled"
revision = "main"
source = "https://example.org"
"""


@pytest.fixture
def server(monkeypatch, tmp_path, identity):
    """Two checkpoints that do not ship, a Hub that has them, an empty cache, and a folder with a photograph."""
    import huggingface_hub.constants as constants

    content, pickle = identity.read_bytes(), pickled(load_file(identity))
    table = TABLE.format(
        sha256=hashlib.sha256(content).hexdigest(), commit=COMMIT, pickle=hashlib.sha256(pickle).hexdigest()
    )
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
    cached_table = weights.known_weights  # tests may replace it
    cached_table.cache_clear()
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        server.add("me/pinned", "net.safetensors", content)
        server.add("they/theirs", "net.safetensors", content)
        server.add("they/pickled", "deep/net.pth", pickle)
        yield server
    cached_table.cache_clear()


def pickled(weights: object) -> bytes:
    file = io.BytesIO()
    torch.save({"params": weights}, file)
    return file.getvalue()


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


@pytest.mark.parametrize("name", ["pinned", f"hf://they/theirs/net.safetensors@{COMMIT}"])
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
    right = weights.known_weights()["pinned"].sha256
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


@pytest.mark.parametrize(
    "name", ["theirs", "hf://they/theirs/net.safetensors", f"hf://they/theirs/net.safetensors@{COMMIT}"]
)
def test_what_is_not_pinned_is_compared_with_what_the_hub_published_at_every_use(server, name):
    denoise("--weights", name)
    blob = next(path for path in cached() if "blobs" in path.parts)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    wrong = hashlib.sha256(blob.read_bytes()).hexdigest()
    result = denoise("--weights", name, "--offline", code=4)
    assert f"SHA-256 is {wrong}, should be {blob.name}" in result.stderr
    assert not cached()
    denoise("--weights", name)


def test_a_branch_that_moved_is_taken_as_it_is_now(server, identity):
    denoise("--weights", "theirs")
    server.commit = "f" * 40
    server.add("they/theirs", "net.safetensors", b"something else")
    assert "not a readable safetensors" in denoise("--weights", "theirs", code=4).stderr
    assert "something else" in {path.read_text(errors="replace") for path in cached()}


def test_a_small_file_is_known_by_gits_hash(server, monkeypatch, identity):
    content = identity.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    monkeypatch.setitem(FAULTS, "git's hash", ("HEAD", odd_headers(X_Linked_Etag=f'"{blob}"')))
    server.fault = "git's hash"
    denoise("--weights", "theirs")
    path = next(path for path in cached() if path.name == blob)
    path.write_bytes(content[:-1] + b"x")
    assert f"should be {blob}" in denoise("--weights", "theirs", "--offline", code=4).stderr


def test_a_file_that_the_hub_does_not_vouch_for_is_refused(server, monkeypatch):
    monkeypatch.setitem(FAULTS, "no hash", ("HEAD", odd_headers(X_Linked_Etag='"not-a-hash"')))
    server.fault = "no hash"
    assert "cannot verify it" in denoise("--weights", "theirs", code=4).stderr
    assert "cannot verify it" in denoise("--weights", "theirs", "--offline", code=4).stderr


def test_a_pickle_of_known_hash_is_converted_once(server):
    hfpie("deblur", "a.png", "--weights", "Sharper")
    done = len(server.requests)
    assert np.asarray(Image.open("a_deblurred.png")).mean() == 99
    made = next(Path("cache/hfpie/converted").rglob("*.safetensors"))
    assert made.parent.name == weights.known_weights()["sharper"].sha256
    before = made.stat().st_mtime_ns
    for path in cached():
        path.unlink()
    assert weights.resolve("sharper").path.stat().st_mtime_ns == before
    assert len(server.requests) == done
    assert "verified" in hfpie("weights", "verify", "sharper").stdout
    made.write_bytes(made.read_bytes()[:-1] + b"x")
    assert "not in the cache" in hfpie("weights", "verify", "sharper", code=4).stderr
    assert not made.exists()
    assert len(server.requests) == done


def test_a_pickle_of_another_hash_is_refused_before_it_is_downloaded(server):
    right, wrong = weights.known_weights()["sharper"].sha256, server.add("they/pickled", "deep/net.pth", b"another")
    result = hfpie("deblur", "a.png", "--weights", "sharper", code=4)
    assert f"SHA-256 is {wrong}, should be {right}" in result.stderr
    assert "the known hash comes from other projects and may be wrong: ask the owner of they/pickled" in result.stderr
    assert {request.method for request in server.requests} == {"HEAD"}
    assert not cached()


def test_a_pickle_that_holds_code_is_refused_whatever_its_hash(server, monkeypatch):
    sha256 = server.add("they/pickled", "deep/net.pth", pickled(Trap()))
    entry = dataclasses.replace(weights.known_weights()["sharper"], sha256=sha256)
    monkeypatch.setattr(weights, "known_weights", lambda: {"sharper": entry})
    assert "without running its code" in hfpie("deblur", "a.png", "--weights", "sharper", code=4).stderr
    assert not CANARY.exists()
    assert not list(Path("cache/hfpie").rglob("*.safetensors"))
    unknown = dataclasses.replace(entry, sha256="")
    monkeypatch.setattr(weights, "known_weights", lambda: {"sharper": unknown})
    assert "never opens a pickle" in hfpie("deblur", "a.png", "--weights", "sharper", code=4).stderr


FOREIGN = [entry for entry in weights.known_weights().values() if entry.repo]


@pytest.mark.parametrize("entry", FOREIGN, ids=[entry.name for entry in FOREIGN])
def test_every_name_is_fetched_from_where_the_table_says(server, entry, identity, monkeypatch):
    """With another content of its own hash, as nobody has these files here; the pickle is read in this process."""
    monkeypatch.setattr(
        "hfpie_cli.weights.convert._unpickle", lambda source, target: unpickle(str(source), str(target))
    )
    content = pickled(load_file(identity)) if entry.is_pickled else identity.read_bytes()
    server.commit = entry.revision if len(entry.revision) == 40 else COMMIT
    sha256 = server.add(entry.repo, entry.file, content)
    pinned = dataclasses.replace(entry, sha256=sha256 if entry.sha256 else "")
    monkeypatch.setattr(weights, "known_weights", lambda: {entry.name: pinned})
    assert hfpie("weights", "list", "--json").stdout.count("on the Hub") == 1
    hfpie("weights", "pull", entry.name)
    online = len(server.requests)
    assert [r.token for r in server.requests if "/cdn/" in r.path] == [False]
    found = weights.resolve((entry.aliases or [entry.name])[0], weights.Hub.from_environment(offline=True))
    assert (found.name, found.tile, found.overlap) == (entry.name, entry.tile, entry.overlap)
    assert set(load_file(found.path)) == set(load_file(identity))
    assert len(server.requests) == online
    assert '"where": "cached"' in hfpie("weights", "list", "--json").stdout
    pinned = dataclasses.replace(entry, sha256="0" * 64)
    assert "should be " + "0" * 64 in hfpie("weights", "pull", entry.name, code=4).stderr


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
    where = {"pinned": "on the Hub", "theirs": "cached", "sharper": "on the Hub"}
    assert {record["name"]: record["where"] for record in records} == where
    record = json.loads(hfpie("weights", "info", "theirs", "--json").stdout)
    assert (record["where"], record["source"]) == ("cached", "https://example.org")
    assert "the hash published by the Hub is checked" in hfpie("weights", "info", "theirs").stdout
    told = hfpie("weights", "info", "Sharper").stdout
    assert "not confirmed by a download yet" in told
    assert "hf://they/pickled/deep/net.pth@main, a pickle" in told


def test_a_misspelt_name_is_told_with_those_that_come_near():
    told = hfpie("weights", "info", "realesrgan-x4pluss", code=4).stderr
    assert "no weights named 'realesrgan-x4pluss'" in told
    assert "did you mean realesrgan-x4plus?" in told
    assert "choose one of compact.deblur, " in hfpie("weights", "info", "qqq", code=4).stderr


def test_the_list_is_by_task_with_what_each_is_for():
    lines = hfpie("weights", "list").stdout.splitlines()
    at = {words[0]: number for number, line in enumerate(lines) if (words := line.split())}
    for entry in weights.list_weights():
        assert entry.use in lines[at[entry.name]]
        assert (f"{entry.name} * " in lines[at[entry.name]]) == entry.is_default
        assert f" {entry.flop / 1e6:.2f} " in lines[at[entry.name]]
        assert (entry.seconds > 0) == (entry.task in TASKS)
        assert entry.seconds == 0 or f" {entry.seconds:.1f} " in lines[at[entry.name]]
    assert at["denoise"] < at["compact.denoise"] < at["nafnet-sidd-w32"] < at["deblur"] < at["compact.deblur"]
    assert max(map(len, lines)) <= 140


def test_pull_of_what_ships_says_so():
    assert "not published, shipped with the package" in hfpie("weights", "pull", "unit-test").stderr


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch, tmp_path):
    (tmp_path / "unit-test.safetensors").write_bytes(b"other")
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    with pytest.raises(UnavailableError, match="should be"):
        weights.resolve("unit-test")
    with pytest.raises(UnavailableError, match="missing file"):
        weights.resolve("compact.denoise")


@pytest.mark.parametrize(
    ("name", "told", "way_out"),
    [
        ("nafnet", "no weights named 'nafnet'", "did you mean nafnet-sidd-w32 or nafnet-sidd-w64?"),
        ("realesrgan", "no weights named", "for denoise choose one of compact.denoise, "),
        ("they/theirs", "a Hub repository", "hf://they/theirs/FILE.safetensors"),
        (
            "https://huggingface.co/o/r/resolve/main/a/b.safetensors?download=true",
            "a web address",
            "write hf://o/r/a/b.safetensors@main",
        ),
        ("https://example.org/net.pth", "a web address", "hf://owner/repo/file@revision"),
        ("deblur", "compact.deblur: trained for deblur, not for denoise", "--force"),
        ("RealESRGAN_x4plus", "realesrgan-x4plus: trained for sr, not for denoise", "scunet-psnr"),
    ],
)
def test_what_is_no_name_for_this_command_is_told_with_the_way_out(tmp_path, monkeypatch, name, told, way_out):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 30)).save("a.png")
    result = denoise("--weights", name, "--offline", code=2 if "trained for" in told else 4)
    assert told in result.stderr
    assert way_out in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_another_tasks_network_runs_if_forced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 30)).save("a.png")
    hfpie("deblur", "a.png", "--weights", "unit-test", code=2)
    hfpie("deblur", "a.png", "--weights", "unit-test", "--force")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>Log in</html>", "a web page"),
        (pickled({"a": torch.zeros(1)}), "a pickle, whatever its name"),
    ],
)
def test_files_that_are_something_else_are_named(tmp_path, monkeypatch, content, told):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 30)).save("a.png")
    Path("net.safetensors").write_bytes(content)
    Path("net.pth").write_bytes(content)
    assert f"net.safetensors: {told}" in denoise("--weights", "net.safetensors", code=4).stderr
    if "pickle" not in told:
        assert f"net.pth: {told}" in hfpie("weights", "convert", "net.pth", "-o", "to.safetensors", code=4).stderr


def test_every_entry_is_pinned_and_has_a_source_or_ships():
    for entry in weights.known_weights().values():
        assert entry.sha256 or "non-commercial" in entry.licence
        assert entry.seen == (entry.shipped is not None or not entry.sha256)
        assert entry.shipped or entry.on_hub
        assert entry.source or entry.shipped


def test_the_documentation_lists_every_checkpoint():
    page = (weights.PACKAGE.parent / "docs/weights.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for entry in weights.known_weights().values():
        if entry.name != weights.TEST_WEIGHTS:
            row = rows[entry.name]
            assert entry.task in row
            assert entry.licence in row
            assert entry.source in row
            assert not entry.size or f"{entry.size / 1e6:.1f} MB" in row


def test_files_that_say_their_task_are_refused_for_another(tmp_path, monkeypatch, identity):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 30)).save("a.png")
    checkpoint = load_checkpoint(identity)
    save_checkpoint(Path("mine.safetensors"), dataclasses.replace(checkpoint, info={"task": "deblur"}))
    told = denoise("--weights", "mine.safetensors", code=2).stderr
    assert "mine.safetensors: trained for deblur, not for denoise" in told
    denoise("--weights", "mine.safetensors", "--force")
    hfpie("deblur", "a.png", "--weights", "mine.safetensors")
    for odd in ("[1]", '{"task": 5}', "null"):
        header = f'{{"__metadata__": {odd}}}'.encode()
        Path("odd.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        assert task_of(Path("odd.safetensors")) == ""


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


def test_the_list_is_whole_on_a_terminal_of_80_columns(monkeypatch):
    monkeypatch.setattr("hfpie_cli.commands.tables.columns_of", lambda stream: 80)
    told = hfpie("weights", "list").stdout
    assert max(map(len, told.splitlines())) <= 80
    assert "…" not in told
    for entry in weights.list_weights():
        assert {entry.name, *entry.use.split(), *entry.licence.split()} <= set(told.split()), entry.name
    assert "MFLOP" not in told
    monkeypatch.setattr("hfpie_cli.commands.tables.columns_of", lambda stream: 120)
    assert "MFLOP" in hfpie("weights", "list").stdout


def test_all_of_one_checkpoint_is_wrapped_beside_its_headings(monkeypatch):
    monkeypatch.setattr("hfpie_cli.commands.weights_views.columns_of", lambda stream: 80)
    told = hfpie("weights", "info", "compact.denoise").stdout.splitlines()
    assert max(map(len, told)) <= 80
    begun = next(number for number, line in enumerate(told) if line.startswith("  trained on  "))
    assert told[begun + 1].startswith(" " * 14)
    assert told[begun + 1][14] != " "
