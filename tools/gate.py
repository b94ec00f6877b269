"""Fit the gate of joined experts to what each of them, and halves of two, scored on many crops; see tools/join.py."""

from __future__ import annotations

import argparse
import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.models.experts import Experts
from hfpie_cli.models.quantisation import COARSE, READS, STEP
from hfpie_cli.training.objective import SCORE_LIMIT

CLOSE = 0.2  # dB between experts, from which the better one is clearly preferred
LIGHTLY = 0.03  # of the ridge: what JPEG left is read by few numbers, which may weigh much
PHOTOGRAPHS = "photographs"  # in a handicap: all crops that are not drawn
OF_DRAWN = " drawn"  # behind the degradation of a drawn crop
CLEAN = 5.0  # dB that all but the first expert count less on what that one leaves as it is


def with_halves(scores: Tensor) -> Tensor:
    """The scores of all halves: where they were not measured, the mean of both experts and what halves gain over it.

    For each two experts, a line by how far their own scores lie apart, fitted to what was measured; level where fewer
    than two distances were. Halves of experts of which one is far worse are far better than their mean.
    """
    alone = scores.diagonal(dim1=1, dim2=2)
    means, apart = (alone[:, :, None] + alone[:, None]) / 2, (alone[:, :, None] - alone[:, None]).abs()
    filled = scores.clone()
    print("dB that halves of two experts are better than their mean: where both score alike, more for each dB apart")
    for i in range(scores.shape[1]):
        for j in range(i):
            known = ~scores[:, i, j].isnan()
            if not known.any():  # of two shapes: one of both restores
                filled[:, i, j] = filled[:, j, i] = means[:, i, j]
                continue
            gains, gaps = (scores - means)[known, i, j], apart[known, i, j]
            columns = torch.stack([torch.ones_like(gaps), gaps], 1)[:, : 2 if len(gaps.unique()) > 1 else 1]
            alike, slope = F.pad(torch.linalg.lstsq(columns, gains[:, None]).solution.flatten(), (0, 1))[:2]
            print(f"{j + 1} and {i + 1}: {alike:.2f}, {slope:.2f}")
            guessed = means[:, i, j] + alike + slope * apart[:, i, j]
            filled[:, i, j] = filled[:, j, i] = torch.where(known, scores[:, i, j], guessed)
    return filled


def leaving_alone(scores: Tensor) -> Tensor:
    """Scores by which what the first expert leaves as it is, is left to it: all others have CLEAN less there.

    Beyond SCORE_LIMIT all look alike, but a clean picture must come out unchanged.
    """
    clean = scores[:, 0, 0] >= SCORE_LIMIT - 0.01
    less = torch.full(scores.shape[1:], CLEAN)
    less[0, 0] = 0
    return torch.where(clean[:, None, None], scores.clamp(max=SCORE_LIMIT) - less, scores)


@dataclasses.dataclass(frozen=True)
class Handicap:
    """What an expert counts less on some degradations, or on all photographs."""

    expert: int
    degradations: frozenset[str]
    less: float
    """dB."""


def handicap(text: str) -> Handicap:
    """EXPERT:DEGRADATION[,...]:DB or EXPERT:photographs:DB, experts numbered from 1.

    Raises ArgumentTypeError for a name or number that does not exist, ValueError for another form.
    """
    expert, names, less = text.split(":")
    if unknown := sorted(set(names.split(",")) - {PHOTOGRAPHS, *DEGRADATIONS}):
        raise argparse.ArgumentTypeError(f"no degradations: {', '.join(unknown)}")
    if int(expert) < 1:
        raise argparse.ArgumentTypeError(f"experts are numbered from 1: {expert}")
    return Handicap(int(expert) - 1, frozenset(names.split(",")), float(less))


def handicapped(scores: Tensor, reads: Tensor, degradations: list[str], handicaps: list[Handicap]) -> Tensor:
    """Scores of crops of these degradations, less what the handicaps say; half of it where two experts are mixed.

    Where the logarithm of JPEG's step exceeds COARSE, nothing is taken off for a degradation: real noise does not
    survive that.
    """
    scores, fine = scores.clone(), reads[:, STEP - READS] < COARSE
    for one in handicaps:
        rows = fine & torch.tensor([name.removesuffix(OF_DRAWN) in one.degradations for name in degradations])
        if PHOTOGRAPHS in one.degradations:
            rows |= torch.tensor([not name.endswith(OF_DRAWN) for name in degradations])
        scores[rows, one.expert] -= one.less / 2
        scores[rows, :, one.expert] -= one.less / 2
    return scores


def expected(shares: Tensor, scores: Tensor) -> Tensor:
    """PSNR expected of shares (n, experts) by the parabolas through the measured mixtures (n, experts, experts)."""
    alone = scores.diagonal(dim1=1, dim2=2)
    between = scores - (alone[:, :, None] + alone[:, None]) / 2  # of halves beyond the mean of both
    return (shares * alone).sum(1) + 2 * (shares[:, :, None] * shares[:, None] * between).sum((1, 2))


def fit_gate(joined: Experts, reads: Tensor, scores: Tensor, ridge: float, close: float = CLOSE) -> None:
    """Fit the gate by L-BFGS, from equal shares; `reads` and `scores` are those of `observe`.

    First to choose the best expert, then to maximise what one expert drawn by these shares scores, last what they
    score mixed. Mixtures of experts that are far apart are worse than each of them: fitted to mixtures too soon, the
    gate gets stuck at the wrong one.
    """
    reads, scores = reads.clone(), scores.clone()  # out of inference mode
    middle, spread = reads.mean(0), reads.std(0) + 1e-6
    standard = (reads - middle) / spread
    weight = torch.zeros(scores.shape[1], reads.shape[1], requires_grad=True)
    bias = torch.zeros(scores.shape[1], requires_grad=True)
    alone = scores.diagonal(dim1=1, dim2=2)
    best = (alone / close).softmax(1)
    ridges = torch.full(reads.shape[1:], ridge)
    ridges[-READS:] *= LIGHTLY

    def logits() -> Tensor:
        return standard @ weight.T + bias

    def choosing() -> Tensor:
        return F.cross_entropy(logits(), best)

    def drawing() -> Tensor:
        return -(logits().softmax(1) * alone).sum(1).mean()

    def mixing() -> Tensor:
        return -expected(logits().softmax(1), scores).mean()

    for loss in (choosing, drawing, mixing):
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

        def closure() -> float:
            optimizer.zero_grad()  # noqa: B023
            total = (ridges * weight.square()).sum() + loss()  # noqa: B023
            total.backward()
            return float(total.detach())

        optimizer.step(closure)
    with torch.no_grad():
        shares = logits().softmax(1)
        chosen = ", ".join(f"{share:.2f}" for share in shares.mean(0))
        print(f"dB over {len(reads)} crops: experts {', '.join(f'{score:.3f}' for score in alone.mean(0))}, ", end="")
        print(f"the best of each {alone.max(1).values.mean():.3f}, mixed {expected(shares, scores).mean():.3f}")
        print(f"shares {chosen}")
        joined.gate.weight.copy_(weight / spread)
        joined.gate.bias.copy_(bias - weight @ (middle / spread))
