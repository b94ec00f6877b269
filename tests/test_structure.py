"""The structure: imports point down, and what `hfpie --help` needs stays light."""

import ast
from pathlib import Path

import hfpie_cli

PACKAGE = Path(hfpie_cli.__file__).parent
LAYERS = [  # each imports only from those below it
    {"cli"},
    {"commands"},
    {"train", "report"},
    {"report_pictures", "scoreboard", "methods", "run_state", "run_log"},
    {"objectives", "evaluate", "baselines"},
    {"restore", "config", "photo_writer", "perceptual"},
    {"foreign", "convert", "publish", "pull", "unpack"},
    {"checkpoint", "losses", "optim", "device", "metrics", "data", "jobs", "weights", "console", "parallel"},
    {"tiling", "tensors", "models", "photo_reader", "datasets", "lock"},
    {"deep", "hub"},
    {"tiff", "hub_errors"},
    {"photo", "tasks", "files", "formats", "exif", "interruption", "ranks", "score_log", "paper"},
    {"errors", "unpickle"},
]
LIGHT = {
    "cli",
    "commands",
    "jobs",
    "weights",
    "hub",
    "hub_errors",
    "lock",
    "publish",
    "console",
    "datasets",
    "tasks",
    "formats",
    "errors",
    "files",
    "interruption",
    "pull",
    "unpack",
    "ranks",
    "paper",
}
HEAVY = {"torch", "numpy", "cv2", "PIL", "scipy", "safetensors", "tifffile", "huggingface_hub"}


def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}


def room_of(path: Path) -> str:
    """The module at the package's top, or the folder that a file lies in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def own_imports(path: Path, tree: ast.Module) -> set[str]:
    """The rooms of ours that a file imports, wherever in the file."""
    rooms = set()
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            rooms |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
    return rooms


def test_imports_point_down():
    floors = {room: height for height, layer in enumerate(reversed(LAYERS)) for room in layer}
    for path, tree in modules().items():
        room = room_of(path)
        if room in {"__init__", "__main__"}:
            continue
        for imported in own_imports(path, tree) - {room, "__version__"}:
            allowed = floors[imported] < floors[room] or (
                floors[imported] == floors[room] and not lifts(imported, room)
            )
            assert allowed, f"{room} imports {imported}"


def lifts(imported: str, room: str) -> bool:
    """Within a layer an import is fine as long as the other does not import back."""
    return any(room in own_imports(path, tree) for path, tree in modules().items() if room_of(path) == imported)


def test_models_know_nothing_of_ours():
    for path, tree in modules().items():
        if room_of(path) == "models":
            assert own_imports(path, tree) == set(), path


def test_what_the_help_needs_is_light():
    for path, tree in modules().items():
        if room_of(path) not in LIGHT:
            continue
        for node in tree.body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            assert not {name.split(".")[0] for name in names} & HEAVY, path


def test_files_stay_small():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
