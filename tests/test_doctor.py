"""`hfpie doctor`: it reports what is there and what does not work."""

import json

import pytest
import torch
from typer.testing import CliRunner

from hfpie_cli import doctor
from hfpie_cli.cli import app
from hfpie_cli.evaluation.methods import NetworkSettings
from hfpie_cli.files import sha256_of
from hfpie_cli.hub.client import Hub
from hfpie_cli.tasks import TASKS
from hfpie_cli.weights.registry import SHIPPED


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """One task, measured once, with caches of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "SELF_TEST_SECONDS", 0)
    monkeypatch.setattr(doctor, "TASKS", {"deblur": TASKS["deblur"]})


def test_the_record_holds_what_a_report_of_a_problem_needs():
    result = CliRunner().invoke(app, ["doctor", "--json", "--device", "cpu", "--precision", "fp32"])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["versions"]["torch"] == torch.__version__
    assert found["devices"]["cpu"]["threads"] >= 1
    assert torch.cuda.is_available() or found["devices"]["cuda"]["problem"]
    shipped = {entry["name"]: entry["sha256"] for entry in found["weights"] if entry["where"] == "shipped"}
    assert shipped["compact.denoise"] == sha256_of(SHIPPED / "compact.denoise.safetensors")
    assert not any(entry["problem"] for entry in found["weights"])
    (test,) = found["self_tests"]
    assert (test["task"], test["device"], test["precision"], test["problem"]) == ("deblur", "cpu", "fp32", "")
    assert test["gain"] > 1
    assert test["seconds"] == pytest.approx(12 / test["megapixels_per_second"], rel=0.02)


def test_people_are_told_in_lines(monkeypatch):
    works = doctor.SelfTest("deblur", "compact.deblur", "cpu", "bf16", 4.0, 0.5, 24.0)
    monkeypatch.setattr(doctor, "self_tests", lambda settings, hub: [works])
    monkeypatch.setattr(doctor, "extras", lambda: [{"name": "lpips", "installed": False}])
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    assert "compact.deblur on cpu (bf16): works, +4.0 dB, 0.5 MP/s, 12 megapixels in 24 s" in shown
    assert "not installed: pip install 'hfpie[lpips]'" in shown
    assert "verified" in shown


def test_what_does_not_work_is_told(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(doctor, "measure_pace", broken)
    (test,) = doctor.self_tests(NetworkSettings("cpu"), Hub.from_environment(offline=True))
    assert test.problem == "RuntimeError: no kernel image is available"
    monkeypatch.setattr(
        doctor, "weights", lambda hub: [{"name": "a", "where": "cached", "sha256": "", "problem": "wrong"}]
    )
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "tasks that failed the self-test: deblur" in result.stderr
    assert "weights whose hash is wrong: a" in result.stderr


def test_caches_are_measured(tmp_path):
    (tmp_path / "hfpie/decoded/below").mkdir(parents=True)
    (tmp_path / "hfpie/decoded/below/a.raw").write_bytes(bytes(1000))
    sizes = {entry["what"].split()[0]: entry["bytes"] for entry in doctor.caches(Hub.from_environment())}
    assert sizes["decoded"] == 1000
    assert sizes["scores"] == 0
