"""Ship a checkpoint: copy it into the package at half precision and write its entry in weights.toml.

    python tools/ship.py NAME CHECKPOINT --tile 256 --overlap 32 --use TEXT --licence TEXT --trained-on TEXT

What `hfpie eval` scored is added with `--score "CBSD68 sigma 25=31.02 dB"`, as often as needed; --repo and --revision
are what `hfpie weights push` printed. An entry that exists keeps the values that are not given; a network of another
cost loses its seconds, which benchmarks/architectures.py measures and --seconds sets.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hfpie_cli.files import atomic_path
from hfpie_cli.models.contract import Restoring
from hfpie_cli.weights.checkpoint import Checkpoint, build, load_checkpoint, save_checkpoint
from hfpie_cli.weights.registry import SHIPPED, Entry, known_weights

TABLE = Path(__file__).parent.parent / "weights.toml"
FLOP_SIDE = 256  # pixels a side of the picture whose cost is counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--tile", type=int)
    parser.add_argument("--overlap", type=int)
    parser.add_argument("--use")
    parser.add_argument("--licence")
    parser.add_argument("--trained-on", dest="trained_on")
    parser.add_argument("--seconds", type=float, help="a megapixel, as benchmarks/architectures.py prints them")
    parser.add_argument("--repo")
    parser.add_argument("--revision")
    parser.add_argument("--score", action="append", default=[], metavar="PROTOCOL=RESULT")
    given = vars(parser.parse_args())
    name, source, scores = given.pop("name"), given.pop("checkpoint"), dict(s.split("=", 1) for s in given.pop("score"))
    entries = dict(known_weights())
    values = dataclasses.asdict(entries[name]) if name in entries else {"name": name, "scores": {}}
    if source is not None:
        installed = install(load_checkpoint(source), name)
        if installed["flop"] != values.get("flop"):
            values["seconds"] = 0.0  # of another shape
        values |= installed | {"scores": {}}
    values |= {key: value for key, value in given.items() if value is not None}
    values["scores"] = values["scores"] | scores
    entries[name] = Entry(**values)
    write_table(entries)


def flop_of(network: nn.Module) -> int:
    """A pixel, of a network on the meta device."""
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, FLOP_SIDE, FLOP_SIDE, device="meta"))
    return counter.get_total_flops() // FLOP_SIDE**2


def install(checkpoint: Checkpoint, name: str) -> dict[str, object]:
    """Write the half precision file; returns its keys in weights.toml."""
    path = SHIPPED / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    half = {key: weight.half() for key, weight in checkpoint.weights.items()}
    save_checkpoint(path, dataclasses.replace(checkpoint, weights=half))
    data = path.read_bytes()
    with torch.device("meta"):
        network = build(checkpoint.config)
    flop = max(map(flop_of, network.each() if isinstance(network, Restoring) else [network]))
    return {
        "task": checkpoint.info["task"],
        "scale": getattr(checkpoint.config, "scale", 1),
        "stride": getattr(checkpoint.config, "stride", 1),
        "file": path.name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "flop": flop,
        "parameters": sum(p.numel() for p in network.parameters()),
    }


def write_table(entries: dict[str, Entry]) -> None:
    """Rewrite weights.toml, keeping its comment."""
    defaults = {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(Entry)
    }
    comment = TABLE.read_text(encoding="utf-8").split("\n[")[0].strip()
    lines = [comment]
    for name in sorted(entries, key=lambda name: (entries[name].source != "", name)):
        entry = dataclasses.asdict(entries[name])
        scores = entry.pop("scores")
        lines += ["", f"[{json.dumps(entry.pop('name'))}]"]
        given = {key: value for key, value in entry.items() if value != defaults[key]}
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]
        if scores:
            lines += ["", f"[{json.dumps(name)}.scores]"]
            lines += [f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in scores.items()]
    with atomic_path(TABLE) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
