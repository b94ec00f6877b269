"""Gain of folding attention into convolutions: one tile, folded and unfolded in turn, in one run on a CPU.

    python benchmarks/levers.py CHECKPOINT [--side 256] [--rounds 5] [--threads 1]

The checkpoint must be of a network of one set of weights (architecture restoration-3). The median of the rounds' ratios
of processor time counts. Differences are from the unfolded network at fp32, on a seeded picture.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from hfpie_cli.device import PRECISIONS, Device
from hfpie_cli.models.fold import fold
from hfpie_cli.models.network import Network
from hfpie_cli.models.pooling import MeasuringPool, RecalledPool
from hfpie_cli.weights.checkpoint import load_checkpoint


def timed(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """(result, seconds of processor time)."""
    started = time.process_time()
    result = run()
    return result, time.process_time() - started


def compare(network: Network, tile: Tensor, precision: str, rounds: int) -> str:
    """One row: the ratio of times, and what either differs from fp32."""
    pool = MeasuringPool()
    exact = network(tile, pool)
    folded = fold(network, pool.averages, PRECISIONS[precision])

    def unfolded() -> Tensor:
        with Device(torch.device("cpu"), precision).autocast():
            return network(tile, RecalledPool(pool.averages))

    ratios = []
    for _ in range(rounds + 1):
        plain, before = timed(unfolded)
        quick, after = timed(lambda: folded(tile))
        ratios.append(before / after)
    off = [f"{255 * (result - exact).abs().max():.4f}" for result in (plain, quick)]
    gain = statistics.median(ratios[1:])  # the first round warms up
    return f"{precision}: folded {gain:.2f} times as fast; off by at most {off[0]}/255 unfolded, {off[1]}/255 folded"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = load_checkpoint(options.checkpoint).network()
    if not isinstance(network, Network):
        parser.error(f"{options.checkpoint} does not hold a network of one set of weights")
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tile = torch.rand(1, 3, options.side, options.side).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        for precision in ("fp32", "bf16"):
            print(compare(network, tile, precision, options.rounds), flush=True)


if __name__ == "__main__":
    main()
