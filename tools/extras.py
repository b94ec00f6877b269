"""Import what extras bring, as hfpie does, by the names of `pyproject.toml`: all, or those named.

python tools/extras.py heif,raw
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from hfpie_cli.vision import import_beside_torchvision

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def extras() -> dict[str, list[str]]:
    """The packages of each extra but `dev`, without their releases."""
    listed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {extra: [re.split(r"[<>=~! ]", one)[0] for one in packages] for extra, packages in listed.items()}
    del names["dev"]
    return names


def modules_of(package: str) -> list[str]:
    """The modules that an installed package brings."""
    files = metadata.files(package) or []
    tops = {file.parts[0] for file in files if len(file.parts) > 1 and file.parts[1] == "__init__.py"}
    return sorted(top for top in tops if top.isidentifier())


def main() -> None:
    """Raises ImportError, or PackageNotFoundError, for a missing package."""
    known = extras()
    for extra in sys.argv[1].split(",") if sys.argv[1:] else known:
        for package in known[extra]:
            for module in modules_of(package):
                import_beside_torchvision(module)
                print(f"{extra}: {package} {metadata.version(package)}, {module}")


if __name__ == "__main__":
    main()
