"""Recorded steps: on the CPU by a recorder that does the work again, on CUDA by graphs."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from hfpie_cli.device import Device, choose_training_device
from hfpie_cli.training import loop
from hfpie_cli.training.config import load_config
from hfpie_cli.training.graphs import WARM_UP, Recorded
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.run import setup
from tests.conftest import make_checkpoint

CPU = Device(torch.device("cpu"), "fp32")


class Again:
    """Does recorded work again, and puts what it gives where the recording put it, as a graph's kernels do."""

    def __init__(self, network):
        self.network, self.calls = network, []

    def aside(self, work):
        self.calls.append("aside")
        return work()

    def record(self, work):
        parameters = list(self.network.parameters())
        losses = work()
        gradients = [parameter.grad for parameter in parameters]
        self.calls.append("record")

        def replay():
            for parameter in parameters:
                parameter.grad = None
            for kept, new in zip(losses, work(), strict=True):
                kept.copy_(new)
            for kept, parameter in zip(gradients, parameters, strict=True):
                kept.copy_(parameter.grad)
                parameter.grad = None  # kernels know nothing of attributes
            self.calls.append("replay")

        return replay, losses


def trained(shapes, recorder=None):
    """(weights after steps of these shapes, their losses) of a convolution whose loss depends on the step."""
    torch.manual_seed(0)
    network = nn.Conv2d(3, 3, 3, padding=1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)

    def work(degraded, clean, step):
        loss = (network(degraded) - clean * (1 + 0.1 * step)).square().mean()
        loss.backward()
        return loss.detach(), nn.utils.clip_grad_norm_(network.parameters(), 1.0)

    compute, losses = (Recorded(work, network.parameters(), recorder(network)) if recorder else work), []
    for step, shape in enumerate(shapes):
        batch = torch.rand(2, *shape, generator=torch.Generator().manual_seed(step))
        losses.append(float(compute(batch[0], batch[1], torch.tensor(step))[0]))
        optimizer.step()
        optimizer.zero_grad()
    return network.weight.detach(), losses


def test_recorded_steps_train_as_others_do_also_when_the_shape_changes():
    large, small = (2, 3, 16, 16), (4, 3, 8, 8)
    shapes = [large] * 8 + [small] * 6 + [large] * 2
    recorders = []

    def recorder(network):
        recorders.append(Again(network))
        return recorders[0]

    weights, losses = trained(shapes)
    recorded_weights, recorded_losses = trained(shapes, recorder)
    assert recorded_losses == pytest.approx(losses, rel=1e-6)
    assert torch.allclose(recorded_weights, weights, atol=1e-6)
    warm_up = ["aside"] * WARM_UP
    assert recorders[0].calls == [
        *[*warm_up, "record", *["replay"] * (8 - WARM_UP)],
        *[*warm_up, "record", *["replay"] * (6 - WARM_UP)],
        *["replay"] * 2,
    ]


def test_a_cpu_records_nothing(tmp_path):
    config = load_config(recipe_path("compact-sr-bicubic", ""), ["network.widths=[4, 4, 4]", "steps=1"])
    assert not isinstance(loop.chosen_gradients(setup(config, tmp_path / "run", CPU)), Recorded)


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", ["compact-denoise-awgn", "compact-sr-bicubic", "compact-sr-gan-bicubic"])
def test_graphs_train_as_single_kernels_do(recipe, tmp_path, monkeypatch):
    """Ten steps of each on one batch: losses within 2 %, for cuDNN may choose other convolutions."""
    shape = {"widths": "[16, 16, 16]", "tails": "[1, 1, 0]", "bodies": "[1, 1, 1]"}
    config = load_config(
        recipe_path(recipe, ""), [*(f"network.{key}={value}" for key, value in shape.items()), "steps=10"]
    )
    init = make_checkpoint(tmp_path / "init.safetensors", **vars(config.network))
    device = choose_training_device("cuda")
    torch.manual_seed(0)
    side = 32 if config.scale == 4 else 128
    degraded = torch.rand(4, 3, side, side, device="cuda")
    clean = nn.functional.interpolate(degraded, scale_factor=config.scale, mode="bicubic").clamp(0, 1)
    found = {}
    for way in ("graphs", "kernels"):
        run = setup(replace(config, precision="bf16"), tmp_path / way, device, init=init)
        gradients = loop.chosen_gradients(run)
        assert isinstance(gradients, Recorded)
        if way == "kernels":
            gradients = gradients._work
        found[way] = []
        for _ in range(10):
            loss, norm = loop.train_step(run, gradients, degraded, clean, 1e-3)
            found[way].append([float(loss), float(norm)])
            run.step += 1
    losses = [torch.tensor(found[way])[:, 0] for way in found]
    assert torch.allclose(*losses, rtol=0.02, atol=0.01), found
