"""One file restored into another, as the commands do it: for callers from Python."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .batch.content import Destination, checked, noted, pictures_of, restored, write_into
from .batch.frames import Averages
from .errors import HfpieError, UsageError
from .files import atomic_path
from .outcome import Outcome
from .photos.contents import first_of, read_content
from .photos.formats import FILMS, FORMATS, OutputStyle, endings_of, format_named
from .photos.photo import Photo
from .restore import Restorer


def restore_file(
    source: str | Path, target: str | Path, weights: str | Path | Restorer = "denoise", *, overwrite: bool = False
) -> Outcome:
    """Restore a photograph, an animation, a TIFF stack or a film into a file, complete or not at all.

    Depth, alpha and metadata are kept, and the times of animations and films; frames of one shot share their averages.
    target: its ending names the format. weights: a task, a name of `list_weights`, a file, or a Restorer, which loads
    its network once for many files. overwrite: replace a target that exists. Of several pictures, the outcome has the
    first photo, and the sums over all. The photo's notes tell what the target cannot hold. Raises HfpieError.
    """
    source, target = Path(source), Path(target)
    form = format_named(target.suffix)
    if form is None:
        known = ", ".join(endings_of(form)[0] for form in (*FORMATS, *FILMS))
        raise UsageError(f"{target}: cannot tell the output format from {target.suffix!r}", f"use one of {known}")
    if target.exists() and not overwrite:
        raise UsageError(f"{target}: already exists", "pass overwrite=True to replace it")
    restorer = weights if isinstance(weights, Restorer) else Restorer.from_weights(weights)
    content, style, scale = read_content(source), OutputStyle(form), restorer.out_scale
    notes = checked(content, style, target, scale=scale, name=str(source))
    if target.exists() and target.samefile(source) and not first_of(content).is_kept_whole(scale):
        message = f"{source}: overwriting would lose its embedded preview, gain map or video"
        raise HfpieError(message, "write to another file")
    averages, pictures = Averages(restorer, (), not isinstance(content, Photo)), partial(pictures_of, content)
    destination = Destination(target.resolve().parent, style, str(target))
    done, outcome = restored(
        content, restorer, lambda done, total: None, partial(averages.within, pictures), destination
    )
    try:
        with atomic_path(target, overwrite=overwrite) as temporary, temporary.open("w+b") as stream:
            write_into(stream, done, style, name=str(target))
    except OSError as error:
        raise HfpieError(f"{target}: cannot be written ({error.strerror})") from None
    return noted(outcome, notes)
