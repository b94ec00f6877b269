"""Experts: networks, mixed into one for each photograph as a gate reads its averages; here all of one shape."""

import io
from argparse import ArgumentTypeError
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hfpie_cli import Restorer
from hfpie_cli.data.benchmarks import Pair
from hfpie_cli.device import Device
from hfpie_cli.evaluation.parts import examine_weights
from hfpie_cli.models.experts import Experts, ExpertsConfig, diagonal, expert_weights
from hfpie_cli.models.network import NetworkConfig
from hfpie_cli.models.quantisation import COARSE, READS, STEP, jpeg_traces
from hfpie_cli.models.spectrum import BANDS, CHROMA_BANDS, log_chroma_spectrum
from hfpie_cli.photos.photo import Photo
from hfpie_cli.tensors import to_tensor
from hfpie_cli.training.run import setup
from hfpie_cli.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hfpie_cli.weights.registry import resolve
from tests.conftest import smooth_picture
from tests.test_train import changed
from tools.gate import expected, fit_gate, handicap, handicapped, with_halves
from tools.join import CROP, PARTS, Crops, capped, grey, mixed, observe, observe_all

SHAPE = NetworkConfig(widths=(8, 12, 16), bodies=(1, 2, 1), tails=(1, 1, 0), unshuffle=2)
CPU = Device(torch.device("cpu"), "fp32")
NOISY, PLAIN = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.full((1, 3, 32, 32), 0.5)


@pytest.fixture
def experts() -> Experts:
    """Two experts and a gate that gives them equal shares."""
    torch.manual_seed(0)
    experts = Experts(ExpertsConfig(SHAPE, 2)).eval().requires_grad_(False)
    experts.gate.weight.zero_()
    experts.gate.bias.zero_()
    return experts


def chosen(experts: Experts, number: int) -> None:
    """Make the gate choose one expert, whatever it reads."""
    experts.gate.bias.copy_(torch.where(torch.arange(len(experts.experts)) == number, 50.0, -50.0))


def told_apart(experts: Experts, one: torch.Tensor, other: torch.Tensor) -> None:
    """Make the gate choose the first expert for one picture and the second for the other."""
    reads = experts.gate_input(one), experts.gate_input(other)
    across = (reads[0] - reads[1]) / (reads[0] - reads[1]).square().sum()
    experts.gate.weight.copy_(torch.stack([4 * across, -4 * across]))
    experts.gate.bias.copy_(-experts.gate.weight @ (reads[0] + reads[1]) / 2)


@pytest.mark.parametrize("number", [0, 1])
def test_the_chosen_expert_alone_restores(experts, number):
    chosen(experts, number)
    picture = torch.rand(2, 3, 40, 32)
    expected = experts.experts[number](picture)
    assert torch.allclose(experts(picture), expected, atol=1e-6)
    assert torch.allclose(experts.mixed_for(picture)(picture), expected, atol=1e-6)


def test_equal_shares_are_the_mean_of_the_weights(experts):
    mixed = experts.mixed_for(NOISY).state_dict()
    first, second = (expert.state_dict() for expert in experts.experts)
    assert all(torch.allclose(weight, (first[name] + second[name]) / 2) for name, weight in mixed.items())


def test_every_picture_of_a_batch_gets_its_own_weights(experts):
    told_apart(experts, NOISY, PLAIN)
    assert experts.shares(NOISY).tolist() == pytest.approx([0.982, 0.018], abs=0.002)  # softmax of 2 and -2
    assert experts.shares(PLAIN).tolist() == pytest.approx([0.018, 0.982], abs=0.002)
    alone = torch.cat([experts(NOISY), experts(PLAIN)])
    assert torch.allclose(experts(torch.cat([NOISY, PLAIN])), alone, atol=1e-6)


def test_all_tiles_of_a_photograph_are_restored_by_the_same_weights(experts):
    told_apart(experts, torch.rand(1, 3, 64, 64), torch.full((1, 3, 64, 64), 0.5))
    pixels = np.random.default_rng(0).integers(0, 256, (300, 280, 3), dtype=np.uint8)
    pixels[150:] = 128  # a part that would get other weights by itself
    tiled, whole = (Restorer(experts, device=CPU, tile=side, overlap=80).restore(Photo(pixels)) for side in (224, 512))
    assert (tiled.tiles > 1, whole.tiles) == (True, 1)
    assert np.abs(tiled.photo.pixels.astype(int) - whole.photo.pixels).max() <= 1


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"tta": True}, {"strength": 0.5}])
def test_photographs_restored_side_by_side_come_out_as_alone(experts, options):
    told_apart(experts, NOISY, PLAIN)
    kept = {name: weight.clone() for name, weight in experts.state_dict().items()}
    device = Device(torch.device("cpu"), options.pop("precision", "fp32"))
    restorer = Restorer(experts, device=device, tile=128, **options)
    random = np.random.default_rng(0)
    photos = [Photo(random.integers(0, 2 + 30 * i, (64 + 16 * i, 72, 3), dtype=np.uint8)) for i in range(8)]
    alone = [restorer.restore(photo).photo.pixels for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: restorer.restore(photo).photo.pixels, photos))
    assert all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))
    assert all(torch.equal(weight, kept[name]) for name, weight in experts.state_dict().items())


def test_frames_of_a_shot_share_their_weights(experts):
    told_apart(experts, NOISY, PLAIN)
    random = np.random.default_rng(0)
    frames = [Photo(random.integers(0, 256, (40, 48, 3), dtype=np.uint8)), Photo(np.full((40, 48, 3), 128, np.uint8))]
    restorer = Restorer(experts, device=CPU)
    shared = restorer.share(frames)
    both = torch.from_numpy(np.stack([frame.pixels for frame in frames])).permute(0, 3, 1, 2) / 255
    expected = Restorer(experts.mixed_for(both), device=CPU)
    for frame in frames:
        mine = restorer.restore(frame, shared=shared).photo.pixels
        assert np.array_equal(mine, expected.restore(frame, shared=expected.share(frames)).photo.pixels)


def test_averages_that_overflow_are_measured_at_fp32(experts):
    for name, weight in experts.named_parameters():
        if name.startswith("experts.0.heads"):
            weight.mul_(1e7)
    with torch.autocast("cpu", torch.float16):
        assert not experts.gate_input(NOISY).isfinite().all()
        assert experts.shares(NOISY).isfinite().all()


def test_a_photograph_is_judged_by_the_squares_on_the_diagonal_of_its_sample(experts):
    grid = torch.rand(16, 3, 64, 64)
    assert torch.equal(experts.gate_input(grid), experts.gate_input(grid[[0, 5, 10, 15]]))


@pytest.mark.parametrize("number", [0, 1])
def test_a_picture_of_one_tile_is_restored_once(experts, number):
    ran: list[tuple[int, torch.Size]] = []
    for each, expert in enumerate(experts.experts):
        expert.register_forward_hook(lambda _, given, out, each=each: ran.append((each, given[0].shape)))
    chosen(experts, number)
    experts(torch.rand(1, 3, 130, 98))
    assert ran == [(0, (2, 3, 65, 49)), (number, (1, 3, 130, 98))]


@pytest.mark.parametrize(
    ("size", "starts"),
    [
        ((193, 259), [[0, 0], [48, 64], [96, 128], [144, 192]]),
        ((191, 259), [[0, 0], [95, 129]]),
        ((97, 400), [[0, 0], [48, 200]]),
    ],
)
def test_the_gate_reads_the_diagonal_of_a_picture(size, starts):
    rows, columns = torch.meshgrid(*map(torch.arange, size), indexing="ij")
    squares = diagonal(torch.stack([rows, columns])[None].float())
    side = torch.tensor(starts[1])
    assert squares.shape == (len(starts), 2, *side)
    assert [square[:, 0, 0].tolist() for square in squares] == starts
    assert all(torch.equal(square[:, -1, -1], square[:, 0, 0] + side - 1) for square in squares)


def test_the_gate_reads_all_of_a_small_picture():
    small = torch.rand(1, 3, 95, 400)
    assert diagonal(small) is small


def test_a_picture_is_judged_alike_whether_it_is_one_tile_or_many(experts):
    picture = torch.rand(1, 3, 130, 98)
    assert torch.equal(experts.gate_input(picture), experts.gate_input(diagonal(picture)))


def test_a_checkpoint_of_experts_is_read_as_it_was_written(experts, tmp_path):
    torch.nn.init.normal_(experts.gate.weight)
    save_checkpoint(tmp_path / "e.safetensors", Checkpoint(experts.config, experts.state_dict(), {"task": "deblur"}))
    read, picture = load_checkpoint(tmp_path / "e.safetensors").network(), torch.rand(1, 3, 32, 32)
    assert isinstance(read, Experts)
    assert torch.equal(read(picture), experts(picture))


def test_a_run_starts_from_the_first_expert(experts, tmp_path):
    save_checkpoint(tmp_path / "e.safetensors", Checkpoint(experts.config, experts.state_dict(), {"task": "denoise"}))
    lines: list[str] = []
    run = setup(changed(network=SHAPE), tmp_path / "run", CPU, init=tmp_path / "e.safetensors", say=lines.append)
    first = expert_weights(experts.state_dict(), 0)
    assert all(torch.equal(weight, first[name]) for name, weight in run.network.state_dict().items())
    assert lines == [f"{tmp_path / 'e.safetensors'}: starting from the first of its 2 experts"]


def test_the_parts_of_every_expert_are_measured(experts, tmp_path):
    path = tmp_path / "e.safetensors"
    save_checkpoint(path, Checkpoint(experts.config, experts.state_dict(), {"task": "deblur"}))
    clean = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    parts = examine_weights(resolve(str(path)), [Pair(Photo(clean // 2), clean)])
    one = ["body 1", "body 1/2", "body 1/4", "tail 1", "tail 1/2", "up from 1/2", "up from 1/4"]
    assert [part.name for part in parts] == [f"expert {number}, {name}" for number in (1, 2) for name in one]
    assert all(part.worth is not None for part in parts)


@pytest.mark.parametrize("between", [0.0, -5.0])
def test_the_gate_is_fitted_to_what_restores_best(between):
    """Two kinds of pictures, each with its own best expert; halves of both are worse than either, or not."""
    torch.manual_seed(0)
    kinds, experts = torch.arange(600) % 2, Experts(ExpertsConfig(SHAPE, 2))
    reads = torch.randn(600, experts.gate.in_features) * 0.1
    reads[:, 0] += kinds
    alone = torch.stack([30.0 - 2 * kinds, 28.0 + 2 * kinds], 1)
    scores = torch.diag_embed(alone)
    scores[:, 0, 1] = scores[:, 1, 0] = 29.0 + between
    fit_gate(experts, reads, scores, 0.02)
    shares = (reads @ experts.gate.weight.T + experts.gate.bias).softmax(1)
    assert shares[kinds == 0, 0].min() > 0.7
    assert shares[kinds == 1, 1].min() > 0.7
    assert float(expected(shares, scores).mean()) > 29.7


def test_halves_that_were_not_measured_gain_by_the_distance_of_the_experts():
    alone = 30 + torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) * 6
    apart = (alone[:, 0] - alone[:, 1]).abs()
    true = alone.mean(1) - 0.2 + 0.3 * apart
    scores = torch.diag_embed(alone)
    scores[:, 0, 1] = scores[:, 1, 0] = true.where(torch.arange(40) < 10, torch.nan)
    filled = with_halves(scores)
    assert torch.allclose(filled[:, 0, 1], true, atol=1e-3)
    assert torch.equal(filled[:, 0, 1], filled[:, 1, 0])
    assert torch.equal(filled.diagonal(dim1=1, dim2=2), alone)


def test_halves_measured_at_one_distance_gain_the_same_everywhere():
    scores = torch.diag_embed(torch.tensor([[30.0, 32.0], [30.0, 32.0], [30.0, 36.0]]))
    scores[:, 0, 1] = scores[:, 1, 0] = torch.tensor([31.5, 31.5, torch.nan])
    assert with_halves(scores)[2, 0, 1] == pytest.approx(33.5, abs=1e-4)


def test_the_gate_s_crops_are_made_by_half_as_the_first_recipe_s_and_in_equal_parts_as_the_others():
    general = changed(degradation={"awgn": 3.0, "clean": 1.0}, validation=("awgn", "clean"), drawn=0.1, dark=0.2)
    one = changed(degradation={"jpeg": 5.0}, validation=("jpeg",), shrunk=0.6, dark=0.4)
    other = changed(degradation={"awgn": 0.5, "impulse": 0.5}, validation=("impulse",), drawn=0.9, sharpened=0.3)
    all_three = mixed([general, one, other])
    shares = {"awgn": 0.375 + 0.125, "clean": 0.125, "jpeg": 0.25, "impulse": 0.125}
    assert all_three.degradation == pytest.approx(shares)
    assert all_three.validation == ("awgn", "clean", "jpeg", "impulse")
    made = (all_three.drawn, all_three.dark, all_three.shrunk, all_three.sharpened)
    assert made == pytest.approx((0.05 + 0.225, 0.1 + 0.1, 0.15, 0.075))
    alone = mixed([general])
    assert alone.degradation == pytest.approx({"awgn": 0.75, "clean": 0.25})
    assert (alone.drawn, alone.dark, alone.shrunk, alone.sharpened) == (0.1, 0.2, 0, 0)


def test_a_handicap_counts_on_its_degradations_alone_and_by_half_in_mixtures():
    scores, reads = torch.full((3, 2, 2), 30.0), torch.zeros(3, 9)
    handicaps = [handicap("2:awgn,jpeg:1.0"), handicap("1:jpeg:0.5")]
    less = handicapped(scores, reads, ["awgn", "sensor", "jpeg"], handicaps)
    assert less.tolist() == [[[30, 29.5], [29.5, 29]], [[30, 30], [30, 30]], [[29.5, 29.25], [29.25, 29]]]
    assert scores.min() == 30


def test_a_handicap_does_not_count_behind_coarse_jpeg():
    scores, reads = torch.full((2, 2, 2), 30.0), torch.zeros(2, 9)
    reads[:, STEP - READS] = torch.tensor([COARSE - 0.1, COARSE + 0.1])
    less = handicapped(scores, reads, ["jpeg", "jpeg"], [handicap("1:jpeg:1.0")])
    assert less.tolist() == [[[29, 29.5], [29.5, 30]], [[30, 30], [30, 30]]]


def test_a_gate_is_not_stuck_between_experts_that_are_worse_mixed():
    """A few pictures want the other expert, and halves are far worse: fitted to those at once, they stay undecided."""
    generator = torch.Generator().manual_seed(0)
    experts, few = Experts(ExpertsConfig(SHAPE, 2)), torch.arange(1000) % 20 == 0
    reads = torch.randn(1000, experts.gate.in_features, generator=generator)
    reads[:, -1] = few.float() + 0.2 * reads[:, -1]
    alone = torch.where(few[:, None], torch.tensor([30.4, 30.0]), torch.tensor([30.0, 31.0]))
    scores = torch.diag_embed(alone)
    scores[:, 0, 1] = scores[:, 1, 0] = 28.0
    fit_gate(experts, reads, scores, 0.003)
    shares = (reads @ experts.gate.weight.T + experts.gate.bias).softmax(1)
    assert shares[few, 0].mean() > 0.9
    assert shares[~few, 1].mean() > 0.95


def test_the_gate_reads_what_jpeg_left(experts):
    saved = Image.fromarray(smooth_picture(0, (128, 96)))
    file = io.BytesIO()
    saved.save(file, "jpeg", quality=30)
    picture = to_tensor(np.asarray(Image.open(file), np.float32) / np.float32(255))[None]
    read = experts.gate_input(picture)[-READS:]
    assert torch.equal(read, jpeg_traces(diagonal(picture)))
    assert read[STEP] > COARSE


def test_the_gate_reads_chroma(experts):
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    without = experts.gate_input(grey(picture))
    read = experts.gate_input(picture)
    first = len(read) - READS - (BANDS - 1) - (CHROMA_BANDS - 1) - CHROMA_BANDS
    assert torch.equal(read[first : first + CHROMA_BANDS], log_chroma_spectrum(picture))
    assert (without[first : first + CHROMA_BANDS] < read[first : first + CHROMA_BANDS] - 5).all()


def looked_at(folder, numbers):
    """What stands for a look at crops: their numbers, and a file for each call."""
    if numbers.start == 7 and not (folder / "mended").exists():
        raise RuntimeError("interrupted")
    (folder / f"{numbers.start}.{len(list(folder.iterdir()))}").touch()
    read = torch.tensor([[float(number)] for number in numbers])
    return read, read[:, :, None] * 2, [f"of {number}" for number in numbers]


def test_what_was_observed_before_an_interruption_is_not_observed_again(tmp_path):
    look, kept = partial(looked_at, tmp_path), tmp_path.with_suffix(".kept")
    with pytest.raises(RuntimeError, match="interrupted"):
        observe_all(look, 120, 1, ["a"], kept)
    (tmp_path / "mended").touch()
    reads, scores, names = observe_all(look, 120, 1, ["a"], kept)
    assert sorted(reads.flatten().tolist()) == list(range(120))
    assert torch.equal(scores[:, 0, 0], 2 * reads[:, 0])
    assert names == [f"of {int(number)}" for number in reads]
    starts = [path.stem for path in tmp_path.iterdir() if path.suffix]
    assert starts.count("0") == 1
    assert len(set(starts)) == PARTS
    with pytest.raises(SystemExit, match="of other experts"):
        observe_all(look, 120, 1, ["b"], kept)


@dataclass(frozen=True)
class EverySecondDrawn:
    """Stands for a sampler whose crops of odd numbers are drawn."""

    mix: dict[str, float] = field(default_factory=dict)
    drawn: float = 0.5
    shrunk: float = 0.0
    sharpened: float = 0.0

    def batch(self, step: int, indices: list[int], crop: int) -> tuple[torch.Tensor, torch.Tensor]:
        clean = torch.rand(1, 3, CROP, CROP, generator=torch.Generator().manual_seed(step))
        return clean / 2, clean

    def kind(self, step: int, index: int) -> tuple[str, bool]:
        return "halved", step % 2 == 1


def test_experts_are_compared_by_psnr_on_drawn_crops_whatever_judges_photographs(experts, monkeypatch):
    def judge(restored, clean):
        return capped(restored, clean) - 100

    monkeypatch.setattr("tools.join.prepared", lambda *given: (experts, EverySecondDrawn(), judge))
    _, scores, names = observe(("one", "other"), Path(), Crops(("any",), "any", 1000), range(1000 - 4, 1000))
    alone = scores.diagonal(dim1=1, dim2=2)
    assert (alone[::2] < -50).all()
    assert (alone[1::2] > 0).all()
    assert names == ["halved", "halved drawn"] * 2


def test_a_grey_crop_is_its_luma():
    picture = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(grey(picture)[:, 0], grey(picture)[:, 2])
    assert torch.allclose(grey(grey(picture)), grey(picture), atol=1e-6)


def test_a_handicap_on_photographs_spares_drawn_crops_alone():
    scores, reads = torch.full((3, 2, 2), 30.0), torch.zeros(3, READS)
    reads[1, STEP - READS] = COARSE + 1
    less = handicapped(scores, reads, ["jpeg", "jpeg", "jpeg drawn"], [handicap("2:photographs:3.0")])
    assert less.tolist() == [[[30, 28.5], [28.5, 27]]] * 2 + [[[30, 30], [30, 30]]]
    of_both = handicapped(scores, 0 * reads, ["clean", "clean drawn", "jpeg"], [handicap("2:clean:3.0")])
    assert of_both[:, 1, 1].tolist() == [27, 27, 30]


@pytest.mark.parametrize("text", ["1:noise:1.0", "0:awgn:1.0", "1:awgn", "one:awgn:1.0", "1:awgn:much"])
def test_a_handicap_is_an_expert_degradations_and_decibels(text):
    with pytest.raises((ValueError, ArgumentTypeError)):
        handicap(text)


def test_what_is_expected_of_shares_goes_through_the_measured_mixtures():
    scores = torch.tensor([[[30.0, 25.0], [25.0, 28.0]]])
    for shares, score in (([1, 0], 30.0), ([0, 1], 28.0), ([0.5, 0.5], 25.0)):
        assert expected(torch.tensor([shares]), scores).item() == pytest.approx(score)


@pytest.mark.parametrize("count", [0, 1, 9, 1.5, True])
def test_the_number_of_experts_is_checked(count):
    with pytest.raises(ValueError, match="experts must be a whole number from 2 to 8"):
        ExpertsConfig(SHAPE, count)


def test_experts_need_a_tail_for_the_gate_to_read():
    with pytest.raises(ValueError, match="experts need a tail at full scale"):
        ExpertsConfig(NetworkConfig(tails=(0, 1, 0)), 2)
