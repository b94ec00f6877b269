"""Muon: orthogonalised momentum for inner 3x3 kernels, Adam for all other parameters.

After Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). Convolution kernels
(outputs, inputs, 3, 3) are taken as matrices (outputs, 9 inputs); kernels of one shape are orthogonalised together.

An orthogonalised update has the same size however small the gradient is, so that a kernel of little use would grow
without bound. Weight decay limits it: its singular values stay below 1 / decay.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan's quintic iteration
NEWTON_SCHULZ_STEPS = 5
MOMENTUM = 0.95
ADAM_SHARE = 0.5  # Adam's rate as a share of Muon's


def orthogonalise(matrices: Tensor) -> Tensor:
    """Roughly the nearest semi-orthogonal matrices (values 0.7 to 1.2): (k, rows, columns), rows <= columns."""
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; for parameters of 4 dimensions (convolution kernels).

    decay: decoupled weight decay, times the rate a step.
    """

    def __init__(self, params: ParamsT, lr: float, *, decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Apply the gradients; `closure` is not used."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._step_alike(parameters, group["lr"], group["decay"])

    def _step_alike(self, parameters: list[nn.Parameter], lr: float, decay: float) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        momenta = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        looked_ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)
        matrices = torch.stack([update.flatten(1) for update in looked_ahead])  # (k, outputs, 9 inputs)
        tall = matrices.shape[1] > matrices.shape[2]
        updates = orthogonalise(matrices.mT).mT if tall else orthogonalise(matrices)
        scale = max(1.0, matrices.shape[1] / matrices.shape[2]) ** 0.5
        torch._foreach_mul_(list[Tensor](parameters), 1 - lr * decay)
        shaped = [update.reshape(parameters[0].shape) for update in updates]
        torch._foreach_add_(list[Tensor](parameters), shaped, alpha=-lr * scale)


def make_optimizers(
    model: nn.Module, name: str, rate: float, *, decay: float, betas: tuple[float, float]
) -> list[torch.optim.Optimizer]:
    """`adam`: Adam on everything. `muon`: Muon on 3x3 kernels after the heads, Adam at half its rate on the rest.

    decay: weight decay of the kernels that Muon trains. Each group of parameters has a `share`, the part of the run's
    rate that it is trained at.
    """
    inner = [p for n, p in model.named_parameters() if p.shape[2:] == (3, 3) and not n.startswith("heads.")]
    if name == "adam" or not inner:
        return [torch.optim.Adam([{"params": list(model.parameters()), "share": 1.0}], lr=rate, betas=betas)]
    chosen = {id(p) for p in inner}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    adam = torch.optim.Adam([{"params": rest, "share": ADAM_SHARE}], lr=rate * ADAM_SHARE, betas=betas)
    return [Muon([{"params": inner, "share": 1.0}], lr=rate, decay=decay), adam]
