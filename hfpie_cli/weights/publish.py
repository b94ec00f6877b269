"""Publish our checkpoints: what goes into a repository of the Hub, and the model card made from weights.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import UsageError
from ..tasks import TASKS
from .registry import TEST_WEIGHTS, Entry, known_weights

CARD = "README.md"
FREE_LICENCES = {"Apache-2.0": "apache-2.0"}  # ours -> the Hub's name; any other is `other` with its own name


def publishable(names: Iterable[str] = ()) -> list[Entry]:
    """Our entries with these names; without names, all but those for tests.

    Raises UsageError for an unknown name, somebody else's checkpoint, or one whose file is missing.
    """
    ours = {name: entry for name, entry in known_weights().items() if not entry.source}
    chosen = list(names) or [name for name in ours if name != TEST_WEIGHTS]
    for name in chosen:
        if name not in ours or ours[name].shipped is None:
            raise UsageError(f"{name}: not a local checkpoint trained by hfpie", f"choose one of {', '.join(ours)}")
    return [ours[name] for name in chosen]


def contents(entries: Sequence[Entry], repo: str) -> Mapping[str, Path | bytes]:
    """What to upload: path in the repository, then the file or its content."""
    files: dict[str, Path | bytes] = {entry.file: entry.shipped for entry in entries if entry.shipped}
    return files | {CARD: model_card(entries, repo).encode()}


def model_card(entries: Sequence[Entry], repo: str) -> str:
    """The page of the repository in Markdown: front matter, usage, and the facts about each checkpoint."""
    parts = [_front_matter(entries), f"# {repo.rsplit('/', maxsplit=1)[-1]}", _INTRODUCTION]
    parts += ["| name | task | parameters | MFLOP a pixel | SHA-256 |\n|---|---|---|---|---|\n" + _rows(entries)]
    parts += [_section(entry, repo) for entry in entries]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """Networks of hfpie after "High-Frequency aware Perceptual Image Enhancement" (Roh and Kang), as
safetensors with their configuration in the metadata."""


def _front_matter(entries: Sequence[Entry]) -> str:
    licences = {entry.licence for entry in entries}
    licence = FREE_LICENCES.get(next(iter(licences))) if len(licences) == 1 else None
    lines = (
        [f"license: {licence}"] if licence else ["license: other", f"license_name: {_slug(' '.join(sorted(licences)))}"]
    )
    lines += ["library_name: hfpie", "pipeline_tag: image-to-image", "tags:"]
    lines += [f"- {tag}" for tag in dict.fromkeys(["image-restoration", *(entry.task for entry in entries)])]
    return "\n".join(["---", *lines, "---"])


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _rows(entries: Sequence[Entry]) -> str:
    rows = (
        f"| `{e.name}` | {e.task} | {e.parameters / 1e6:.2f} M | {e.flop / 1e6:.3f} | `{e.sha256}` |" for e in entries
    )
    return "\n".join(rows)


def _section(entry: Entry, repo: str) -> str:
    lines = [f"## {entry.name}", "", f"Licence: {entry.licence}. Trained on {entry.trained_on}."]
    if entry.task in TASKS:
        lines += ["", "```sh", f"hfpie {entry.task} photo.png --weights hf://{repo}/{entry.file}", "```"]
    if entry.scores:
        lines += ["", "| measured | |", "|---|---|", *(f"| {what} | {score} |" for what, score in entry.scores.items())]
    return "\n".join(lines)
