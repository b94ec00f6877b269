"""Checks, restores and encodes the content of a file: a photograph, an animation, a stack or a film."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from ..errors import HfpieError
from ..outcome import Outcome, Progress, Shared
from ..photos import writer
from ..photos.animation import Animation, check_held, encode_animation, losses
from ..photos.contents import Content, first_of
from ..photos.film import Film
from ..photos.film_encode import Encoding
from ..photos.film_parts import Kept
from ..photos.formats import FILMS, OutputStyle
from ..photos.photo import Photo
from ..photos.series import Series
from ..photos.writer import check_writable, remarks
from ..restore import Restorer
from ..shown import counted

if TYPE_CHECKING:
    from ..photos.stack import Stack

PIECE = 1 << 20  # bytes copied at once


@dataclass(frozen=True)
class Written:
    """A restored sequence in an unnamed temporary file, which is deleted when it is closed."""

    file: IO[bytes]
    """The open file."""


@dataclass(frozen=True)
class Destination:
    """Where and how a sequence is written."""

    folder: Path | None
    """Folder of the temporary file; None for the system's own."""
    style: OutputStyle
    """How it is encoded."""
    name: str
    """The output's name, for messages."""
    kept: Kept | None = None
    """What to keep of an unfinished film; None for nothing."""


Done = Photo | Animation | Written | Encoding
Pictures = Iterator[tuple[Photo, Shared | None]]
Sharing = Callable[[int], Iterator[Shared | None]]  # what each picture shares with others, from a given number on


def pictures_of(content: Content, start: int = 0) -> Iterator[Photo]:
    """Its pictures in order, without the first `start`."""
    if isinstance(content, Series):
        return content.pictures(start)
    return islice(content.frames if isinstance(content, Animation) else (content,), start, None)


def count_of(content: Content) -> int:
    """How many pictures it has."""
    if isinstance(content, Series):
        return content.count
    return len(content.frames) if isinstance(content, Animation) else 1


def megapixels_of(content: Content) -> float:
    """Megapixels of all its pictures."""
    pixels = content.pixels if isinstance(content, Series) else sum(p.width * p.height for p in pictures_of(content))
    return pixels / 1e6


def checked(content: Content, style: OutputStyle, target: Path | None, *, scale: int, name: str) -> tuple[str, ...]:
    """Remarks for the user before anything is computed, a line each.

    scale: how many times as large it will be. Raises HfpieError if no file of the style can hold it.
    """
    if isinstance(content, Series):
        return content.checked(style, target, scale)
    first = first_of(content)
    form = style.format or first.format
    if form in FILMS:
        raise HfpieError(f"{name}: not a film, and {form} holds only films", "use --format png, or remove --format")
    if isinstance(content, Animation):
        check_held(content, form, name)
    check_writable(first, style, scale=scale, frames=count_of(content), name=name)
    notes = remarks(first, style, target, scale=scale)
    return (*notes, *losses(content, form)) if isinstance(content, Animation) else notes


def restored(
    content: Content, restorer: Restorer, report: Progress, sharing: Sharing, destination: Destination
) -> tuple[Done, Outcome]:
    """The restored content and its outcome: of several pictures the first one's, with the sums of all.

    If a film was continued, the outcome covers the frames of this run. destination: where a series is
    written meanwhile.
    """
    if isinstance(content, Film):
        return _restored_film(content, restorer, report, sharing, destination)
    if isinstance(content, Series):
        return _restored_stack(cast("Stack", content), restorer, report, sharing, destination)
    count = count_of(content)
    outcomes = [
        restorer.restore(picture, partial(_report_picture, report, number, count), common)
        for number, (picture, common) in enumerate(zip(pictures_of(content), sharing(0), strict=False))
    ]
    whole = reduce(_plus, outcomes)
    if isinstance(content, Animation):
        return replace(content, frames=tuple(outcome.photo for outcome in outcomes)), whole
    return whole.photo, whole


def _restored_stack(
    stack: Stack, restorer: Restorer, report: Progress, sharing: Sharing, destination: Destination
) -> tuple[Written, Outcome]:
    """Page after page, so that only one is in memory."""
    with _named(destination):
        file = tempfile.TemporaryFile(dir=destination.folder)  # noqa: SIM115  # it goes on to the next stage
        try:
            pictures = zip(stack.pictures(), sharing(0), strict=False)
            with stack.writing(file, destination.style, restorer.out_scale) as add:
                outcome = _restore_each(stack, pictures, restorer, report, add)
            file.seek(0)
        except BaseException:
            file.close()
            raise
    return Written(file), outcome


def _restored_film(
    film: Film, restorer: Restorer, report: Progress, sharing: Sharing, destination: Destination
) -> tuple[Encoding, Outcome]:
    """Frame after frame, after those that a stopped run has kept."""
    with _named(destination):
        encoding = film.encoding(destination.style, restorer.out_scale, destination.kept, destination.folder)
        done = encoding.done
        try:
            pictures = _pictures_to_add(film, encoding, sharing)
            outcome = _restore_each(film, pictures, restorer, report, encoding.add, start=done)
            encoding.finish()
        except BaseException:
            encoding.close()
            raise
    kept = (f"{counted(done, 'frame')} restored by an earlier run",) if done else ()
    return encoding, replace(outcome, photo=replace(outcome.photo, notes=(*kept, *outcome.photo.notes)))


def _pictures_to_add(film: Film, encoding: Encoding, sharing: Sharing) -> Pictures:
    """Pass pictures on; drop what was kept if the film turns out to be broken."""
    try:
        yield from zip(film.pictures(encoding.done), sharing(encoding.done), strict=False)
    except HfpieError:
        encoding.parts.discard()
        raise


@contextmanager
def _named(destination: Destination) -> Iterator[None]:
    """Turn an OSError into an HfpieError with the output's name."""
    try:
        yield
    except OSError as error:
        raise HfpieError(f"{destination.name}: cannot be written ({error.strerror})") from None


def _restore_each(
    series: Series,
    pictures: Pictures,
    restorer: Restorer,
    report: Progress,
    add: Callable[[Photo], None],
    *,
    start: int = 0,
) -> Outcome:
    """The outcome has the notes of all pictures, each with the number of the first picture that has it.

    start: number of the first of the pictures.
    """
    whole: Outcome | None = None
    notes: dict[str, str] = {}
    for number, (picture, common) in enumerate(pictures, start):
        report_tiles = partial(_report_picture, report, number, max(series.count, number + 1))
        outcome = restorer.restore(picture, report_tiles, common)
        add(outcome.photo)
        for note in picture.notes:
            notes.setdefault(note, f"{series.noun} {number + 1}: {note}" if number else note)
        whole = outcome if whole is None else _plus(whole, outcome)
    assert whole is not None
    return replace(whole, photo=replace(whole.photo, notes=tuple(notes.values())))


def _plus(one: Outcome, other: Outcome) -> Outcome:
    """The outcome of several pictures: the first one's, with the sums and the most unusual tiles."""
    told = one
    if one.halved or other.halved:
        told = min(one, other, key=lambda outcome: outcome.tile)
    elif one.doubled or other.doubled:
        told = max(one, other, key=lambda outcome: outcome.tile)
    return replace(
        one,
        tile=told.tile,
        overlap=told.overlap,
        tiles=one.tiles + other.tiles,
        halved=one.halved or other.halved,
        doubled=one.doubled or other.doubled,
        changed=one.changed or other.changed,
        input_megapixels=one.input_megapixels + other.input_megapixels,
    )


def noted(outcome: Outcome, remarks: tuple[str, ...]) -> Outcome:
    """The outcome with the remarks of `checked` before its own notes, each of them once."""
    notes = tuple(dict.fromkeys((*remarks, *outcome.photo.notes)))
    return replace(outcome, photo=replace(outcome.photo, notes=notes))


def _report_picture(report: Progress, number: int, count: int, done: int, total: int) -> None:
    """Report the tiles of one of `count` pictures as progress of the whole file."""
    report(number * total + done, count * total)


def write_into(stream: BinaryIO, done: Done, style: OutputStyle, *, name: str) -> None:
    """Write the bytes of the file into a stream. Raises as `writer.write_into` does."""
    if isinstance(done, Encoding):
        with closing(done):
            done.join(stream)
    elif isinstance(done, Written):
        with done.file as file:
            shutil.copyfileobj(file, stream, PIECE)
    elif isinstance(done, Animation):
        stream.write(encode_animation(done, style, name=name))
    else:
        writer.write_into(stream, done, style, name=name)


def clear(done: Done) -> None:
    """Remove what was kept of it, once its file is written."""
    if isinstance(done, Encoding):
        done.parts.discard()
