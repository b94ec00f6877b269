"""Compares arrangements of the network's scales: today's and the previous one, trained side by side.

    python benchmarks/scales.py --data DATA/train --out runs/scales --minutes 20 [awgn bicubic-x4 night defocus]

Both train from random weights for the same minutes, at once, on half of the cores each. Prints the held-out scores of
both on the way, and what each part of them is worth at the end. Existing runs are not repeated.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

import hfpie_cli
from hfpie_cli.models.legacy import LegacyConfig
from hfpie_cli.settings import default_threads
from hfpie_cli.training.config import Finish, TrainConfig, load_config
from hfpie_cli.training.layout import recipe_path

BEFORE = {
    1: LegacyConfig(blocks=(8, 8, 6), unshuffle=2),
    4: LegacyConfig(blocks=(4, 4, 3), scale=4, tail=24),
}  # by scale


@dataclass(frozen=True)
class Trial:
    """recipe: whose network, optimiser and crops are taken. degradation: trained on. validation: scored."""

    recipe: str
    degradation: str
    validation: tuple[str, ...]


TRIALS = {
    "awgn": Trial("compact-denoise-awgn", "awgn", ("awgn-25", "awgn-50")),
    "bicubic-x4": Trial("compact-sr-bicubic", "bicubic-x4", ("bicubic-x4",)),
    "night": Trial("compact-denoise", "sensor", ("night-20",)),
    "defocus": Trial("compact-deblur", "defocus-4", ("defocus-4",)),
}


def configurations(trial: Trial, minutes: float) -> dict[str, TrainConfig]:
    recipe = load_config(recipe_path(trial.recipe, ""))
    now = replace(
        recipe,
        degradation={trial.degradation: 1.0},
        validation=trial.validation,
        steps=0,
        minutes=minutes,
        finish=Finish(),
        drawn=0.0,
    )
    return {"before": replace(now, network=BEFORE[now.scale], weight_decay=0.0), "now": now}


def train(config: TrainConfig, data: Path, out: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    hfpie_cli.train(config, data, out)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def show(trial: Trial, name: str, out: Path) -> None:
    for network in ("before", "now"):
        folder = out / f"{name}-{network}"
        for row in rows_of(folder / "log.csv"):
            scores = "  ".join(f"{key} {float(row[key]):.2f}" for key in trial.validation)
            print(
                f"{name}  {network:6}  {60 * float(row['hours']):5.1f} min  step {row['step']:>6}  {scores}", flush=True
            )
        parts = rows_of(folder / "parts.csv")
        for row in (row for row in parts if row["step"] == parts[-1]["step"]):
            print(f"    {row['name']:12} largest {row['peak']:>9}  share {row['share']:>9}  worth {row['worth']:>9} dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", default=list(TRIALS), choices=[*TRIALS, []], metavar="TRIAL")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20)
    options = parser.parse_args()
    threads = max(default_threads() // 2, 1)
    for name in options.trials:
        both = configurations(TRIALS[name], options.minutes)
        missing = {key: config for key, config in both.items() if not (options.out / f"{name}-{key}").exists()}
        processes = [
            multiprocessing.get_context("spawn").Process(
                target=train, args=(config, options.data, options.out / f"{name}-{key}", threads)
            )
            for key, config in missing.items()
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        show(TRIALS[name], name, options.out)


if __name__ == "__main__":
    main()
