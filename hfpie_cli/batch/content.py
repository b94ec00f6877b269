"""What a file of a run holds, a photograph or an animation: checked, restored and encoded alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..outcome import Outcome, Shared
from ..photos import writer
from ..photos.animation import Animation, check_held, encode_animation, losses
from ..photos.formats import OutputStyle
from ..photos.photo import Photo
from ..photos.writer import check_writable, told
from ..restore import Restorer

Content = Photo | Animation
Tell = Callable[[int, int], None]  # tiles that are done, of how many


def frames_of(content: Content) -> tuple[Photo, ...]:
    """Its pictures, in order."""
    return content.frames if isinstance(content, Animation) else (content,)


def checked(content: Content, style: OutputStyle, target: Path | None, *, scale: int, name: str) -> Content:
    """The content with notes of what a user should know, before it is computed.

    scale: how many times as large it will be. Raises HfpieError if no file of the style can hold it.
    """
    first, *others = frames_of(content)
    form = style.format or first.format
    if isinstance(content, Animation):
        check_held(content, form, name)
    check_writable(first, style, scale=scale, frames=1 + len(others), name=name)
    notes = told(first, style, target, scale=scale)
    if not isinstance(content, Animation):
        return replace(content, notes=notes)
    return replace(content, frames=(replace(first, notes=(*notes, *losses(content, form))), *others))


def restored(
    content: Content, restorer: Restorer, tell: Tell, shared: Sequence[Shared | None]
) -> tuple[Content, Outcome]:
    """The content restored, and its outcome: of an animation that of the first frame, with the sums of all.

    shared: for each frame what it shares with others.
    """
    if not isinstance(content, Animation):
        outcome = restorer.restore(content, tell, shared[0])
        return outcome.photo, outcome
    count, outcomes = len(content.frames), []
    for number, (frame, common) in enumerate(zip(content.frames, shared, strict=True)):
        outcomes.append(restorer.restore(frame, partial(_tell_frame, tell, number, count), common))
    whole = replace(
        outcomes[0],
        tiles=sum(outcome.tiles for outcome in outcomes),
        halved=any(outcome.halved for outcome in outcomes),
        changed=any(outcome.changed for outcome in outcomes),
        input_megapixels=sum(outcome.input_megapixels for outcome in outcomes),
    )
    return replace(content, frames=tuple(outcome.photo for outcome in outcomes)), whole


def _tell_frame(tell: Tell, number: int, count: int, done: int, total: int) -> None:
    """The tiles of one of `count` frames as those of the whole file."""
    tell(number * total + done, count * total)


def write_into(stream: BinaryIO, content: Content, style: OutputStyle, *, name: str) -> None:
    """Write the bytes of the file into a stream. Raises as `writer.write_into` does."""
    if isinstance(content, Animation):
        stream.write(encode_animation(content, style, name=name))
    else:
        writer.write_into(stream, content, style, name=name)
