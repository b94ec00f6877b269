"""Join checkpoints of one network as experts of one, and fit the gate that mixes them.

    python tools/join.py OUT A B [C ...] --recipe compact-deblur --data DATA/train

The gate is fitted to crops of the recipe's degradations: it maximises the PSNR of the mixtures, as measured for each
expert and for half of each two. Experts that were trained far apart are worse mixed than alone; then the gate chooses.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from hfpie_cli.data.crops import CropSampler, validation_pair
from hfpie_cli.data.sources import Opener
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.files import cache_folder
from hfpie_cli.models.experts import Experts, ExpertsConfig
from hfpie_cli.models.network import NetworkConfig
from hfpie_cli.models.pooling import SAMPLE_GRID
from hfpie_cli.tensors import to_tensor
from hfpie_cli.training.config import TrainConfig, load_config
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.objective import SCORE_LIMIT
from hfpie_cli.weights.checkpoint import load_checkpoint, save_checkpoint
from hfpie_cli.weights.registry import resolve

CROP = 256  # side of the part of each crop that is restored, pixels
HALVED = 150  # crops that halves of two experts are measured on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("experts", nargs="+")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=1500)
    parser.add_argument("--ridge", type=float, default=0.02, help="weight of the gate's squared weights, dB")
    given = parser.parse_args()
    parts = [load_checkpoint(resolve(name).path) for name in given.experts]
    network = parts[0].config
    if not isinstance(network, NetworkConfig) or any(part.config != network for part in parts):
        parser.error("the experts must be networks of one shape")
    config = ExpertsConfig(network, len(parts))
    joined = Experts(config).eval()
    for expert, part in zip(joined.experts, parts, strict=True):
        expert.load_state_dict(dict(part.weights))
    recipe = load_config(recipe_path(given.recipe, ""))
    opener = Opener(recipe.task, recipe.scale, cache_folder() / "decoded", print)
    training, held_out = opener.training_set(given.data, None, None).split()
    reads, scores = observe(joined, recipe, training, given.crops)
    fit_gate(joined, reads, scores, given.ridge)
    save_checkpoint(given.out, dataclasses.replace(parts[0], config=config, weights=joined.state_dict()))
    for name in recipe.validation:
        print(name, *(f"{score:.2f}" for score in score(joined, held_out, name)), flush=True)


@torch.inference_mode()
def score(joined: Experts, held_out: TrainingSet, degradation: str) -> list[float]:
    """Mean PSNR on held-out pictures, every second one: of the input, of each expert, of what the gate mixes."""
    networks = [nn.Identity(), *joined.experts, joined]
    totals = torch.zeros(len(networks), dtype=torch.float64)
    chosen = range(0, len(held_out.photos), 2)
    for number in chosen:
        degraded, clean = (to_tensor(side)[None] for side in validation_pair(held_out, degradation, 1, number))
        with torch.autocast("cpu", torch.bfloat16):
            totals += torch.stack([capped(network(degraded).float(), clean) for network in networks])
    return (totals / len(chosen)).tolist()


def capped(restored: Tensor, clean: Tensor) -> Tensor:
    """PSNR in dB, at most SCORE_LIMIT."""
    return (-10 * (restored.clamp(0, 1) - clean).square().mean().log10()).clamp(max=SCORE_LIMIT)


@torch.inference_mode()
def observe(joined: Experts, recipe: TrainConfig, training: TrainingSet, count: int) -> tuple[Tensor, Tensor]:
    """(what the gate reads of each crop (count, reads), PSNR of the mixtures (count, experts, experts)).

    The mixture of an expert with itself is that expert, that of two is half of each. What halves lose or gain over the
    mean of both is measured on the first HALVED crops, and taken as that for the others.
    """
    sampler = CropSampler(training, recipe.degradation, recipe.scale, recipe.seed, recipe.dark, recipe.drawn)
    side = joined.config.network.sample_side
    crop = max(SAMPLE_GRID * side, CROP)
    halves = torch.eye(len(joined.experts))[:, None] / 2 + torch.eye(len(joined.experts)) / 2  # (i, j, shares)
    mixtures = {(i, j): joined.mixed(halves[i, j]) for i in range(len(halves)) for j in range(i + 1)}
    reads, scores = [], torch.empty(count, *halves.shape[:2])
    for number in range(count):
        degraded, clean = sampler.batch(number, [0], crop)
        with torch.autocast("cpu", torch.bfloat16):
            squares = degraded.unfold(2, side, side).unfold(3, side, side)  # as of a photograph: 4 x 4 of them
            reads.append(joined.gate_input(squares.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)))
            degraded, clean = degraded[..., :CROP, :CROP], clean[..., :CROP, :CROP]
            for (i, j), network in mixtures.items():
                if i == j or number < HALVED:
                    scores[number, i, j] = scores[number, j, i] = capped(network(degraded).float(), clean)
    alone = scores.diagonal(dim1=1, dim2=2)
    means = (alone[:, :, None] + alone[:, None]) / 2
    between = (scores - means)[:HALVED].mean(0)
    return torch.stack(reads), torch.where(torch.arange(count)[:, None, None] < HALVED, scores, means + between)


def expected(shares: Tensor, scores: Tensor) -> Tensor:
    """PSNR expected of shares (n, experts) by the parabolas through the measured mixtures (n, experts, experts)."""
    alone = scores.diagonal(dim1=1, dim2=2)
    between = scores - (alone[:, :, None] + alone[:, None]) / 2  # of halves beyond the mean of both
    return (shares * alone).sum(1) + 2 * (shares[:, :, None] * shares[:, None] * between).sum((1, 2))


def fit_gate(joined: Experts, reads: Tensor, scores: Tensor, ridge: float) -> None:
    """Fit the gate by L-BFGS, from equal shares; `reads` and `scores` are those of `observe`."""
    reads, scores = reads.clone(), scores.clone()  # out of inference mode
    middle, spread = reads.mean(0), reads.std(0) + 1e-6
    standard = (reads - middle) / spread
    weight = torch.zeros(scores.shape[1], reads.shape[1], requires_grad=True)
    bias = torch.zeros(scores.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        mean = expected((standard @ weight.T + bias).softmax(1), scores).mean()
        loss = ridge * weight.square().sum() - mean
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    with torch.no_grad():
        shares, alone = (standard @ weight.T + bias).softmax(1), scores.diagonal(dim1=1, dim2=2)
        chosen = ", ".join(f"{share:.2f}" for share in shares.mean(0))
        print(f"dB over {len(reads)} crops: experts {', '.join(f'{score:.3f}' for score in alone.mean(0))}, ", end="")
        print(f"the best of each {alone.max(1).values.mean():.3f}, mixed {expected(shares, scores).mean():.3f}")
        print(f"shares {chosen}")
        joined.gate.weight.copy_(weight / spread)
        joined.gate.bias.copy_(bias - weight @ (middle / spread))


if __name__ == "__main__":
    main()
