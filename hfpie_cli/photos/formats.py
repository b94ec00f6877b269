"""The file formats that hfpie reads and writes, and what each can hold. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FORMATS = {  # Pillow's name: the endings it goes by, the first is used for new files
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".ppm", ".pgm", ".pnm"),
}
SUFFIXES = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
NOT_READ = {  # endings of pictures that have to be converted first
    *(".gif", ".heic", ".heif", ".jp2", ".jxl", ".tga", ".psd", ".exr", ".hdr", ".svg"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef"),
}
DEEP_FORMATS = {  # samples of more than 8 bits
    "PNG": {"uint16"},
    "TIFF": {"uint16", "float32"},
    "PPM": {"uint16"},
    "AVIF": {"uint16"},
}
ALPHA_FORMATS = {"PNG", "TIFF", "WEBP", "AVIF"}
MAX_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536}  # pixels; the others end far above what hfpie opens
MAX_BLOCK = {"JPEG": 65504}  # bytes of EXIF, of XMP
RESOURCES_PREFIX = b"Photoshop 3.0\0"  # of a JPEG's segments of Photoshop resources
DEFAULT_QUALITY = 95


@dataclass(frozen=True)
class OutputStyle:
    """How files are written. format: a key of FORMATS, or None for the photo's own. quality: of lossy formats."""

    format: str | None = None
    quality: int = DEFAULT_QUALITY
    strip_metadata: bool = False


def is_photo(path: Path) -> bool:
    """Whether a file of a folder is to be opened: it has the ending of a format that hfpie reads, and is not hidden."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(path)


def is_hidden(path: Path) -> bool:
    """Whether its name begins with a dot, as those of other systems' notes and of files that are being written do."""
    return path.name.startswith(".")


def format_named(text: str) -> str | None:
    """The format that a user names (`jpg`, `.TIFF`, ...), None if there is none such."""
    return SUFFIXES.get("." + text.lower().lstrip("."))
