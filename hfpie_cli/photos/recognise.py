"""Names files that hfpie does not read, by their first bytes, for error messages."""

from __future__ import annotations

CONVERT = "convert it to PNG or TIFF first"
MAGIC = {
    b"\xff\x0a": ("JPEG XL", CONVERT),
    b"\0\0\0\x0cJXL ": ("JPEG XL", CONVERT),
    b"\0\0\0\x0cjP  ": ("JPEG 2000", CONVERT),
    b"\xff\x4f\xff\x51": ("JPEG 2000", CONVERT),
    b"8BPS": ("Photoshop (PSD)", CONVERT),
    b"\x76\x2f\x31\x01": ("OpenEXR", "convert it to TIFF of float32 with white at 1"),
    b"#?RADIANCE": ("Radiance HDR", "convert it to TIFF of float32 with white at 1"),
    b"%PDF": ("PDF", "export its pages as PNG"),
    b"gimp xcf": ("GIMP (XCF)", "export it as PNG or TIFF"),
    b"SIMPLE  =": ("FITS", "convert it to TIFF of float32 with white at 1"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it first"),
    b"\x1f\x8b": ("a gzip archive", "unpack it first"),
    b"version https://git-lfs": ("a Git LFS pointer, not the picture", "fetch it with git lfs pull"),
}
PAGES = (b"<!doctype html", b"<html")
FILM_BRANDS = {
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"qt  ",
    b"M4V ",
    b"avc1",
    b"dash",
    b"XAVC",
}
FILM_HEAD = 400  # bytes that identify a film: the starts of three packets of a stream
GIF = (b"GIF87a", b"GIF89a")
FILM_MAGIC = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"0&\xb2u\x8ef\xcf\x11", b"FLV\1")  # Matroska, MPEG, WMV, FLV


def named(data: bytes) -> tuple[str, str]:
    """(what it is, the way out); empty if unknown."""
    for magic, answer in MAGIC.items():
        if data.startswith(magic):
            return answer
    head = data[:512].lstrip().lower()
    if head.startswith(PAGES):
        return "a web page", "download the picture itself"
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in data[:2000]):
        return "SVG", "export it as PNG"
    if is_film_head(data):
        return "a film", "name the film itself, or extract its frames as PNG"
    return "", ""


def is_film_head(head: bytes) -> bool:
    """Whether the first bytes of a file are a film's."""
    if head.startswith(GIF):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] in FILM_BRANDS or head[8:11] == b"3gp"
    return _is_stream(head) or head.startswith(FILM_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


def _is_stream(head: bytes) -> bool:
    """Whether it is an MPEG stream, of packets that start with G; of camcorders, each after 4 bytes of time."""
    starts = (head[at:FILM_HEAD:step] for at, step in ((0, 188), (4, 192)))
    return any(len(each) > 1 and not each.strip(b"G") for each in starts)
