"""The training benchmark: a row for each recipe, with small sizes on a CPU and full ones on a GPU."""

import importlib.util
import sys
import time
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks/throughput.py"


@pytest.fixture(scope="module")
def throughput():
    spec = importlib.util.spec_from_file_location("throughput", BENCHMARK)
    module = sys.modules["throughput"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(text):
    header, *lines = [line for line in text.splitlines() if line.strip()]
    assert header.split()[:3] == ["recipe", "MP/s", "TFLOP/s"]
    return {line.split()[0]: [float(value.rstrip("%")) for value in line.split()[1:]] for line in lines}


def test_recipes_are_timed_on_small_sizes(throughput, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = ["compact-denoise", "compact-sr"]
    chosen = [word for name in names for word in ("--recipe", name)]
    small = ("network.widths=[8,8,8]", "network.bodies=[1,1,1]", "batch=2", "crop=64")
    sizes = [word for setting in small for word in ("--set", setting)]
    throughput.main(["--data", str(photos), "--device", "cpu", "--steps", "2", *chosen, *sizes])
    table = rows(capsys.readouterr().out)
    assert list(table) == names
    for speed, teraflops, waiting, bare, share in table.values():
        assert speed > 0
        assert bare > 0
        assert teraflops >= 0
        assert 0 < waiting < 100
        assert share > 0


def test_flop_are_counted_forward_and_backward(throughput):
    config = throughput.load_config(throughput.recipe_path("compact-denoise", ""))
    device = throughput.choose_training_device("cpu", "fp32")
    assert throughput.flop_a_pixel(config, device) == pytest.approx(3 * 0.491e6, rel=0.02)


def test_a_cpu_times_the_compact_recipes(throughput):
    names = throughput.recipes(throughput.choose_training_device("cpu", "fp32"))
    assert "compact-denoise" in names
    assert not any(name.startswith("paper") or "gan" in name for name in names)


@pytest.mark.gpu
def test_a_gpu_times_all_recipes_within_a_minute(throughput, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    started = time.monotonic()
    throughput.main(["--data", str(photos), "--device", "cuda", "--steps", "10"])
    assert time.monotonic() - started < 60
    assert len(rows(capsys.readouterr().out)) >= 6
