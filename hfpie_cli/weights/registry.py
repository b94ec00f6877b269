"""The registry of checkpoints (weights.toml): from a name to a verified file. Imports no torch."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UnavailableError, UsageError
from ..files import sha256_of
from ..hub.client import REPOSITORY, SCHEME, Hub, HubFile, fetch, is_cached
from ..shown import either
from ..suggest import near
from ..tasks import TASKS
from .converted import find_converted, is_converted, make_converted
from .kinds import check_kind, task_of

PACKAGE = Path(__file__).parent.parent
SHIPPED = PACKAGE / "checkpoints"
TEST_WEIGHTS = "unit-test"
PICKLES = {".pth", ".pt", ".ckpt", ".bin", ".pkl"}
_UNSEEN = "the known hash comes from other projects and may be wrong: ask the owner of {repo}"
_CONVERT = "download it yourself, then: hfpie weights convert FILE"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One checkpoint of weights.toml."""

    name: str
    """Name on the command line."""
    task: str
    """A key of TASKS, or another purpose."""
    use: str
    """What it is for, in a few words."""
    gan: bool = False
    """Whether it invents detail."""
    scale: int
    """Enlargement."""
    stride: int = 1
    """Tiles start at multiples of it, input pixels."""
    tile: int
    """Tile side, input pixels."""
    overlap: int
    """Tile overlap, input pixels."""
    file: str
    """File name in the package, or path in `repo`; a pickle is converted after its hash was compared."""
    size: int = 0
    """Bytes; 0 if unknown before the download."""
    sha256: str = ""
    """Hash of the file; if empty, the hash that the Hub publishes is checked."""
    licence: str
    """Terms of use."""
    trained_on: str = ""
    """Data and training, in words."""
    flop: int = 0
    """Floating-point operations per input pixel; a multiply-add counts as two."""
    seconds: float = 0.0
    """Time of one CPU thread at fp32 for a megapixel of input, all entries measured in one run."""
    parameters: int = 0
    """Number of parameters."""
    repo: str = ""
    """Repository on the Hub, owner/name."""
    revision: str = ""
    """Commit in `repo`."""
    seen: bool = True
    """Whether a download of ours has confirmed the hash."""
    aliases: list[str] = field(default_factory=list)
    """Other names."""
    source: str = ""
    """Home page of somebody else's checkpoint; empty for our own."""
    scores: dict[str, str] = field(default_factory=dict)
    """Measured scores, by protocol."""

    @property
    def is_default(self) -> bool:
        """Whether a task uses it by default."""
        return self.name in {name for task in TASKS.values() for name in (task.weights, task.gan_weights)}

    @property
    def shipped(self) -> Path | None:
        """The file in the package, None if it has none."""
        path = SHIPPED / self.file
        return path if path.exists() else None

    @property
    def on_hub(self) -> HubFile | None:
        """The file on the Hub, None while it is not published."""
        return HubFile(self.repo, self.file, self.revision) if self.repo else None

    @property
    def is_pickled(self) -> bool:
        """Whether its file must be converted before it is loaded."""
        return Path(self.file).suffix.lower() in PICKLES


@dataclass(frozen=True)
class Weights:
    """The verified file of a checkpoint."""

    name: str
    """Name of the entry, or the file's stem."""
    path: Path
    """The file."""
    tile: int | None = None
    """Tile side that the registry states; None for a file outside it."""
    overlap: int | None = None
    """Tile overlap that the registry states; None for a file outside it."""


@cache
def known_weights() -> dict[str, Entry]:
    """Every entry of weights.toml by name: the file in the package, or beside it in a source checkout."""
    path = PACKAGE / "weights.toml"
    path = path if path.exists() else PACKAGE.parent / "weights.toml"
    entries: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {f.name for f in dataclasses.fields(Entry)} - {"name"}
    for name, entry in entries.items():
        if unknown := set(entry) - known:
            raise UnavailableError(f"{path}: unknown key {unknown.pop()!r} in {name}")
    return {name: Entry(name=name, **entry) for name, entry in entries.items()}


def find_entry(name: str) -> Entry | None:
    """The entry with this name or alias; for a task, that of its default. None if there is none."""
    name = TASKS[name].weights if name in TASKS else name
    entries = known_weights()
    return entries.get(name) or next((entry for entry in entries.values() if name in entry.aliases), None)


def get_entry(name: str) -> Entry:
    """As `find_entry`. Raises UnavailableError, with similar names, if there is none."""
    if (entry := find_entry(name)) is None:
        raise UnavailableError(f"no weights named {name!r}", _suggestion(name))
    return entry


def default_weights(task: str, *, gan: bool = False) -> str:
    """The name of a task's default checkpoint."""
    return TASKS[task].gan_weights if gan else TASKS[task].weights


def resolve(name: str, hub: Hub | None = None, *, task: str = "", force: bool = False) -> Weights:
    """Find and verify weights: a task's name, a name in weights.toml, `hf://owner/repo/file@revision`, or a path.

    A name is searched in the package, in the cache, then on the Hub (`hub`, by default from the environment). The
    file's SHA-256 is computed every time, because a recorded result would trust whoever may write to the cache. task:
    what the weights are for; empty accepts any. force: accept those of another task; `task` then only narrows the
    suggested names. Raises UsageError for weights of another task, UnavailableError for missing or wrong files.
    """
    hub = hub or Hub.from_environment()
    entry = find_entry(name)
    if entry is not None:
        _check_task(entry.name, entry.task, "" if force else task)
        return Weights(entry.name, locate(entry, hub), entry.tile, entry.overlap)
    found = _find_file(name, hub, task)
    if (made_for := task_of(found.path)) in TASKS:
        _check_task(name, made_for, "" if force else task)
    return found


def find_here(name: str, hub: Hub, *, task: str = "", force: bool = False) -> Weights | None:
    """The same without going online; None for weights that must be downloaded. With it, a command checks its weights
    first and downloads them last.
    """
    entry = find_entry(name)
    if entry is not None:
        _check_task(entry.name, entry.task, "" if force else task)
        is_far = whereabouts(entry, hub) == "on the Hub"
    else:
        is_far = name.startswith(SCHEME)
        if is_far:
            _refuse_pickle(name)
    return None if is_far and not hub.offline else resolve(name, hub, task=task, force=force)


def _check_task(name: str, made_for: str, task: str) -> None:
    if task and made_for != task:
        hint = f"{_choices(task)}; use --force to run it anyway"
        raise UsageError(f"{name}: trained for {made_for}, not for {task}", hint)


def _find_file(name: str, hub: Hub, task: str) -> Weights:
    """Weights outside the registry: from a path or from the Hub."""
    file = HubFile.parse(name) if name.startswith(SCHEME) else None
    path = Path(file.path if file else name)
    if address := re.fullmatch(r"https?://([^/?#]+)(/[^?#]*)?.*", name):
        raise UnavailableError(f"{name}: a web address, not weights", _instead_of_address(address[1], address[2] or ""))
    _refuse_pickle(name)
    if file is not None:
        return Weights(str(file), fetch(file, hub).path)
    if path.is_file():
        check_kind(path, pickle=False)
        return Weights(path.stem, path)
    if path.exists():
        raise UnavailableError(f"{name}: is a folder, not a file of weights", "name a .safetensors file in it")
    if path.suffix == ".safetensors":
        raise UnavailableError(f"{name}: no such file", "check the path, or use a name from: hfpie weights list")
    if REPOSITORY.fullmatch(name):
        hint = f"name a file in it: {SCHEME}{name}/FILE.safetensors"
        raise UnavailableError(f"{name}: looks like a Hub repository, not a file", hint)
    raise UnavailableError(f"no weights named {name!r}", _suggestion(name, task, ", or give a .safetensors file"))


def _refuse_pickle(name: str) -> None:
    file = HubFile.parse(name).path if name.startswith(SCHEME) else name
    if Path(file).suffix.lower() in PICKLES:
        hint = f"convert it first: hfpie weights convert {Path(file).name if file != name else name}"
        raise UnavailableError(f"{name}: a pickle can run arbitrary code; hfpie loads only safetensors", hint)


def list_weights(task: str = "") -> list[Entry]:
    """Every checkpoint of weights.toml, or those of one task, in the order of `hfpie weights list`."""
    return [e for e in known_weights().values() if e.name != TEST_WEIGHTS and task in ("", e.task)]


def _choices(task: str) -> str:
    return f"{f'for {task} ' if task else ''}choose one of {', '.join(entry.name for entry in list_weights(task))}"


def _suggestion(name: str, task: str = "", otherwise: str = "") -> str:
    """A hint: similar names, or all names and `otherwise`."""
    names = {known: e.name for e in list_weights(task) for known in (e.name, *e.aliases)}
    if found := near(name, names):
        return f"did you mean {either(list(dict.fromkeys(names[known] for known in found)))}?"
    return f"{_choices(task)}{otherwise}"


def _instead_of_address(host: str, path: str) -> str:
    """A hint for a web address."""
    parts = re.fullmatch(rf"/({REPOSITORY.pattern})/(?:resolve|blob|raw)/([\w.-]+)/(.+)", path)
    if parts and host in ("huggingface.co", "hf.co", "www.huggingface.co"):
        return f"write {HubFile(parts[1], parts[3], parts[2])}"
    return f"download the file and name it, or write {SCHEME}owner/repo/file@revision"


def whereabouts(entry: Entry, hub: Hub) -> str:
    """Where an entry's file is now: `shipped`, `cached`, `on the Hub`, or `missing`."""
    if entry.shipped is not None:
        return "shipped"
    if entry.on_hub is None:
        return "missing"
    ready = entry.is_pickled and is_converted(entry.sha256)
    return "cached" if ready or is_cached(entry.on_hub, hub) else "on the Hub"


def locate(entry: Entry, hub: Hub) -> Path:
    """The verified file of an entry: the package's or the Hub's, which is downloaded unless cached; for a pickle, the
    safetensors file made from it. Raises UnavailableError if it is not available or its hash is wrong.
    """
    if entry.shipped is not None:
        found = sha256_of(entry.shipped)
        if found != entry.sha256:
            message = f"{entry.shipped}: SHA-256 is {found}, should be {entry.sha256}"
            raise UnavailableError(message, "reinstall hfpie")
        return entry.shipped
    if entry.on_hub is None:
        raise UnavailableError(f"{entry.name}: missing file {SHIPPED / entry.file}", "reinstall hfpie")
    way_out = "" if entry.seen else _UNSEEN.format(repo=entry.repo)
    if not entry.is_pickled:
        return fetch(entry.on_hub, hub, sha256=entry.sha256, way_out=way_out).path
    if not entry.sha256:
        raise UnavailableError(f"{entry.name}: hfpie never opens a pickle whose SHA-256 is unknown", _CONVERT)
    if made := find_converted(entry.sha256):
        return made
    return make_converted(fetch(entry.on_hub, hub, sha256=entry.sha256, way_out=way_out).path, entry.sha256)
