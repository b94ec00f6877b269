"""Files from the Hub: downloaded once and verified; every failure is one clear line and leaves nothing behind."""

import hashlib
import subprocess
import sys

import pytest

from hfpie_cli.errors import ExitCode, UnavailableError, UsageError
from hfpie_cli.hub.client import Hub, HubFile, fetch, is_cached
from tests.hub_server import COMMIT, FAULTS, SIGNATURE, TOKEN, HubServer

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = HubFile("owner/repo", "deep/net.safetensors")


@pytest.fixture
def server(monkeypatch):
    """A server with one file, and a client that does not wait."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.4)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with HubServer() as server:
        server.add(FILE.repo, FILE.path, CONTENT)
        yield server


@pytest.fixture
def hub(server, tmp_path) -> Hub:
    return Hub(server.endpoint, tmp_path / "cache", progress=False)


def contents(hub) -> list:
    """The files in the cache that are more than notes, or than what older clients keep to resume from."""
    kept = {"snapshots", "blobs"}
    return [p for p in hub.cache.rglob("*") if p.is_file() and kept & set(p.parts) and p.suffix != ".incomplete"]


def test_a_file_is_downloaded_once(server, hub):
    first = fetch(FILE, hub, sha256=SHA256)
    assert (first.path.read_bytes(), first.commit, first.sha256, first.published) == (CONTENT, COMMIT, SHA256, SHA256)
    done = len(server.requests)
    pinned = HubFile(FILE.repo, FILE.path, COMMIT)
    assert fetch(pinned, hub).path == first.path
    assert is_cached(pinned, hub)
    assert len(server.requests) == done
    with pytest.raises(UnavailableError, match="should be " + "0" * 64):
        fetch(pinned, hub, sha256="0" * 64)
    assert fetch(pinned, hub).path == first.path  # what the Hub publishes stays: other tools share it
    first.path.resolve().write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(UnavailableError, match="should be " + SHA256) as caught:
        fetch(pinned, hub)
    assert "removed" in caught.value.hint
    assert not contents(hub)


def test_the_token_stays_with_the_hub(server, hub):
    server.private = True
    fetch(FILE, hub)
    assert {r.token for r in server.requests if "/resolve/" in r.path} == {True}
    assert {r.token for r in server.requests if "/cdn/" in r.path} == {False}


def test_offline_takes_what_is_there(server, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(hub.cache))
    offline = Hub.from_environment(offline=True)
    with pytest.raises(UnavailableError, match="offline"):
        fetch(FILE, offline)
    assert not server.requests
    fetch(FILE, Hub.from_environment(progress=False))
    done = len(server.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(FILE, Hub.from_environment()).sha256 == SHA256
    assert len(server.requests) == done


def test_a_branch_falls_back_on_the_cache_only_if_the_hub_is_away(server, hub):
    fetch(FILE, hub)
    server.fault = "internal error"
    assert fetch(FILE, hub).sha256 == SHA256
    server.fault = "gated"
    with pytest.raises(UnavailableError, match="gated"):
        fetch(FILE, hub)


def test_data_sets_are_another_kind_of_repository(server, hub):
    server.add("datasets/owner/data", "a.zip", b"zip")
    assert fetch(HubFile("owner/data", "a.zip", kind="dataset"), hub).path.read_bytes() == b"zip"


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_clear_line(server, hub, fault, capfd):
    server.fault = fault
    with pytest.raises(UnavailableError) as caught:
        fetch(FILE, hub)
    message, hint = caught.value.message, caught.value.hint
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert message.startswith("hf://owner/repo/deep/net.safetensors@main: ")
    assert hint
    assert "\n" not in message + hint
    assert not {word for word in (TOKEN, SIGNATURE, "127.0.0.1:") if word in message + hint}
    assert not contents(hub)
    assert not list(hub.cache.parent.parent.rglob("escaped*"))
    assert capfd.readouterr() == ("", "")
    server.fault = None
    assert fetch(FILE, hub).sha256 == SHA256


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://nowhere.invalid", "http://user:pass@127.0.0.1:1"])
def test_a_hub_that_is_not_there(tmp_path, endpoint):
    with pytest.raises(UnavailableError, match="cannot be reached") as caught:
        fetch(FILE, Hub(endpoint, tmp_path))
    assert "pass" not in caught.value.message


def test_a_cache_that_cannot_be_written_to(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="cannot be stored in"):
        fetch(FILE, Hub(server.endpoint, tmp_path / "file", progress=False))


def test_a_token_that_is_no_header_is_not_shown(server, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secrét")
    with pytest.raises(UnavailableError) as caught:
        fetch(FILE, hub)
    assert "secr" not in caught.value.message + caught.value.hint


def test_a_name_of_a_file_on_the_hub():
    assert HubFile.parse("hf://o/r/d/f.safetensors@v1") == HubFile("o/r", "d/f.safetensors", "v1")
    assert HubFile.parse("hf://datasets/o/r/f.zip@refs/pr/1") == HubFile("o/r", "f.zip", "refs/pr/1", "dataset")
    assert str(HubFile.parse("hf://o/r/f")) == "hf://o/r/f@main"
    for wrong in ("hf://o/f", "hf://o/r/../f", "hf://o/r/f@", "hf://o/r//f", "https://o/r/f", "hf://o/r/f@a b"):
        with pytest.raises(UsageError, match="not a Hub file address"):
            HubFile.parse(wrong)


def test_the_client_is_imported_only_for_a_download():
    code = "import sys, hfpie_cli.hub; sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
