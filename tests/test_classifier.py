"""The classifier of the perceptual loss: shapes, weights, and the loss of some pictures."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from hfpie_cli.distributed import Ranks
from hfpie_cli.errors import UnavailableError
from hfpie_cli.models.classifier import CHANNELS, SameConv
from hfpie_cli.training import losses
from hfpie_cli.training.config import load_config
from hfpie_cli.training.gan import adversarial_step, make_adversaries
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.losses import LossConfig
from hfpie_cli.training.objective import CPU, Restoration
from hfpie_cli.weights import perceptual
from hfpie_cli.weights.perceptual import load_classifier
from tools.join import measure_of


@pytest.fixture(scope="module")
def network():
    return load_classifier()


@pytest.fixture(scope="module")
def cat():
    """The example photograph, 192 x 192, as (1, 3, h, w)."""
    picture = Image.open("examples/chelsea.png").convert("RGB").crop((100, 50, 292, 242))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


def test_maps_halve_as_the_architecture_says(network, cat):
    with torch.inference_mode():
        shapes = [tuple(m.shape[1:]) for m in network(cat)]
    assert shapes == [
        (32, 96, 96),
        (96, 96, 96),
        *[(144, 48, 48)] * 2,
        *[(240, 24, 24)] * 2,
        *[(480, 12, 12)] * 3,
        *[(672, 12, 12)] * 2,
    ]
    assert [channels for channels, *_ in shapes] == list(CHANNELS)


def test_trained_weights_give_activations_on_the_scale_they_were_trained_for(network, cat):
    """Folding a normalisation wrongly lets the maps grow or shrink, or leaves most of them at 0 or 6."""
    with torch.inference_mode():
        maps = network(cat)
    assert all(m.min() >= 0 and m.max() <= 6 for m in maps)
    deviations = [m.std().item() for m in maps]
    assert all(0.7 < deviation < 2.1 for deviation in deviations), deviations
    between = [((m > 0) & (m < 6)).float().mean().item() for m in maps]
    assert all(0.3 < share < 0.8 for share in between), between


def test_padding_at_stride_2_is_below_and_right():
    convolution = SameConv(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, 0] = 1
    assert torch.equal(convolution(corner)[0, 0], torch.tensor([[1.0, 0], [0, 0]]))
    assert torch.equal(convolution(corner.flip(2, 3))[0, 0], torch.tensor([[0, 0], [0, 1.0]]))


def test_the_perceptual_loss_grows_with_blur(network, cat):
    def loss(picture):
        with torch.inference_mode():
            return losses.perceptual_loss(network(picture), network(cat)).item()

    blurred = [F.avg_pool2d(cat, k, 1, k // 2, count_include_pad=False) for k in (3, 5, 9)]
    values = [loss(cat), *map(loss, blurred)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values == sorted(values)
    assert values[1] > 0.05


def test_the_perceptual_loss_reaches_the_restored_picture_alone(cat):
    restored = (cat * 0.9).requires_grad_(True)
    objective = Restoration(LossConfig(pixel=0, perceptual=1))
    objective.loss(restored, cat, 0).backward()
    assert restored.grad.abs().sum() > 0
    assert all(p.grad is None for p in objective.classifier.parameters())


def test_a_discriminator_of_the_maps_is_trained_and_trains_the_restored_picture(cat):
    torch.manual_seed(0)
    config = LossConfig(pixel=0, adversarial_maps=1, discriminator_width=4)
    objective, adversaries = Restoration(config), make_adversaries(config, CPU, Ranks())
    judge = adversaries["maps"].network
    before = [p.clone() for p in judge.parameters()]
    blurred = F.avg_pool2d(cat, 5, 1, 2).requires_grad_(True)
    first = adversarial_step(objective, adversaries, blurred, cat, 0)
    first.backward()
    assert blurred.grad.abs().sum() > 0
    for _ in range(20):
        last = adversarial_step(objective, adversaries, blurred, cat, 0)
    assert all(not torch.equal(a, b) for a, b in zip(before, judge.parameters(), strict=True))
    assert last > first + 0.01  # it learns to tell the blurred picture


def test_without_the_package_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as caught:
        load_classifier()
    assert "hfpie[perceptual]" in caught.value.hint
    assert "losses.perceptual=0" in caught.value.hint


def test_another_file_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(perceptual, "SHA256", "0" * 64)
    with pytest.raises(UnavailableError, match="not the file"):
        load_classifier()


@pytest.mark.parametrize(("recipe", "adversarial"), [("compact-sr", False), ("compact-sr-gan", True)])
def test_experts_are_compared_by_what_they_were_trained_for(network, cat, recipe, adversarial):
    measure = measure_of(load_config(recipe_path(recipe, "")))
    restored = F.avg_pool2d(F.pad(cat, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    with torch.inference_mode():
        distances = losses.perceptual_loss(network(restored), network(cat)), (restored - cat).square().mean()
        measured = float(measure(restored, cat))
    assert measured == pytest.approx(-10 * float(distances[0 if adversarial else 1].log10()), abs=1e-3)
