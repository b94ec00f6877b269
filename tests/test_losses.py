"""Losses against values computed by hand, their gradients, and the runs that use them."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from hfpie_cli import Restorer
from hfpie_cli.distributed import Ranks
from hfpie_cli.models.discriminator import Discriminator
from hfpie_cli.models.highpass import HighpassConfig, HighpassNetwork, fft_highpass
from hfpie_cli.models.network import NetworkConfig
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.tensors import to_tensor
from hfpie_cli.training import losses
from hfpie_cli.training.config import TrainConfig, load_config, write_config
from hfpie_cli.training.gan import adversarial_step, make_adversaries
from hfpie_cli.training.log import RunLog
from hfpie_cli.training.losses import GMS_C, GmsMask, LossConfig
from hfpie_cli.training.objective import HighpassExtraction, Restoration, shifted
from hfpie_cli.training.run import setup
from hfpie_cli.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tests.conftest import make_photos, open_photos
from tests.test_train import CPU, train

EXAMPLES = Path(__file__).parent.parent / "examples"


def step_edge(height: float, side=16) -> torch.Tensor:
    """Two levels: 0 on the left, `height` on the right."""
    picture = torch.zeros(1, 3, side, side)
    picture[..., side // 2 :] = height
    return picture


def test_the_gradient_of_a_step_is_its_height():
    magnitude = losses.gradient_magnitude(step_edge(0.6))
    assert magnitude[0, 0, :, 7:9] == pytest.approx(torch.full((16, 2), 0.6))
    assert not magnitude[..., :6].any()


def test_gms_of_two_steps_is_equation_3():
    similarity = losses.gms_map(step_edge(0.6), step_edge(0.2))
    expected = 1 - (2 * 0.6 * 0.2 + GMS_C) / (0.6**2 + 0.2**2 + GMS_C)
    assert similarity[0, 0, 5, 7].item() == pytest.approx(expected, rel=1e-5)
    assert similarity[0, 0, 5, 3].item() == 0
    assert pytest.approx(170 / 65025) == GMS_C


def test_opening_removes_specks_and_keeps_regions():
    mask = torch.zeros(1, 1, 12, 12)
    mask[..., 1, 1] = 1
    mask[..., 5:10, 4:9] = 1
    opened = losses.opening(mask, 3)
    assert opened[..., 1, 1] == 0
    assert torch.equal(opened[..., 4:, :], mask[..., 4:, :])


def test_the_soft_mask_is_high_inside_bad_regions_and_has_no_gradient():
    clean = torch.tensor([0.0, 0, 1, 1]).repeat(16).expand(1, 3, 64, 64)  # a gradient everywhere
    restored = clean.clone()
    restored[..., 16:48, 16:48] = 0.5
    restored.requires_grad_(True)
    mask = losses.soft_mask(restored, clean, GmsMask())
    assert not mask.requires_grad
    assert mask[0, 0, 32, 32] > 0.9
    assert mask[0, 0, 2, 2] < 0.01
    assert 0.05 < mask[0, 0, 16, 32] < 0.95


@pytest.mark.parametrize(
    ("weights", "degraded"),
    [
        ("compact.denoise", "chelsea_noisy.png"),
        ("compact.deblur", "chelsea_blurred.png"),
        ("compact.sr-x4", "chelsea_small.png"),
    ],
)
def test_the_soft_mask_covers_what_a_shipped_network_restores_badly(weights, degraded):
    restored = Restorer.from_weights(weights, precision="fp32")(EXAMPLES / degraded)
    clean = read_photo(EXAMPLES / "chelsea.png").pixels[: restored.shape[0], : restored.shape[1]]
    a, b = (to_tensor(pixels)[None] for pixels in (restored, clean))
    mask, error = losses.soft_mask(a, b, GmsMask()), (a - b).abs().mean(1, keepdim=True)
    inside, outside = ((error * part).sum() / part.sum() for part in (mask, 1 - mask))
    assert 0.05 < mask.mean() < 0.6
    assert inside > 1.3 * outside


def test_a_lucky_speck_inside_a_bad_region_is_masked_as_bad():
    clean = torch.tensor([0.0, 0, 1, 1]).repeat(16).expand(1, 3, 64, 64)
    restored = torch.full_like(clean, 0.5)
    restored[..., 30:33, 30:34] = clean[..., 30:33, 30:34]  # well restored: their gradients agree
    assert losses.gms_map(restored, clean)[0, 0, 31, 31] < GmsMask().threshold
    assert losses.soft_mask(restored, clean, GmsMask())[0, 0, 31, 31] > 0.9


def test_blurring_a_mask_keeps_its_sum():
    mask = torch.zeros(1, 1, 31, 31)
    mask[..., 15, 15] = 1
    blurred = losses.gaussian_blur(mask, 1.5)
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    assert (blurred[0, 0, 15] * (torch.arange(31) - 15) ** 2).sum() / blurred[0, 0, 15].sum() == pytest.approx(
        1.5**2, rel=0.06
    )


def test_the_fft_high_pass_keeps_what_is_above_the_cutoff():
    at = torch.arange(64) / 64
    slow, fast = torch.cos(2 * torch.pi * 4 * at), torch.cos(2 * torch.pi * 16 * at)
    picture = (0.5 + slow + fast).expand(1, 3, 64, 64)
    assert torch.allclose(fft_highpass(picture, 0.125), fast.expand(1, 3, 64, 64), atol=1e-5)


def test_the_high_pass_loss_is_the_difference_of_the_first_two_layers():
    torch.manual_seed(0)
    network, a, b = HighpassNetwork(HighpassConfig(width=4)), torch.rand(1, 3, 9, 9), torch.rand(1, 3, 9, 9)
    first = [network.layers[0](x - 0.5).relu() for x in (a, b)]
    second = [network.layers[1](x).relu() for x in first]
    expected = (first[0] - first[1]).abs().mean() + (second[0] - second[1]).abs().mean()
    assert losses.highpass_loss(a, b, network).item() == pytest.approx(expected.item(), rel=1e-6)
    a.requires_grad_(True)
    losses.highpass_loss(a, b, network).backward()
    assert a.grad.abs().sum() > 0


def test_the_psnr_loss_falls_with_the_psnr_of_each_picture():
    clean = torch.full((2, 3, 8, 8), 0.5)
    restored = clean + torch.tensor([0.1, 0.01])[:, None, None, None]
    assert losses.psnr_loss(restored, clean).item() == pytest.approx((np.log(0.1) + np.log(0.01)) / 2, abs=0.02)
    assert losses.psnr_loss(clean, clean).item() == pytest.approx(np.log(0.5 / 255))


def test_an_exact_picture_does_not_score_infinity():
    picture = torch.rand(16, 16, 3).numpy()
    assert Restoration(LossConfig()).score(picture, picture) == 45
    assert Restoration(LossConfig()).score(picture + 0.1, picture) < 25


def test_adversarial_losses_at_known_logits():
    zero, sure = torch.zeros(4), torch.full((4,), 20.0)
    assert losses.generator_loss(zero).item() == pytest.approx(np.log(2))
    assert losses.generator_loss(sure).item() < 1e-6
    assert losses.discriminator_loss(zero, zero).item() == pytest.approx(np.log(2))
    assert losses.discriminator_loss(-sure, sure).item() < 1e-6


def test_the_discriminator_notices_the_finest_detail_first():
    torch.manual_seed(0)
    judge, picture = Discriminator(8), torch.rand(1, 3, 32, 48)
    board = torch.ones(32, 48)
    board[::2, 1::2] = board[1::2, ::2] = -1
    with torch.no_grad():
        judged, brighter, detailed = (judge([x])[0] for x in (picture, picture + 0.02, picture + 0.02 * board))
    assert judged.shape == (1, 1, 4, 6)
    assert (detailed - judged).abs().mean() > 3 * (brighter - judged).abs().mean()


def test_what_strided_layers_see_moves_over_all_places_of_their_grid():
    at = torch.arange(40.0)
    picture = (at[:, None] * 40 + at).expand(1, 1, 40, 40)
    cut = [shifted(picture, torch.tensor(step)) for step in range(64)]
    assert {tuple(c.shape) for c in cut} == {(1, 1, 32, 32)}
    assert {divmod(int(c[0, 0, 0, 0]), 40) for c in cut} == {(top, left) for top in range(8) for left in range(8)}


def test_a_gan_step_trains_both_sides():
    torch.manual_seed(0)
    config = LossConfig(pixel=1, adversarial=0.1, discriminator_width=4)
    objective, adversaries = Restoration(config), make_adversaries(config, CPU, Ranks())
    judge = adversaries["picture"].network
    before = [p.clone() for p in judge.parameters()]
    restored = torch.rand(2, 3, 32, 32, requires_grad=True)
    adversarial_step(objective, adversaries, restored, torch.rand(2, 3, 32, 32), 0).backward()
    assert restored.grad.abs().sum() > 0
    assert any(not torch.equal(a, b) for a, b in zip(before, judge.parameters(), strict=True))
    assert all(p.requires_grad for p in judge.parameters())


def test_masking_leaves_good_regions_without_a_gradient():
    clean = torch.rand(1, 3, 64, 64)
    restored = clean + 1e-4
    restored[..., :, 40:] = 0.5
    restored.requires_grad_(True)
    Restoration(LossConfig(gms=True)).loss(restored, clean, 0).backward()
    assert not restored.grad[..., :, :20].any()
    assert restored.grad[..., :, 56:].abs().sum() > 0


def test_the_loss_network_learns_the_high_pass(rng, tmp_path):
    data = open_photos(make_photos(tmp_path / "photos", rng, coarse=(40, 48)))
    config = TrainConfig(
        task="highpass",
        network=HighpassConfig(width=8),
        degradation={"clean": 1.0},
        validation=("clean",),
        crop=32,
        batch=4,
        steps=150,
        optimizer="adam",
        rate=1e-2,
        ema=0.9,
        validate_every=150,
    )
    write_config(config, tmp_path / "config.toml")
    assert load_config(tmp_path / "config.toml") == config
    run = train(config, tmp_path / "run", data)
    assert run.best > 3
    assert isinstance(run.objective, HighpassExtraction)
    assert load_checkpoint(tmp_path / "run/best.safetensors").config == config.network


def test_a_gan_run_resumes_with_its_discriminator(data, tmp_path, monkeypatch):
    network = HighpassNetwork(HighpassConfig(width=4))
    loss_network = tmp_path / "highpass.safetensors"
    save_checkpoint(loss_network, Checkpoint(network.config, network.state_dict(), {}))
    monkeypatch.setattr("hfpie_cli.training.objective.HIGHPASS_WEIGHTS", str(loss_network))
    config = TrainConfig(
        task="sr",
        network=NetworkConfig(widths=(8, 8, 8), bodies=(1, 1, 1), scale=4),
        degradation={"small-photo-x4": 1.0},
        validation=("bicubic-x4",),
        crop=32,
        batch=2,
        steps=4,
        losses=LossConfig(highpass=0.5, adversarial=0.01, gms=True, discriminator_width=4),
        validate_every=2,
    )
    straight = train(config, tmp_path / "straight", data)
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "report", lambda self, *told, **more: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", data)
    assert setup(config, tmp_path / "stopped", CPU).step in (2, 3)
    resumed = train(config, tmp_path / "stopped", data)
    for one, other in (
        (straight.network, resumed.network),
        (straight.adversaries["picture"].network, resumed.adversaries["picture"].network),
    ):
        assert all(torch.equal(weight, other.state_dict()[name]) for name, weight in one.state_dict().items())
