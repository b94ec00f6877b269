"""The batches of a run: number of loaders, packing to 8 bits, and the time that steps wait."""

import time

import numpy as np
import pytest
import torch

from hfpie_cli.data.crops import CropSampler
from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.training.budget import Steps
from hfpie_cli.training.config import Finish
from hfpie_cli.training.loading import (
    Batches,
    Echoes,
    Request,
    Requests,
    batches,
    loaders,
    packed,
    sampler_of,
    unpacked,
)
from hfpie_cli.training.loop import Pace
from hfpie_cli.training.run import setup

from .test_train import CPU, changed, log_of, train


def as_side(pictures):
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2))


def test_the_crops_are_made_as_the_recipe_says(data):
    config = changed(degradation={"jpeg": 1.0}, seed=7, dark=0.1, drawn=0.2, shrunk=0.3, sharpened=0.4)
    made = CropSampler(data, {"jpeg": 1.0}, 1, 7, dark=0.1, drawn=0.2, shrunk=0.3, sharpened=0.4)
    assert sampler_of(config, data) == made


@pytest.mark.parametrize(
    ("name", "is_8_bits"),
    [("clean", True), ("awgn-8bit", True), ("awgn-jpeg", True), ("blur-any", True), ("awgn", False)],
)
def test_what_is_8_bits_travels_as_such_and_comes_out_the_same(name, is_8_bits, rng):
    clean = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8).astype(np.float32) / np.float32(255)
    side = as_side([DEGRADATIONS[name](clean, rng), DEGRADATIONS[name](clean, rng)])
    assert (packed(side).dtype == torch.uint8) == is_8_bits
    assert torch.equal(unpacked(packed(side)), side)


def test_8_bits_in_the_corner_alone_are_not_taken_for_the_whole():
    side = torch.zeros(1, 3, 16, 16)
    side[..., 9, 9] = 0.3
    assert packed(side).dtype == torch.float32


def test_loaders_give_the_batches_that_the_process_makes_itself(data):
    sampler = CropSampler(data, {"awgn-25": 0.5, "clean": 0.5}, 1, 0)
    request = Request(3, 32, (0, 1))
    for small, plain in zip(Batches(sampler, True)[request], Batches(sampler, False)[request], strict=True):
        assert torch.equal(unpacked(small), plain)


def test_a_sample_s_degradation_and_whether_it_is_drawn_are_known_without_making_it(data, monkeypatch):
    monkeypatch.setattr("hfpie_cli.data.crops.draw_any", lambda rng, height, width: np.full((height, width, 3), 2.0))
    sampler = CropSampler(data, {"awgn-50": 0.5, "clean": 0.5}, 1, 0, drawn=0.5)
    kinds = [sampler.kind(step, 0) for step in range(24)]
    pairs = [sampler.sample(step, 0, 32) for step in range(24)]
    assert [(name == "awgn-50", drawn) for name, drawn in kinds] == [
        (not np.array_equal(*pair), bool((pair[1] == 2).all())) for pair in pairs
    ]
    assert len(set(kinds)) == 4


def test_all_cores_but_one_load():
    assert loaders(16, 1) == 15
    assert loaders(128, 8) == 15
    assert loaders(1, 1) == loaders(4, 8) == 1


def test_processes_ask_for_their_shares_and_for_large_crops_at_the_end(data, tmp_path):
    run = setup(changed(steps=10, finish=Finish(0.5, 64, 2)), tmp_path / "run", CPU)
    asked = iter(Requests(run, Steps(run.config)))
    assert [next(asked) for _ in range(6)][4:] == [Request(4, 32, (0, 1, 2, 3)), Request(5, 64, (0, 1))]
    degraded, clean = next(iter(batches(run, data, Steps(run.config))))
    assert degraded.shape == clean.shape == (4, 3, 32, 32)


def numbered(count, side=8):
    """Batches of two pairs; every pixel of a pair tells which it is."""
    for number in range(count):
        values = torch.tensor([2.0 * number, 2.0 * number + 1])[:, None, None, None]
        yield values.expand(2, 3, side, side).clone(), values.expand(2, 3, 2 * side, 2 * side).clone()


def test_echoes_are_pairs_of_the_last_batches():
    steps = list(Echoes(3, 0)(numbered(60)))
    assert len(steps) == 180
    for step, (degraded, clean) in enumerate(steps):
        pairs = degraded[:, 0, 0, 0]
        assert torch.equal(pairs, clean[:, 2, 5, 5])
        newest = step // 3
        oldest = newest if step % 3 == 0 else max(newest - 31, 0)
        assert all(2 * oldest <= pair <= 2 * newest + 1 for pair in pairs.tolist())
    assert len({float(pair) for degraded, _ in steps for pair in degraded[:, 0, 0, 0]}) == 120


def test_echoes_turn_both_sides_alike_and_keep_to_one_size():
    side = torch.rand(1, 3, 8, 8)
    steps = list(Echoes(9, 0)([(side, side * 2), (side[..., :4, :4], side[..., :4, :4] * 2)]))
    assert all(torch.equal(clean, degraded * 2) for degraded, clean in steps)
    assert all(degraded.is_contiguous(memory_format=torch.channels_last) for degraded, _ in steps[1:9])
    assert len({degraded.sum(1).numpy().tobytes() for degraded, _ in steps[:9]}) > 3
    assert [degraded.shape[2] for degraded, _ in steps] == [8] * 9 + [4] * 9


def test_a_run_with_echoes_asks_for_fewer_batches(data, tmp_path):
    run = setup(changed(steps=10, echo=4), tmp_path / "run", CPU)
    asked = iter(Requests(run, Steps(run.config)))
    assert [next(asked).step for _ in range(3)] == [0, 4, 8]
    made = batches(run, data, Steps(run.config))
    assert torch.equal(next(made)[1], next(batches(run, data, Steps(run.config)))[1])
    assert next(made)[0].shape == (4, 3, 32, 32)


def test_waiting_is_told(data, tmp_path):
    run = train(changed(steps=2), tmp_path / "run", data)
    assert 0 < log_of(tmp_path / "run")[0]["waiting"] < 1

    def slow():
        for _ in range(2):
            time.sleep(0.2)
            yield

    pace = Pace(run)
    for _ in pace.waiting_for(slow()):
        time.sleep(0.2)
    assert pace.waiting() == pytest.approx(0.5, abs=0.2)
