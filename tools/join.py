"""Join checkpoints as experts of one network, and fit the gate that mixes those of one shape.

    python -m tools.join OUT A B [C ...] --recipes RECIPE_OF_A RECIPE_OF_B [RECIPE_OF_C ...] --data DATA/train

The gate is fitted to crops that are made as the recipes make them: half of them as the first does, the others in equal
parts as the further ones do. It is fitted first to choose the best expert of each, then to maximise the PSNR of one
expert drawn by the shares, last that of the mixtures, as measured for each expert and, on the first crops, for half of
each two. Experts that were trained far apart are worse mixed than alone; then the gate chooses.
There may be more recipes than experts: crops that the gate must know. A recipe that is named twice counts twice.
`--also 1200 RECIPE ...` adds crops of other recipes, which would be few among all.
Where the first recipe is adversarial, perceptual loss in dB takes the place of PSNR, except on drawn crops: a
letter has one right shape.
`--less 1:day-any,sensor:1.0` counts 1 dB less for the first expert on these degradations, where it is better on
simulated noise than on real pairs; but not behind JPEG of quality 61 and less. `--less 3:photographs:3.0` keeps an
expert of drawings from photographs.
It takes one process a core; set OMP_NUM_THREADS=1. `--observed FILE` keeps what was read and scored as it goes on, and
takes it from there the next time: after an interruption only the rest is made, and another ridge is fitted in seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import dropwhile
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from hfpie_cli.data.crops import CropSampler, validation_pair
from hfpie_cli.data.sources import Opener
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.device import choose_device
from hfpie_cli.files import atomic_path, cache_folder, sha256_of
from hfpie_cli.models.experts import Experts, ExpertsConfig
from hfpie_cli.models.network import NetworkConfig
from hfpie_cli.models.pooling import SAMPLE_GRID
from hfpie_cli.models.spectrum import luma
from hfpie_cli.tensors import to_tensor
from hfpie_cli.training.config import TrainConfig, load_config
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.loading import sampler_of
from hfpie_cli.training.losses import perceptual_loss
from hfpie_cli.training.objective import SCORE_LIMIT
from hfpie_cli.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hfpie_cli.weights.perceptual import load_classifier
from hfpie_cli.weights.registry import resolve
from tools.gate import CLOSE, OF_DRAWN, PHOTOGRAPHS, fit_gate, handicap, handicapped, leaving_alone, with_halves

CROP = 512  # side of the clean crops that the gate reads, pixels
SCORED = 160  # side of their centre, which is scored
SMALL = (200, 256, 320)  # sides of the crops that are read as pictures of one tile
DRAWN = 0.75  # of the clean crops
CROPS = ("dark", "drawn", "shrunk", "sharpened")  # shares of the crops that are made so
HALVED = 300  # crops that halves of two experts are measured on
PARTS = 50  # that the crops are observed in: what an interruption can lose
GREY = 17  # every so many crops one is grey: its chroma tells nothing

Observed = tuple[Tensor, Tensor, list[str]]  # what `observe` returns
Measure = Callable[[Tensor, Tensor], Tensor]  # of restored and clean pictures (n, 3, h, w): dB


@dataclasses.dataclass(frozen=True)
class Crops:
    """What kind of crops the experts are observed on."""

    recipes: tuple[str, ...]
    """Their names: half of the crops as the first makes them, half as the others do."""
    judge: str
    """Name of the recipe that says by what the experts are compared."""
    degraded: int
    """From this number on they are clean, most of them drawn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("experts", nargs="+")
    parser.add_argument("--recipes", nargs="+", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=4000)
    parser.add_argument(
        "--clean", type=int, default=1500, help="clean crops beside them, which are only read; x4: none"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--ridge", type=float, default=0.003, help="weight of the gate's squared weights, dB")
    parser.add_argument(
        "--close",
        type=float,
        default=CLOSE,
        help="dB between experts from which the better one is clearly preferred; less where experts are nearly alike",
    )
    parser.add_argument(
        "--less",
        type=handicap,
        action="append",
        default=[],
        metavar="EXPERT:DEGRADATION[,...]:DB",
        help="dB that an expert counts less on these degradations of the recipes; repeatable",
    )
    parser.add_argument("--also", nargs="+", metavar=("CROPS", "RECIPE"), help="more crops, as these recipes make them")
    parser.add_argument("--observed", type=Path, help="file of what was read and scored; continued where it lacks some")
    given = parser.parse_args()
    if given.also and (len(given.also) < 2 or not given.also[0].isdecimal()):
        parser.error(f"--also: a number of crops, then recipes, not {' '.join(given.also)}")
    joined, first = join(given.experts)
    recipe = recipe_of(given.recipes)
    for one in given.less:
        if one.expert >= len(given.experts) or not one.degradations <= {PHOTOGRAPHS, *recipe.degradation}:
            parser.error(
                f"--less: no expert {one.expert + 1}, or not all of {', '.join(one.degradations)} in the recipes"
            )
    _, held_out = photographs(recipe, given.data)  # decoded before the processes start
    count = given.crops + (given.clean if recipe.scale == 1 else 0)
    digests, kept = [sha256_of(resolve(name).path) for name in given.experts], given.observed

    def observed(recipes: list[str], degraded: int, count: int, kept: Path | None) -> Observed:
        look = partial(observe, tuple(given.experts), given.data, Crops(tuple(recipes), given.recipes[0], degraded))
        asked = [*digests, given.recipes[0], *recipes, str(degraded), str(count)]
        return observe_all(look, count, given.processes, asked, kept)

    reads, scores, degradations = observed(given.recipes, given.crops, count, kept)
    if given.also:
        more = observed(given.also[1:], int(given.also[0]), int(given.also[0]), kept and Path(f"{kept}.also"))
        reads, scores, degradations = torch.cat([reads, more[0]]), torch.cat([scores, more[1]]), degradations + more[2]
    scores = handicapped(leaving_alone(with_halves(scores)), reads, degradations, given.less)
    fit_gate(joined, reads, scores, given.ridge, given.close)
    save_checkpoint(given.out, dataclasses.replace(first, config=joined.config, weights=joined.state_dict()))
    for name in recipe.validation:
        scores_there = held_out_scores(joined, held_out, name, measure_of(recipe))
        print(name, *(f"{score:.2f}" for score in scores_there), flush=True)


def recipe_of(names: Sequence[str]) -> TrainConfig:
    return mixed([load_config(recipe_path(name, "")) for name in names])


def mixed(recipes: list[TrainConfig]) -> TrainConfig:
    """The first recipe with crops of all: half as it makes them, half as the others do; what any of them validates."""
    first, others = recipes[0], recipes[1:]
    weights = [0.5] + [0.5 / len(others)] * len(others) if others else [1.0]
    degradations: dict[str, float] = defaultdict(float)
    for weight, recipe in zip(weights, recipes, strict=True):
        for name, share in recipe.degradation.items():
            degradations[name] += weight * share / sum(recipe.degradation.values())
    shares = {
        kind: sum(weight * getattr(recipe, kind) for weight, recipe in zip(weights, recipes, strict=True))
        for kind in CROPS
    }
    validated = dict.fromkeys(name for recipe in recipes for name in recipe.validation)
    return dataclasses.replace(first, degradation=dict(degradations), validation=tuple(validated), **shares)


def join(names: Sequence[str]) -> tuple[Experts, Checkpoint]:
    """(the network of these experts, its gate random; the first one's checkpoint)."""
    parts = [load_checkpoint(resolve(name).path) for name in names]
    shapes = [part.config for part in parts if isinstance(part.config, NetworkConfig)]
    if len(shapes) < len(parts):
        raise SystemExit("join.py: the experts must be networks that restore, not experts themselves")
    first, *others = shapes
    joined = Experts(ExpertsConfig(first, len(parts), tuple(dropwhile(first.__eq__, others)))).eval()
    for expert, part in zip(joined.experts, parts, strict=True):
        expert.load_state_dict(dict(part.weights))
    return joined, parts[0]


def photographs(recipe: TrainConfig, data: Path) -> tuple[TrainingSet, TrainingSet]:
    """(those to fit the gate to, those held out)."""
    cache, shrinks = cache_folder() / "decoded", recipe.shrunk > 0
    opener = Opener(recipe.task, recipe.scale, cache, lambda line: None, shrinks=shrinks)
    return opener.training_set(data, None, None).split()


@torch.inference_mode()
def held_out_scores(joined: Experts, held_out: TrainingSet, degradation: str, measure: Measure) -> list[float]:
    """Mean score of held-out pictures, every second one: of each expert, of what the gate mixes."""
    networks = [*joined.experts, joined]
    totals = torch.zeros(len(networks), dtype=torch.float64)
    chosen, device = range(0, len(held_out.photos), 2), choose_device("cpu", residual=True)
    for number in chosen:
        pair = validation_pair(held_out, degradation, joined.config.scale, number)
        degraded, clean = (to_tensor(side)[None] for side in pair)
        with device.autocast():
            totals += torch.stack([measure(network(degraded).float(), clean) for network in networks])
    return (totals / len(chosen)).tolist()


def capped(restored: Tensor, clean: Tensor) -> Tensor:
    """PSNR in dB, at most SCORE_LIMIT."""
    return (-10 * (restored.clamp(0, 1) - clean).square().mean().log10()).clamp(max=SCORE_LIMIT)


def measure_of(recipe: TrainConfig) -> Measure:
    """What experts are compared by, in dB: PSNR, or how small the perceptual loss is if the recipe is adversarial."""
    if not recipe.losses.is_adversarial:
        return capped
    classifier = load_classifier().eval()

    def likeness(restored: Tensor, clean: Tensor) -> Tensor:
        return -10 * perceptual_loss(classifier(restored.clamp(0, 1)), classifier(clean)).log10()

    return likeness


def observe_all(
    look: Callable[[range], Observed], count: int, processes: int, asked: list[str], kept: Path | None
) -> Observed:
    """All of `count` crops, in PARTS, looked at by several processes.

    kept: file of those there are already. Raises SystemExit if it was made for other things than `asked`.
    """
    parts: dict[int, Observed] = {}
    if kept and kept.exists():
        of, parts = torch.load(kept)
        if of != asked:
            raise SystemExit(f"join.py: {kept}: of other experts, recipes or crops: name another --observed")
    missing = [start for start in range(min(PARTS, count)) if start not in parts]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        looked = pool.map(look, [range(start, count, PARTS) for start in missing])
        for start, part in zip(missing, looked, strict=True):
            parts[start] = part
            if kept:
                with atomic_path(kept) as temporary:
                    torch.save((asked, parts), temporary)
            print(f"{len(parts)} of {min(PARTS, count)} parts", flush=True)
    made = [parts[start] for start in sorted(parts)]
    reads, scores = torch.cat([part[0].float() for part in made]), torch.cat([part[1] for part in made])
    return reads, scores, [name for part in made for name in part[2]]


@cache
def prepared(names: Sequence[str], data: Path, crops: Crops) -> tuple[Experts, CropSampler, Measure]:
    """What `observe` works with: loaded once a process."""
    recipe = recipe_of(crops.recipes)
    return join(names)[0], sampler_of(recipe, photographs(recipe, data)[0]), measure_of(recipe_of([crops.judge]))


@torch.inference_mode()
def observe(names: tuple[str, ...], data: Path, crops: Crops, numbers: range) -> Observed:
    """What the gate reads of these crops, (crops, reads); scores of the mixtures, (crops, experts, experts); their
    degradations.

    It reads every second crop as a photograph of many tiles, the others as one of a single tile. The mixture of an
    expert with itself is that expert, that of two is half of each: not a number from HALVED on, or for two shapes. From
    number `crops.degraded` on the crops are clean, most of them drawn, and all experts count as if they kept them.
    """
    (joined, sampler, measure), device = prepared(names, data, crops), choose_device("cpu", residual=True)
    clean_ones = dataclasses.replace(sampler, mix={"clean": 1.0}, drawn=DRAWN, shrunk=0.0, sharpened=0.0)
    count, side, scale = len(names), joined.config.network.sample_side, joined.config.scale
    halves = torch.eye(count)[:, None] / 2 + torch.eye(count) / 2  # (i, j, shares)
    shapes, pairs = joined.config.shapes, ((i, j) for i in range(count) for j in range(i + 1))
    mixtures = {(i, j): joined.mixed(halves[i, j]) for i, j in pairs if shapes[i] == shapes[j]}
    reads, scores, degradations = [], torch.full((len(numbers), count, count), torch.nan), []
    for row, number in enumerate(numbers):
        chosen = sampler if number < crops.degraded else clean_ones
        degraded, clean = chosen.batch(number, [0], CROP)
        name, drawn = chosen.kind(number, 0)
        degradations.append(name + OF_DRAWN if drawn else name)
        if number % GREY == 0:
            degraded, clean = grey(degraded), grey(clean)
        with device.autocast():
            seen = squares(degraded, side) if number % 2 else centre(degraded, SMALL[number // 2 % len(SMALL)] // scale)
            reads.append(joined.gate_input(seen))
            if number >= crops.degraded:
                scores[row].fill_diagonal_(SCORE_LIMIT)
                continue
            degraded, clean = centre(degraded, SCORED // scale), centre(clean, SCORED)
            judge = capped if drawn else measure
            for (i, j), network in mixtures.items():
                if i == j or number < HALVED:
                    scores[row, i, j] = scores[row, j, i] = judge(network(degraded).float(), clean)
    return torch.stack(reads), scores, degradations


def grey(pictures: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) in grey: their luma in all channels."""
    return luma(pictures)[:, None].repeat(1, 3, 1, 1)


def squares(picture: Tensor, side: int) -> Tensor:
    """The grid of squares that a photograph's averages are measured on: (1, c, h, w) to (n, c, side, side)."""
    starts = [int(at) for at in torch.linspace(0, picture.shape[-1] - side, SAMPLE_GRID).tolist()]
    return torch.cat([picture[..., y : y + side, x : x + side] for y in starts for x in starts])


def centre(picture: Tensor, side: int) -> Tensor:
    """The central square of that side."""
    start = (picture.shape[-1] - side) // 2
    return picture[..., start : start + side, start : start + side]


if __name__ == "__main__":
    main()
