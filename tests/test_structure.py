"""The structure: imports point down, never in a circle, and `hfpie --help` imports little."""

import ast
import importlib
from graphlib import TopologicalSorter
from pathlib import Path

import hfpie_cli

PACKAGE = Path(hfpie_cli.__file__).parent
LAYERS = [  # rooms: folders, and modules at the top; each imports only from those below it
    {"cli"},
    {"commands"},
    {"one_file"},
    {"batch"},
    {"training"},
    {"evaluation", "pace", "doctor"},
    {"pages"},
    {"restore", "plan"},
    {"outcome"},
    {"data", "weights", "invariants", "running", "noise"},
    {"degradations"},
    {"photos", "models", "tiling", "tensors", "device", "hub", "console", "vision"},
    {"tasks", "files", "jobs", "interruption", "streams", "lifetime", "distributed", "settings", "shown", "suggest"},
    {"errors"},
]
LIGHT = {  # what the help imports
    "cli",
    "plan",
    "jobs",
    "console",
    "shown",
    "tasks",
    "errors",
    "files",
    "interruption",
    "lifetime",
    "distributed",
    "settings",
    "suggest",
    "photos.formats",
    "photos.limits",
    "weights.registry",
    "weights.converted",
    "weights.kinds",
    "weights.publish",
    "hub.client",
    "hub.errors",
    "data.catalogue",
    "data.matching",
    "data.download",
    "evaluation.question",
    "evaluation.quoted",
    "training.layout",
    "training.state",
}
HEAVY = {"torch", "numpy", "cv2", "PIL", "scipy", "safetensors", "tifffile", "huggingface_hub", "jinja2"}


def test_cores_are_counted_in_one_place():
    """os.cpu_count also counts those that a process may not use."""
    counting = [path.name for path in PACKAGE.rglob("*.py") if "cpu_count" in path.read_text(encoding="utf-8")]
    assert counting == ["settings.py"]


def modules() -> dict[str, ast.Module]:
    """Every module's tree by its dotted name below the package."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
        if path.stem not in {"__init__", "__main__"}
    }


MODULES = modules()


def own_imports(name: str) -> set[str]:
    """The modules of ours that a module imports, wherever in the file."""
    found = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*name.split(".")[: -node.level], *(node.module.split(".") if node.module else [])]
            named = {".".join([*base, alias.name]) for alias in node.names}
            found |= {module for module in (*named, ".".join(base)) if module in MODULES}
    return found


def room_of(name: str) -> str:
    return name.partition(".")[0]


def test_every_room_has_its_layer_and_imports_point_down():
    floors = {room: height for height, layer in enumerate(reversed(LAYERS)) for room in layer}
    assert set(floors) == {room_of(name) for name in MODULES}
    for name in MODULES:
        for imported in own_imports(name):
            room, below = room_of(name), room_of(imported)
            assert room == below or floors[below] < floors[room] or alone_on_its_floor(room, below), (name, imported)


def alone_on_its_floor(room: str, other: str) -> bool:
    """Neighbours may import each other one way."""
    same = any({room, other} <= layer for layer in LAYERS)
    return same and not any(room_of(i) == room for name in MODULES if room_of(name) == other for i in own_imports(name))


def test_no_module_imports_itself_in_a_circle():
    TopologicalSorter({name: own_imports(name) for name in MODULES}).prepare()


def test_models_know_nothing_of_ours():
    for name in MODULES:
        if room_of(name) == "models":
            assert all(room_of(imported) == "models" for imported in own_imports(name)), name


def test_what_the_help_needs_is_light():
    for name in MODULES:
        if name not in LIGHT and room_of(name) != "commands":
            continue
        for node in MODULES[name].body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            assert not {imported.split(".")[0] for imported in names} & HEAVY, name
            if isinstance(node, ast.ImportFrom) and node.level:
                assert light_imports(name, node), name


def light_imports(name: str, node: ast.ImportFrom) -> bool:
    """Whether a light module's import at its top is of light ones."""
    base = [*name.split(".")[: -node.level], *(node.module.split(".") if node.module else [])]
    named = {".".join([*base, alias.name]) for alias in node.names} | {".".join(base)}
    return all(module in LIGHT or room_of(module) == "commands" for module in named if module in MODULES)


def test_files_stay_small():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_every_field_of_a_public_dataclass_is_documented_under_itself():
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if not isinstance(field, ast.AnnAssign) or ast.unparse(field.target).startswith("_"):
                    continue
                documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                is_option = "typer." in ast.unparse(field.annotation)  # its help text says what it is
                assert documented or is_option, (name, node.name, ast.unparse(field.target))


def test_scripts_outside_the_package_name_what_is_in_it():
    root = PACKAGE.parent
    scripts = [path for folder in ("benchmarks", "tools", "examples") for path in sorted((root / folder).glob("*.py"))]
    assert len(scripts) >= 10
    for script in scripts:
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("hfpie_cli"):
                module = importlib.import_module(str(node.module))
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, (script.name, missing)
