"""How well frames of films are restored: a slow pan over each photograph, coded by x264, its frames read as FFmpeg
writes them to PNG, with repeated chroma.

    python benchmarks/films.py PHOTO ... --weights compact.sr-x4 [NAME ...] [--crf 18 23 28] [--side 512]

Prints RGB PSNR in dB of the input, enlarged bicubically where the network enlarges, and of each network's output: the
mean over the photographs, of one frame each. Needs pip install 'hfpie[video]'.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from hfpie_cli.degradations.operations import quantise, reduce_bicubic
from hfpie_cli.photos.quality import psnr
from hfpie_cli.photos.reader import read_photo
from hfpie_cli.photos.resize import resize
from hfpie_cli.restore import Restorer

Frame = NDArray[np.uint8]  # (h, w, 3), RGB

FRAMES = 8
SHOWN = 5  # the frame that is restored: coded by what moved since others
PAN = (1.7, 0.8)  # pixels a frame of the film, across and down
MARGIN = 16  # pixels of the film that the pan needs


def pan(photo: NDArray[np.float32], side: int, step: tuple[float, float]) -> list[NDArray[np.float32]]:
    """FRAMES squares of `side` pixels about the middle of a photograph, `step` pixels (across, down) apart."""
    left, top = ((size - side - FRAMES * by) / 2 for size, by in zip(photo.shape[1::-1], step, strict=True))
    moves = [np.array([[1, 0, -left - i * step[0]], [0, 1, -top - i * step[1]]]) for i in range(FRAMES)]
    squares = (cv2.warpAffine(photo, move, (side, side), flags=cv2.INTER_LANCZOS4) for move in moves)
    return [quantise(np.asarray(square, np.float32)) for square in squares]


def coded(frames: Sequence[NDArray[np.float32]], crf: int) -> list[Frame]:
    """The frames of a film, coded by x264 at a constant rate factor: 4:2:0, preset medium."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            pixels = np.rint(frame * 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--weights", nargs="+", required=True)
    parser.add_argument("--crf", nargs="+", type=int, default=[18, 23, 28])
    parser.add_argument("--side", type=int, default=512, help="of the clean frames, pixels")
    given = parser.parse_args()
    restorers = [Restorer.from_weights(name) for name in given.weights]
    scale = restorers[0].scale
    print("crf    input " + " ".join(restorer.name for restorer in restorers))
    for crf in given.crf:
        rows = []
        for path in given.photos:
            photo = read_photo(path).pixels.astype(np.float32) / np.float32(255)
            side = min(given.side, *(size - MARGIN * scale for size in photo.shape[:2])) // 8 * 8
            frames = pan(photo, side, (PAN[0] * scale, PAN[1] * scale))
            small = [reduce_bicubic(frame) for frame in frames] if scale > 1 else frames
            shown, clean = coded(small, crf)[SHOWN], np.rint(frames[SHOWN] * 255)
            outputs = [resize(shown, *clean.shape[:2]), *(restorer(shown) for restorer in restorers)]
            rows.append([psnr(output.astype(np.float64), clean, peak=255) for output in outputs])
        print(f"{crf:3d} " + " ".join(f"{score:8.3f}" for score in np.mean(rows, 0)), flush=True)


if __name__ == "__main__":
    main()
