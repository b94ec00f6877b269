"""`hfpie doctor`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import Console, in_words
from ..errors import ExitCode
from ..settings import choose_setting
from ..shown import columns_of, counted, wrapped
from .options import HubOptions, add_command

if TYPE_CHECKING:
    from ..doctor import SelfTest

WIDTH = 15  # width of the first column


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(HubOptions):
    """Options of `hfpie doctor`."""

    device: Annotated[str, typer.Option(help="Device of the self-test: auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto"


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(
        app,
        "doctor",
        DoctorOptions,
        examine,
        summary="Check this machine: versions, devices, weights, caches, and how fast each task runs.",
        examples=("hfpie doctor", "hfpie doctor --json  # to paste into a bug report"),
    )


def examine(options: DoctorOptions) -> int:
    """Print what this machine has, test each task, and list the faults."""
    console = options.console()
    setting = choose_setting(options.device, options.precision, residual=True)
    console.say(f"checking this machine, then running each task for two seconds on {setting}")
    from .. import doctor
    from ..evaluation.methods import NetworkSettings

    hub = options.hub()
    found: dict[str, Any] = {
        "versions": doctor.versions(),
        "devices": doctor.devices(),
        "weights": doctor.weights(hub),
        "caches": doctor.caches(hub),
        "extras": doctor.extras(),
    }
    if not options.json:
        _print_found(found)
        _print_section("self-test", [])
    tests = []
    for test in doctor.self_tests(NetworkSettings(options.device, options.precision), hub):
        tests.append(test)
        if not options.json:
            _print_row(test.task, _in_short(test))
    console.result({**found, "self_tests": [dataclasses.asdict(test) for test in tests]})
    return _exit_code(found["weights"], tests, console)


def _exit_code(weights: Iterable[dict[str, str]], tests: Iterable[SelfTest], console: Console) -> int:
    failed = [test.task for test in tests if test.problem]
    wrong = [entry["name"] for entry in weights if entry["problem"]]
    for names, what in ((wrong, "weights whose hash is wrong"), (failed, "tasks that failed the self-test")):
        if names:
            console.say(f"{what}: {', '.join(names)}")
    return ExitCode.FAILED if failed else ExitCode.UNAVAILABLE if wrong else ExitCode.OK


def _print_found(found: dict[str, Any]) -> None:
    _print_section("versions", found["versions"].items())
    _print_section("devices", ((name, _device_in_short(device)) for name, device in found["devices"].items()))
    weights = ((entry["where"], f"{entry['name']}  {_state(entry)}") for entry in found["weights"])
    _print_section("weights", weights)
    _print_section("caches", ((f"{c['bytes'] / 1e6:,.0f} MB", f"{c['what']}: {c['path']}") for c in found["caches"]))
    hints = {extra["name"]: f"not installed: pip install 'hfpie[{extra['name']}]'" for extra in found["extras"]}
    rows = ((e["name"], "installed" if e["installed"] else hints[e["name"]]) for e in found["extras"])
    _print_section("extras", rows)


def _state(entry: dict[str, str]) -> str:
    return entry["problem"] or (f"SHA-256 {entry['sha256'][:12]}… verified" if entry["sha256"] else "as published")


def _device_in_short(device: dict[str, Any]) -> str:
    if "problem" in device:
        return f"not available: {device['problem']}"
    count = device.get("threads", 0)
    threads = f", {counted(count, 'thread')}" if count else ""
    abilities = [f"{name} {'yes' if has else 'no'}" for name, has in device.items() if isinstance(has, bool)]
    return ", ".join([f"{device['name']}{threads}", *abilities])


def _in_short(test: SelfTest) -> str:
    if test.problem:
        return f"{test.weights}: {test.problem}"
    where = f"{test.weights} on {test.device} ({test.precision})"
    pace = f"{test.megapixels_per_second:.3g} MP/s"
    return f"{where}: works, +{test.gain:.1f} dB, {pace}, 12 megapixels in {in_words(test.seconds)}"


def _print_section(title: str, rows: Iterable[tuple[str, str]]) -> None:
    typer.secho(title, bold=True)
    for name, text in rows:
        _print_row(name, text)


def _print_row(name: str, text: str) -> None:
    first = f"  {name:<{WIDTH}}  "
    typer.echo(wrapped(text, columns_of(sys.stdout), first=first, indent=len(first)))
