"""Publishing: a preview first, the upload with --yes, and the commit for weights.toml."""

import base64
import json
import re

import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.weights.publish import model_card, publishable
from hfpie_cli.weights.registry import SHIPPED, known_weights
from tests.hub_server import COMMIT, TOKEN, HubServer


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # its own protocol and its own servers
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with HubServer(private=True) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def push(*arguments: str, code: int = 0):
    result = CliRunner().invoke(app, ["weights", "push", *arguments])
    assert result.exit_code == code, result.stderr
    assert TOKEN not in result.output
    return result


def test_without_yes_it_only_shows(server):
    result = push("--repo", "me/nets")
    size = (SHIPPED / "compact.denoise.safetensors").stat().st_size
    assert f"would upload compact.denoise.safetensors, {size:,} bytes, to me/nets" in result.stderr
    assert "unit-test" not in result.output
    assert "nafnet" not in result.output
    assert model_card(publishable(), "me/nets") in result.stdout
    assert not server.requests


def test_with_yes_it_uploads_in_one_commit(server):
    result = push("--repo", "me/nets", "compact.highpass", "--yes", "--private", "--json")
    entry = known_weights()["compact.highpass"]
    record = {"name": entry.name, "repo": "me/nets", "file": entry.file, "revision": COMMIT, "uploaded": True}
    assert json.loads(result.stdout) == record
    assert f'revision = "{COMMIT}"' in result.stderr
    assert server.uploads[f"/upload/{entry.sha256}"] == entry.shipped.read_bytes()
    lines = [json.loads(line) for line in server.uploads["commit"].splitlines()]
    values = {line["value"].get("path"): line["value"] for line in lines}
    assert base64.b64decode(values["README.md"]["content"]).decode() == model_card([entry], "me/nets")
    assert values[entry.file]["oid"] == entry.sha256


def test_refusals_are_one_line(server, monkeypatch):
    assert "owner/name" in push("--repo", "nets", code=2).stderr
    assert "not a local checkpoint" in push("--repo", "me/nets", "realesrgan-x4plus", code=2).stderr
    assert "offline" in push("--repo", "me/nets", "--yes", "--offline", code=4).stderr
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    result = push("--repo", "me/nets", "compact.highpass", "--yes", code=4)
    assert result.stderr.startswith("hfpie: hf://me/nets: access denied (401)")
    assert "hf_wrong" not in result.output
    assert not server.uploads


def test_the_card_says_what_is_measured():
    card = model_card(publishable(), "me/nets")
    assert card.startswith("---\nlicense: other\nlicense_name: ")
    assert all(re.sub(r"\W+", "-", licence.lower()) in card for licence in {entry.licence for entry in publishable()})
    for entry in publishable():
        assert entry.sha256 in card
        assert entry.trained_on in card
        assert all(f"| {what} | {score} |" in card for what, score in entry.scores.items())
