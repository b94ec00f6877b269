"""An animation through `hfpie denoise`, `deblur` or `sr`: every frame, then one file."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..console import FileProgress
    from ..jobs import Job
    from ..photos.animation import Animation
    from ..photos.formats import OutputStyle
    from ..restore import Outcome, Restorer


def _tell_frame(progress: FileProgress, number: int, count: int, done: int, total: int) -> None:
    """The tiles of one of `count` frames as those of the whole file."""
    progress.tiles(number * total + done, count * total)


def restore_animation(
    animation: Animation, job: Job, restorer: Restorer, style: OutputStyle, progress: FileProgress, *, overwrite: bool
) -> Outcome:
    """All frames of one file; the outcome has the first one. style: without --format, the animation's own."""
    from ..photos.animation import check_held, encode_animation, losses
    from ..photos.writer import check_writable, told, write_file

    first = animation.frames[0]
    style = replace(style, format=job.format or animation.format)
    check_held(animation, str(style.format), job.name)
    check_writable(first, style, scale=restorer.out_scale, name=job.name)
    progress.start(job.name, len(animation.frames) * first.width * first.height / 1e6)
    count = len(animation.frames)
    outcomes = []
    for number, frame in enumerate(animation.frames):
        outcomes.append(restorer.restore(frame, partial(_tell_frame, progress, number, count)))
    restored = replace(animation, frames=tuple(outcome.photo for outcome in outcomes))
    data = encode_animation(restored, style, name=job.name)
    if job.target:
        write_file(data, job.target, overwrite=overwrite)
    else:
        sys.stdout.buffer.write(data)
    notes = (*told(first, style, job.target, scale=restorer.out_scale), *losses(animation, str(style.format)))
    shown = replace(outcomes[0].photo, notes=notes)
    changed = any(outcome.changed for outcome in outcomes)
    return replace(outcomes[0], photo=shown, tiles=sum(o.tiles for o in outcomes), changed=changed)
