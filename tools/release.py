"""Release: check the state of the repository, build sdist and wheel, try each in an empty environment, tag.

python tools/release.py             the whole release; prints what publishes it
python tools/release.py --check     the same without the checks of the repository and without a tag
python tools/release.py --first torch==2.13.0    installs this into each environment first, such as a CPU build
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--first", action="append", default=[], metavar="REQUIREMENT")
    options = parser.parse_args()
    version = (VERSION.search(text("hfpie_cli/__init__.py")) or sys.exit("hfpie_cli/__init__.py: no __version__"))[1]
    problems = faults(version, text("CHANGELOG.md"), text("CITATION.cff"))
    if not options.check and (problems := problems + repository_faults(version)):
        sys.exit("\n".join(["not released:", *problems]))
    wheel, sdist = build(version)
    compare(wheel, sdist)
    for package in (wheel, sdist):
        try_out(package, options.first)
    if not options.check:
        run("git", "tag", "-a", f"v{version}", "-m", f"hfpie {version}")
        print(f"tagged v{version}; publish: git push origin v{version} && twine upload {wheel} {sdist}")


def faults(version: str, changelog: str, citation: str) -> list[str]:
    """What in the files does not match a release of `version` today."""
    found = []
    if f"## {version} ({date.today().isoformat()})" not in changelog.splitlines():
        found.append(f"CHANGELOG.md: no heading '## {version} ({date.today().isoformat()})'")
    if f"version: {version}" not in citation.splitlines():
        found.append(f"CITATION.cff: its version is not {version}")
    return found


def repository_faults(version: str) -> list[str]:
    """Reasons in git against a release."""
    found = ["uncommitted changes"] if output("git", "status", "--porcelain") else []
    return found + ([f"the tag v{version} exists"] if output("git", "tag", "--list", f"v{version}") else [])


def build(version: str) -> tuple[Path, Path]:
    """(wheel, sdist) in dist/."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(DIST))
    return DIST / f"hfpie-{version}-py3-none-any.whl", DIST / f"hfpie-{version}.tar.gz"


def compare(wheel: Path, sdist: Path) -> None:
    """The wheel holds every file of the package that the sdist holds, and no other."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    source = {name for name in names if name.startswith("hfpie_cli/")} | {"hfpie_cli/weights.toml"}
    built = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("hfpie_cli/")}
    if source != built:
        sys.exit(f"sdist and wheel differ: {', '.join(sorted(source ^ built))}")


def try_out(package: Path, first: list[str]) -> None:
    """Install the file into an empty environment; in an empty folder, verify the weights and restore a photograph."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run(sys.executable, "-m", "venv", str(place / "venv"))
        scripts = place / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        for requirements in filter(None, (first, [str(package)])):
            run(str(scripts / "python"), "-m", "pip", "install", "--quiet", *requirements)
        photo = place / "photo.png"
        photo.write_bytes((ROOT / "examples" / "chelsea_small.png").read_bytes())
        hfpie = str(scripts / "hfpie")
        run(hfpie, "weights", "verify", where=place)
        run(hfpie, "denoise", "photo.png", "-o", "denoised.png", where=place)
        run(hfpie, "sr", "photo.png", "-o", "large.png", where=place)
        print(f"{package.name}: installs and restores in an empty environment", flush=True)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def run(*command: str, where: Path = ROOT) -> None:
    print("+", " ".join(command), flush=True)
    if subprocess.run(command, cwd=where, check=False).returncode:
        sys.exit(f"failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
