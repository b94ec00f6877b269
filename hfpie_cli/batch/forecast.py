"""Forecasts a run: its files, their megapixels and the time. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..console import Console, in_words
from ..errors import HfpieError
from ..jobs import Fault, Job
from ..pace import measure_pace
from ..photos.contents import read_content
from ..photos.formats import SUFFIXES
from ..restore import Restorer
from ..shown import counted, in_megapixels
from .amount import Amount, covered_by, measure_amounts


@dataclass(frozen=True)
class Forecast:
    """What a run would do, and how long it would take."""

    jobs: list[Job]
    """Jobs that can be done, judging by file headers."""
    amounts: list[Amount]
    """How much there is to restore, one for each job."""
    faults: list[Fault]
    """The files that cannot be done."""
    seconds: float | None
    """Time for all jobs; None if the weights are not on this machine."""
    device: str
    """Name of the device."""

    @property
    def megapixels(self) -> float:
        """Megapixels of all files."""
        return sum(amount.pixels for amount in self.amounts) / 1e6


def make_forecast(jobs: Sequence[Job], restorer: Restorer | None) -> Forecast:
    """Read the header of each file, and time a few tiles."""
    good: list[Job] = []
    amounts: list[Amount] = []
    faults: list[Fault] = []
    for job, amount in zip(jobs, measure_amounts(jobs, heads=max(len(jobs), 1)), strict=True):
        if fault := None if amount.size else _fault_of(job):
            faults.append((job.name, fault))
        else:
            good.append(job)
            amounts.append(amount)
    if restorer is None:
        return Forecast(good, amounts, faults, None, "")
    pace = measure_pace(restorer, np.random.default_rng(0), at_least=0.5)
    return Forecast(good, amounts, faults, pace * covered_by(restorer, amounts), restorer.device.name)


def _fault_of(job: Job) -> HfpieError | None:
    """Why a file without a size in its header cannot be restored; None for formats that never have one."""
    if job.source is None or job.source.suffix.lower() not in SUFFIXES:
        return None
    try:
        read_content(job.source, job.name)
    except HfpieError as error:
        return error
    return None


def print_plan(
    forecast: Forecast, skipped: Sequence[tuple[Job, str]], faults: Sequence[Fault], console: Console
) -> None:
    """Print a line for each file, then the sum. faults: what cannot be read, those of the forecast among it."""
    for job, amount in zip(forecast.jobs, forecast.amounts, strict=True):
        megapixels = amount.pixels / 1e6
        if console.json:
            record = {"input": job.name, "output": job.output_name, "status": "planned"}
            console.result({**record, "megapixels": round(megapixels, 3)})
        else:
            print(f"{job.name} -> {job.output_name}  {in_megapixels(megapixels)} MP")
    for job, reason in skipped:
        if console.json:
            console.result({"input": job.name, "output": job.output_name, "status": "skipped", "reason": reason})
        else:
            print(f"{job.name}: skipped, {reason}")
    for name, fault in faults:
        if console.json:
            console.result({"input": name, "status": "failed", "error": fault.message, "hint": fault.hint})
        else:
            print(fault.message)
    _print_sum(forecast, len(skipped), len(faults), console)


def _print_sum(forecast: Forecast, skipped: int, failed: int, console: Console) -> None:
    planned = len(forecast.jobs)
    seconds = forecast.seconds
    if console.json:
        counts = {"planned": planned + skipped + failed, "skipped": skipped, "failed": failed}
        record = {**counts, "megapixels": round(forecast.megapixels, 3)}
        rounded = None if seconds is None else round(seconds, 1)
        console.result({"summary": {**record, "seconds": rounded, "device": forecast.device}})
        return
    text = f"{counted(planned, 'photograph')} to restore, {in_megapixels(forecast.megapixels)} MP"
    if seconds is not None:
        text += f", about {in_words(seconds)} on {forecast.device}"
    elif planned:
        text += ", time unknown: the weights are not downloaded yet"
    print(text + (f", {skipped} skipped" if skipped else "") + (f", {failed} cannot be read" if failed else ""))
