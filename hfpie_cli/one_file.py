"""One file restored into another, as the commands do it: for callers from Python."""

from __future__ import annotations

from pathlib import Path

from .errors import HfpieError, UsageError
from .outcome import Outcome
from .photos.formats import FORMATS, OutputStyle, format_named
from .photos.reader import read_photo
from .photos.writer import check_writable, write_photo
from .restore import Restorer


def restore_file(
    source: str | Path, target: str | Path, weights: str | Path | Restorer = "denoise", *, overwrite: bool = False
) -> Outcome:
    """Restore a photograph into a file, complete or not at all; depth, alpha and metadata are kept.

    target: its ending names the format. weights: a task, a name of `list_weights`, a file, or a Restorer, which loads
    its network once for many files. overwrite: replace a target that exists. Raises HfpieError.
    """
    source, target = Path(source), Path(target)
    form = format_named(target.suffix)
    if form not in FORMATS:
        known = ", ".join(row.endings[0] for row in FORMATS.values())
        raise UsageError(f"{target}: cannot tell the output format from {target.suffix!r}", f"use one of {known}")
    if target.exists() and not overwrite:
        raise UsageError(f"{target}: already exists", "pass overwrite=True to replace it")
    restorer = weights if isinstance(weights, Restorer) else Restorer.from_weights(weights)
    photo, style = read_photo(source), OutputStyle(form)
    check_writable(photo, style, scale=restorer.out_scale, name=str(source))
    if photo.others and target.exists() and target.samefile(source):
        message = f"{source}: overwriting would lose its embedded preview, gain map or video"
        raise HfpieError(message, "write to another file")
    outcome = restorer.restore(photo)
    write_photo(outcome.photo, target, style, overwrite=overwrite)
    return outcome
