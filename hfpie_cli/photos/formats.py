"""The file formats that hfpie reads and writes, and what each can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..shown import either
from ..tasks import OUTPUT_SUFFIXES


@dataclass(frozen=True)
class Format:
    """A file format that hfpie reads and writes, with Pillow unless a module of `photos` does it."""

    endings: tuple[str, ...]
    """File name endings; new files get the first."""
    depths: tuple[str, ...] = ()
    """Sample types of more than 8 bits that it holds."""
    grey: bool = True
    """Whether it holds grey; if not, grey is written as RGB."""
    alpha: bool = False
    """Whether it holds transparency."""
    animated: bool = False
    """Whether it is written as an animation."""
    lossy: bool = False
    """Whether it takes a quality of 1 to 100."""
    blocks: frozenset[str] = frozenset()
    """Metadata blocks that it holds: icc, exif, xmp, dpi, comment, resources."""
    saving: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of Pillow's `save`."""
    strips: bool = False
    """Whether it is written strip by strip."""
    max_side: int = 0
    """Largest side in pixels; 0 if the limit is far above what hfpie opens."""
    max_block: int = 0
    """Largest EXIF or XMP block in bytes; 0 for no limit."""


_DESCRIBED = frozenset({"icc", "exif", "xmp"})
FORMATS = {  # by Pillow's names; PNG and TIFF are written by png_write and tiff_write
    "PNG": Format((".png",), depths=("uint16",), alpha=True, animated=True, blocks=_DESCRIBED | {"dpi"}, strips=True),
    "JPEG": Format(
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        lossy=True,
        blocks=_DESCRIBED | {"dpi", "comment", "resources"},
        saving={"subsampling": 0},
        max_side=65500,
        max_block=65504,
    ),
    "TIFF": Format(
        (".tif", ".tiff"),
        depths=("uint16", "float32"),
        alpha=True,
        blocks=_DESCRIBED | {"dpi", "resources"},
        strips=True,
    ),
    "WEBP": Format(
        (".webp",),
        grey=False,
        alpha=True,
        animated=True,
        lossy=True,
        blocks=_DESCRIBED,
        saving={"exact": True},
        max_side=16383,
    ),
    "AVIF": Format(
        (".avif",),
        depths=("uint16",),
        grey=False,
        alpha=True,
        animated=True,
        lossy=True,
        blocks=_DESCRIBED,
        saving={"subsampling": "4:4:4"},
        max_side=65536,
    ),
    "BMP": Format((".bmp", ".dib"), blocks=frozenset({"dpi"})),
    "PPM": Format((".ppm", ".pgm", ".pnm"), depths=("uint16",)),
}
FORMAT_NAMES = either([name.lower() for name in FORMATS])  # for help and messages
SUFFIXES = {suffix: name for name, row in FORMATS.items() for suffix in row.endings}
EXTRAS = {  # by what an extra reads: its name, its module, the format to write, the suffixes
    "HEIC": ("heif", "pi_heif", "JPEG", (".heic", ".heif", ".hif")),
    "camera raw": (
        "raw",
        "rawpy",
        "TIFF",
        (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".iiq", ".3fr"),
    ),
}
FILMS = {"MP4": (".mp4", ".m4v"), "MOV": (".mov",), "MKV": (".mkv",), "WEBM": (".webm",)}  # that are written
FILM_ENDINGS = {suffix: name for name, suffixes in FILMS.items() for suffix in suffixes}
FILM_ENDINGS |= dict.fromkeys((".avi", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv"), "MKV") | {".3gp": "MP4"}
WRITTEN_AS = {suffix: form for _, _, form, suffixes in EXTRAS.values() for suffix in suffixes}
WRITTEN_AS[".gif"] = "PNG"  # which holds animations in all colours
NOT_READ = {".jp2", ".jxl", ".tga", ".psd", ".exr", ".hdr", ".svg"}  # endings of pictures to convert first
RESOURCES_PREFIX = b"Photoshop 3.0\0"  # of a JPEG's segments of Photoshop resources
DEFAULT_QUALITY = 95


@dataclass(frozen=True)
class OutputStyle:
    """How files are written."""

    format: str | None = None
    """A key of FORMATS; None for the photo's own."""
    quality: int = DEFAULT_QUALITY
    """Quality of lossy formats, 1 to 100."""
    strip_metadata: bool = False
    """Whether to drop all metadata but the colour profile."""


def is_photo(path: Path) -> bool:
    """Whether to open a file of a folder: it has the suffix of a format that hfpie reads, and is not hidden."""
    suffix = path.suffix.lower()
    return (suffix in SUFFIXES or (suffix in WRITTEN_AS and not missing_extra(suffix))) and not is_hidden(path)


def missing_extra(suffix: str) -> str:
    """The extra that files of this ending need and that is not installed, such as `heif`; empty if none is missing."""
    needed = ((extra, module) for extra, module, _, suffixes in EXTRAS.values() if suffix in suffixes)
    return next((extra for extra, module in needed if find_spec(module) is None), "")


def is_hidden(path: Path) -> bool:
    """Whether its name begins with a dot, as those of system files and unfinished files do."""
    return path.name.startswith(".")


def format_named(text: str) -> str | None:
    """The format that a user names (`jpg`, `.TIFF`, `mp4`, ...), None for an unknown name."""
    suffix = "." + text.lower().lstrip(".")
    return SUFFIXES.get(suffix) or next((name for name, endings in FILMS.items() if suffix in endings), None)


def written_as(suffix: str) -> str | None:
    """The format that files with this suffix are written in, if it is not their own."""
    form = FILM_ENDINGS.get(suffix)
    return WRITTEN_AS.get(suffix) if form is None or suffix in FILMS[form] else form


def endings_of(form: str) -> tuple[str, ...]:
    """File name endings of a format; new files get the first."""
    return FORMATS[form].endings if form in FORMATS else FILMS[form]


def passed_over(path: Path) -> str:
    """Why a photograph in a folder is skipped; empty if it is not, and for other files.

    `films`, `unread`, or the name of an extra.
    """
    suffix = path.suffix.lower()
    if suffix in FILM_ENDINGS:
        return "films"
    unread = suffix in NOT_READ or (suffix in WRITTEN_AS and not is_photo(path))
    return (missing_extra(suffix) or "unread") if unread else ""


def is_output_of_another(path: Path) -> bool:
    """Whether the name says that hfpie made the file from another one beside it: photo_denoised.png from photo.jpg."""
    endings = {path.suffix, *SUFFIXES, *map(str.upper, SUFFIXES)}
    stems = [path.stem.removesuffix(suffix) for suffix in OUTPUT_SUFFIXES if path.stem.endswith(suffix)]
    return any(path.with_name(stem + ending).exists() for stem in stems for ending in endings)
