"""Fuzzing: seeded mutations of good files, or a folder of broken ones, are restored one after the other.

    python benchmarks/fuzz.py --mutations 2000
    python benchmarks/fuzz.py --mutations 400 --films
    python benchmarks/fuzz.py --folder DATA/malformed

Every file is restored as by `hfpie denoise --weights unit-test` in a supervised process. An outcome is `refused`
(one HfpieError), `right`, or a fault: another exception, a picture that other decoders read otherwise, more than 10 s
of the processor beside the network's (which go by the pixels), more than 2 GiB. Right is checked on the pixels that the
network gets, against Pillow and tifffile.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import resource
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

MAX_SECONDS, MAX_BYTES = 10.0, 2 << 30
PATIENCE = 300.0  # seconds by the clock after which a file is abandoned
SIDE = (72, 56)  # of the pictures that are mutated: h, w
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def seeds() -> dict[str, bytes]:
    """Small good files of every kind that is read, by name."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (SIDE[0] // 8, SIDE[1] // 8, 3), dtype=np.uint8)
    rgb = np.asarray(Image.fromarray(small).resize(SIDE[::-1], Image.Resampling.BICUBIC))
    deep = rgb.astype(np.uint16) * 257
    image, files = Image.fromarray(rgb), {}

    def save(name: str, form: str, picture: Image.Image = image, **how: object) -> None:
        buffer = io.BytesIO()
        picture.save(buffer, form, **how)
        files[name] = buffer.getvalue()

    exif = Image.Exif()
    exif[0x0112], exif[271] = 6, "maker"
    save("plain.png", "PNG")
    save("alpha.png", "PNG", image.convert("RGBA"), dpi=(72, 72))
    save("palette.png", "PNG", image.convert("P"), transparency=0)
    save("base.jpg", "JPEG", quality=90, exif=exif)
    save("progressive.jpg", "JPEG", progressive=True)
    save("cmyk.jpg", "JPEG", image.convert("CMYK"))
    save("lossy.webp", "WEBP", quality=80)
    save("lossless.webp", "WEBP", lossless=True)
    save("a.avif", "AVIF", quality=60)
    save("a.bmp", "BMP")
    save("a.ppm", "PPM")
    frames = [Image.fromarray(np.roll(rgb, 4 * number, 1)) for number in range(3)]
    for form in ("GIF", "PNG", "WEBP"):
        save(f"animated.{form.lower()}", form, frames[0], save_all=True, append_images=frames[1:], duration=100)
    for compression in (None, "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"):
        save(f"{compression}.tif", "TIFF", compression=compression, exif=exif)
    save("fax.tif", "TIFF", image.convert("1"), compression="group4")
    files["deep.png"] = cv2.imencode(".png", deep)[1].tobytes()
    files["deep.ppm"] = cv2.imencode(".ppm", deep)[1].tobytes()
    kinds: dict[str, dict[str, Any]] = {
        "strips": {"rowsperstrip": 16},
        "tiles": {"tile": (32, 32), "compression": "zlib"},
        "planes": {"planarconfig": "separate"},
        "float": {},
    }
    for name, how in kinds.items():
        buffer, pixels = io.BytesIO(), deep if name != "float" else rgb.astype(np.float32) / 255
        pixels = np.moveaxis(pixels, -1, 0) if name == "planes" else pixels
        tifffile.imwrite(buffer, pixels, photometric="rgb", metadata=None, **how)
        files[f"deep-{name}.tif"] = buffer.getvalue()
    for name, stack in (("pages", {"photometric": "minisblack", "compression": "zlib"}), ("slices", {"imagej": True})):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.stack([deep[..., n] for n in range(3)]), **stack)
        files[f"{name}.tif"] = buffer.getvalue()
    return files


def mutated(file: bytes, rng: np.random.Generator) -> bytes:
    """The file with one or two changes: bits, bytes, numbers, parts cut out, doubled or filled; headers more often."""
    data = bytearray(file)
    for _ in range(int(rng.integers(1, 3))):
        near = min(len(data), 256) if rng.random() < 0.5 else len(data)
        at = int(rng.integers(max(near, 1)))
        length = int(2 ** rng.uniform(0, 8))
        kind = rng.integers(7)
        if kind == 0:
            data[at : at + 1] = bytes([data[at] ^ 1 << int(rng.integers(8))]) if data else b""
        elif kind == 1:
            data[at : at + 1] = bytes([int(rng.choice(INTERESTING))])
        elif kind == 2:
            data[at : at + 4] = int(rng.integers(2**32)).to_bytes(4, "little")
        elif kind == 3:
            del data[at : at + length]
        elif kind == 4:
            data[at:at] = data[at : at + length] * int(rng.integers(1, 20))
        elif kind == 5:
            data[at : at + length] = bytes([int(rng.choice(INTERESTING))]) * length
        else:
            del data[at:]
    return bytes(data)


def films() -> dict[str, bytes]:
    """The same for films, of four frames each, which need PyAV."""
    import av

    rng, files = np.random.default_rng(0), {}
    kinds = {"film.mp4": "libx264", "film.mkv": "libx265", "film.webm": "libvpx-vp9", "film.avi": "mpeg4"}
    for name, codec in kinds.items():
        buffer = io.BytesIO()
        muxer = {"mkv": "matroska"}.get(name[5:], name[5:])
        with av.open(buffer, "w", format=muxer) as container:
            stream: Any = container.add_stream(codec, rate=25, options={"x265-params": "log-level=none"})
            stream.codec_context.width, stream.codec_context.height = SIDE[::-1]
            stream.codec_context.pix_fmt = "yuv420p"
            for _ in range(4):
                frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (*SIDE, 3), dtype=np.uint8), "rgb24")
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode())
        files[name] = buffer.getvalue()
    return files


def mutations(count: int, seed: int = 0, good: dict[str, bytes] | None = None) -> Iterator[tuple[str, bytes]]:
    """(name, file) of so many mutations, the same for a seed."""
    files = sorted((seeds() if good is None else good).items())
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        name, file = files[number % len(files)]
        yield f"{number:05}-{name}", mutated(file, rng)


def disagreement(data: bytes) -> str:
    """How the pixels that hfpie reads differ from other decoders'; empty if they do not."""
    from hfpie_cli.photos.contents import read_content
    from hfpie_cli.photos.photo import Photo

    photo = read_content(data)
    if not isinstance(photo, Photo):
        return ""
    with warnings.catch_warnings(action="ignore"):
        other = _other_pixels(data)
    if other is None:
        return ""
    ours = photo.samples()
    other = other[..., None] if other.ndim == 2 else other
    if sorted(ours.shape[:2]) != sorted(other.shape[:2]):
        return f"{ours.shape} pixels, and {other.shape} elsewhere"
    if ours.shape != other.shape:  # turned, or another number of channels for the same colours
        return ""
    same = np.array_equal(ours, other) or np.array_equal(ours, other[::-1, ::-1])
    return "" if same or ours.dtype != other.dtype else "other pixels than elsewhere"


def _other_pixels(data: bytes) -> np.ndarray | None:
    """As Pillow or tifffile read a file, where they do."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        with suppress(Exception), tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            if page.photometric in (1, 2) and len(page.extrasamples) == 0 and page.dtype is not None:
                pixels = page.asarray()
                return np.moveaxis(pixels, 0, -1) if page.planarconfig == 2 and pixels.ndim == 3 else pixels
        return None
    with suppress(Exception), Image.open(io.BytesIO(data)) as image:
        if image.mode in {"RGB", "L", "RGBA"} and "transparency" not in image.info and image.getexif().get(274, 1) == 1:
            return None if data[24:25] == b"\x10" or data[:1] == b"P" else np.asarray(image)
    return None


def work(connection: Connection) -> None:
    """Restore file after file as the command does, and report each outcome."""
    import torch

    from hfpie_cli import Restorer
    from hfpie_cli.batch.content import Destination, checked, restored, write_into
    from hfpie_cli.errors import HfpieError
    from hfpie_cli.photos.contents import read_content
    from hfpie_cli.photos.formats import OutputStyle
    from hfpie_cli.photos.recognise import is_film_head

    torch.set_num_threads(1)
    restorer = Restorer.from_weights("unit-test")
    connection.send(("ready", "", 0.0, 0))
    for path in iter(connection.recv, None):
        started, network, outcome, words = time.process_time(), 0.0, "right", ""
        _forget_peak()
        try:
            data = Path(path).read_bytes()
            content = read_content(Path(path))
            style = OutputStyle(content.format)
            checked(content, style, None, scale=1, name=path)
            begun = time.process_time()
            done, _ = restored(
                content, restorer, lambda done, total: None, lambda start: repeat(None), Destination(None, style, path)
            )
            network = time.process_time() - begun
            encoding = io.BytesIO()
            write_into(encoding, done, style, name=path)
            file = encoding.getvalue()
            words = "" if is_film_head(data) else disagreement(data)
            outcome = "wrong" if words or not file else "right"
        except HfpieError as error:
            outcome, words = "refused", error.message
            if "\n" in words:
                outcome = "more than a line"
        except Exception as error:
            outcome, words = "exception", f"{type(error).__name__}: {error}"
        connection.send((outcome, words, time.process_time() - started - network, _peak()))


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """Bytes of memory that this process has had at most since `_forget_peak`."""
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


class Worker:
    """The supervised process, restarted after it was ended."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._connection, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=work, args=(other,), daemon=True)
        self._process.start()
        other.close()
        self._connection.recv()

    def try_file(self, path: Path) -> tuple[str, str, float, int]:
        """(outcome, words, seconds, bytes at the peak)."""
        self._connection.send(str(path))
        try:
            if self._connection.poll(PATIENCE):
                return self._connection.recv()
            outcome = ("no end", "", PATIENCE, 0)
        except EOFError:
            outcome = ("crash", f"exit code {self._process.exitcode}", 0.0, 0)
        self._process.kill()
        self._process.join()
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._connection.send(None)
        self._process.join(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=0)
    parser.add_argument("--films", action="store_true", help="mutate films, not pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="of files to try as they are")
    options = parser.parse_args()
    worker, counts, slowest, largest, faults = Worker(), Counter[str](), 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        files = [] if options.folder is None else sorted(path for path in options.folder.iterdir() if path.is_file())
        broken: Iterator[Path] = iter(files)
        good = films() if options.films else None
        if options.mutations:
            broken = (_written(Path(folder), *one) for one in mutations(options.mutations, options.seed, good))
        for path in broken:
            outcome, words, seconds, memory = worker.try_file(path)
            counts[outcome] += 1
            slowest, largest = max(slowest, seconds), max(largest, memory)
            if outcome not in {"right", "refused"} or seconds > MAX_SECONDS or memory > MAX_BYTES:
                faults += 1
                print(f"{path.name}: {outcome} {words[:200]}  {seconds:.1f} s, {memory / 2**20:.0f} MiB", flush=True)
            if path.parent == Path(folder):
                path.unlink()
    worker.close()
    print(json.dumps({**counts, "slowest_s": round(slowest, 2), "peak_mib": largest >> 20, "faults": faults}))
    raise SystemExit(faults > 0)


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main()
