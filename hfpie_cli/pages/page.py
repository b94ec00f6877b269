"""Fill in a template and write the page atomically."""

from __future__ import annotations

import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__
from ..files import atomic_path


def write_page(template: str, path: Path, **values: Any) -> int:
    """Write a page, and return its size in bytes. values: the template's variables, except how it was made."""
    loader = PackageLoader(__package__, "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template(template).render(
        command=shlex.join(["hfpie", *sys.argv[1:]]),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions=_versions(),
        **values,
    )
    data = page.encode("utf-8", errors="replace")  # file names need not be UTF-8
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def _versions() -> dict[str, str]:
    """Versions of the software that made the page."""
    packages = {
        "torch": version("torch"),
        "numpy": np.__version__,
        "OpenCV": cv2.__version__,
        "Pillow": PIL.__version__,
    }
    return {"hfpie": __version__, "Python": platform.python_version(), **packages, "machine": platform.platform()}
