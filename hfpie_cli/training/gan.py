"""Adversarial training (paper 4.2.3): discriminators that learn beside the network, and the step that trains both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..device import Device
from ..distributed import Ranks
from ..models.classifier import CHANNELS
from ..models.discriminator import Discriminator, MapsDiscriminator
from . import losses
from .losses import LossConfig
from .objective import CPU, Restoration

ALONE = Ranks()
DISCRIMINATOR_BETAS = (0.5, 0.99)


class Adversary:
    """A discriminator and its optimiser.

    network: a list of (n, ...) tensors, its view of n pictures -> a list of (n, ...) logits. weight: of its loss term.
    """

    def __init__(
        self, network: nn.Module, weight: float, rate: float, device: Device = CPU, ranks: Ranks = ALONE
    ) -> None:
        self.weight, self.device = weight, device
        self.network = network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._trained = ranks.together(self.network)
        self.optimizer = torch.optim.Adam(
            network.parameters(), lr=rate, betas=DISCRIMINATOR_BETAS, **_kind_of_adam(device)
        )

    def part(self) -> None:
        """Release the wrapper that averages gradients, as Run.part does."""
        self._trained = self.network

    def state(self) -> dict[str, Any]:
        """State for a resumed run."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.network.load_state_dict(state["network"])
        groups = [{**group, **_kind_of_adam(self.device)} for group in state["optimizer"]["param_groups"]]
        self.optimizer.load_state_dict({**state["optimizer"], "param_groups": groups})

    def learn(self, restored: Sequence[Tensor], clean: Sequence[Tensor]) -> None:
        """Train the discriminator for one step."""
        shown = [torch.cat([a.detach(), b]) for a, b in zip(restored, clean, strict=True)]
        with self.device.autocast():
            judged = self._trained(shown)
        loss = torch.stack([losses.discriminator_loss(*logits.float().chunk(2)) for logits in judged]).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def judge(self, restored: Sequence[Tensor]) -> Tensor:
        """The generator's adversarial loss; leaves no gradient in the discriminator."""
        self.network.requires_grad_(False)
        with self.device.autocast():
            judged = self.network(restored)
        self.network.requires_grad_(True)
        return torch.stack([losses.generator_loss(logits.float()) for logits in judged]).mean()


def _kind_of_adam(device: Device) -> dict[str, bool]:
    """Arguments of torch's Adam: on CUDA one kernel, which a graph can record."""
    on_gpu = device.torch_device.type == "cuda"
    return {"fused": on_gpu, "capturable": on_gpu}


def make_adversaries(config: LossConfig, device: Device, ranks: Ranks) -> dict[str, Adversary]:
    """The discriminators that the losses need, by their view of the pictures; may be empty."""
    width, rate, found = config.discriminator_width, config.discriminator_rate, {}
    if config.adversarial > 0:
        found["picture"] = Adversary(Discriminator(width), config.adversarial, rate, device, ranks)
    if config.adversarial_maps > 0:
        found["maps"] = Adversary(MapsDiscriminator(CHANNELS, width), config.adversarial_maps, rate, device, ranks)
    return found


def adversarial_step(
    objective: Restoration, adversaries: Mapping[str, Adversary], restored: Tensor, clean: Tensor, step: Tensor
) -> Tensor:
    """One step of every discriminator, then the network's loss with their adversarial terms."""
    total, views = objective.compared(restored, clean, step)
    for view, adversary in adversaries.items():
        adversary.learn(views[view].restored, views[view].clean)
        total = total + adversary.weight * adversary.judge(views[view].restored)
    return total
