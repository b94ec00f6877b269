"""What a run would do: its files, their megapixels and the time that they take, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..console import Console, in_words
from ..jobs import Job
from ..pace import measure_pace
from ..restore import Restorer
from ..shown import counted
from .amount import Amount, measure_amounts


@dataclass(frozen=True)
class Forecast:
    """amounts: of each file. seconds: for all, None where the weights are not here to be timed. device: its name."""

    amounts: list[Amount]
    seconds: float | None
    device: str

    @property
    def megapixels(self) -> float:
        """Of all files."""
        return sum(amount.pixels for amount in self.amounts) / 1e6


def foresee(jobs: Sequence[Job], restorer: Restorer | None) -> Forecast:
    """Time a few tiles."""
    amounts = measure_amounts(jobs)
    if restorer is None:
        return Forecast(amounts, None, "")
    pace = measure_pace(restorer, np.random.default_rng(0), at_least=0.5)
    return Forecast(amounts, pace * sum(amount.pixels for amount in amounts), restorer.device.name)


def print_plan(jobs: Sequence[Job], skipped: Sequence[tuple[Job, str]], forecast: Forecast, console: Console) -> None:
    """On standard output: a line for each file, then the sum."""
    for job, amount in zip(jobs, forecast.amounts, strict=True):
        megapixels = amount.pixels / 1e6
        if console.json:
            target = str(job.target or "standard output")
            console.result(
                {"input": job.name, "output": target, "status": "planned", "megapixels": round(megapixels, 3)}
            )
        else:
            print(f"{job.name} -> {job.target or 'standard output'}  {megapixels:.2f} MP")
    for job, reason in skipped:
        if console.json:
            console.result({"input": job.name, "output": str(job.target), "status": "skipped", "reason": reason})
        else:
            print(f"{job.name}: skipped, {reason}")
    _print_sum(len(jobs), len(skipped), forecast, console)


def _print_sum(planned: int, skipped: int, forecast: Forecast, console: Console) -> None:
    seconds = forecast.seconds
    if console.json:
        record = {"planned": planned + skipped, "skipped": skipped, "megapixels": round(forecast.megapixels, 3)}
        rounded = None if seconds is None else round(seconds, 1)
        console.result({"summary": {**record, "seconds": rounded, "device": forecast.device}})
        return
    text = f"{counted(planned, 'photograph')} to restore, {forecast.megapixels:.1f} MP"
    if seconds is not None:
        text += f", about {in_words(seconds)} on {forecast.device}"
    elif planned:
        text += ", time unknown: the weights are not downloaded yet"
    print(text + (f", {skipped} skipped" if skipped else ""))
