"""JPEG: what is appended to a file behind its picture, such as the video of a motion photo."""

from __future__ import annotations

import re

END, SCAN = 0xD9, 0xDA  # markers: of the picture's end, of compressed pixels
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers that no segment follows
NEXT_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # none of those that occur within compressed pixels
PADDING = b"\0\r\n \xff"


def end_of(file: bytes) -> int:
    """The place behind the picture; that behind the file where the picture does not end."""
    at = 2
    while at + 4 <= len(file) and file[at] == 0xFF:
        marker = file[at + 1]
        if marker == END:
            return at + 2
        if marker == 0xFF or marker in ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
        if marker == SCAN:
            found = NEXT_MARKER.search(file, at)
            at = found.end() - 2 if found else len(file)
    return len(file) if file[at : at + 2] != b"\xff\xd9" else at + 2
