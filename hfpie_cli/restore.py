"""The Restorer: runs a photograph through a network.

photo -> tiles -> tensors -> network -> blend -> rows of the new photo
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .device import Device, choose_device, tiles_at_once
from .errors import HfpieError, UnavailableError, UsageError
from .invariants.bands import correct, enlarged_rows
from .invariants.change import measure_change
from .invariants.chroma import smooth_chroma
from .invariants.grey import is_grey
from .invariants.means import choose_rule
from .invariants.span import FULL_SPAN, Span, bounded, find_span, joint_span
from .models.contract import Restoring, UnsteadyError
from .models.enlarging import enlarge
from .noise import estimate_noise
from .outcome import Outcome, Progress, Shared
from .photos.hidden import fill_hidden
from .photos.photo import Photo, Pixels, check_array
from .photos.pillow import from_pillow, to_pillow
from .photos.reader import read_photo
from .photos.resize import resize
from .running import Forward, Runner, sample_parts
from .settings import check_tiles
from .tensors import ALL_TURNS, AS_IT_IS, as_hwc, fill_rows, to_tensor
from .tiling import Plan, Process, plan_tiles, process_tiles
from .weights.checkpoint import is_ours, load_checkpoint
from .weights.foreign import load_foreign
from .weights.registry import Weights, resolve

SMALLEST_TILE = 64  # pixels; smaller tiles are not tried on a device that runs out of memory
DOUBLINGS = 2  # doublings of the tile side, for a network that fails on smaller tiles


class Restorer:
    """Restores photographs with one network on one device.

    >>> from hfpie_cli import Restorer
    >>> restored = Restorer.from_weights("denoise")("photo.png")  # (h, w, 3) in the file's own type
    """

    def __init__(
        self,
        network: Restoring,
        *,
        tile: int | None = None,
        overlap: int | None = None,
        device: Device | None = None,
        strength: float = 1.0,
        tta: bool = False,
        out_scale: int | None = None,
        noise: float | None = None,
        name: str = "the network",
    ) -> None:
        """network: (n, 3, h, w) -> (n, 3, scale h, scale w) in [0, 1]. tile, overlap: input pixels; default: its own.

        strength: share of the restored picture in the result, 0 to 1; the rest is the (enlarged) input.
        tta: average over the 8 turned and mirrored inputs. out_scale: reduce to this scale afterwards. noise: standard
        deviation of the photographs' noise, where full scale is 255, for networks that take it; default: measured.
        name: of the network, for messages. Raises UsageError for a tile, an overlap or a noise that cannot be.
        """
        self.contract = contract = network.contract
        self.device, self.name = device or choose_device(bears=contract.precisions), name
        self.scale, self.stride = contract.scale, contract.stride
        self.tile, self.overlap = tile or contract.tile, contract.overlap if overlap is None else overlap
        self.strength, self.out_scale, self.noise = strength, out_scale or contract.scale, noise
        self._runner = Runner(network, self.device, ALL_TURNS if tta else AS_IT_IS)
        self._check()

    def _check(self) -> None:
        if self.tile < self.contract.smallest:
            message = f"{self.name}: tiles must be at least {self.contract.smallest} pixels"
            raise UsageError(message, f"use --tile {self.contract.smallest}, or remove --tile")
        if self.noise is not None and not self.contract.takes_noise:
            hint = "remove --noise: the network estimates the noise itself or was trained for one level"
            raise UsageError(f"{self.name}: does not take a noise level", hint)
        check_tiles(self.tile, self.overlap, self.stride)

    @classmethod
    def from_weights(
        cls,
        weights: str | Path | Weights,
        *,
        device: str = "auto",
        precision: str = "auto",
        tile: int | None = None,
        overlap: int | None = None,
        strength: float = 1.0,
        tta: bool = False,
        out_scale: int | None = None,
        noise: float | None = None,
    ) -> Restorer:
        """A Restorer with named weights (`compact.denoise`), a task's default ones (`denoise`) or those of a file.

        Files of other people's networks are read by spandrel, if it is installed.
        tile, overlap: by default the checkpoint's own. strength, tta, out_scale, noise: as in `Restorer`.
        """
        found = weights if isinstance(weights, Weights) else resolve(str(weights))
        network = load_checkpoint(found.path).network() if is_ours(found.path) else load_foreign(found.path)
        if not isinstance(network, Restoring):
            raise UnavailableError(f"{found.name}: not a restoration network")
        contract = network.contract
        return cls(
            network,
            tile=found.tile if tile is None else tile,
            overlap=found.overlap if overlap is None else overlap,
            device=choose_device(device, precision, residual=contract.residual, bears=contract.precisions),
            strength=strength,
            tta=tta,
            out_scale=out_scale,
            noise=noise,
            name=found.name,
        )

    @overload
    def __call__(self, source: Image.Image) -> Image.Image: ...

    @overload
    def __call__(self, source: str | Path | Pixels) -> Pixels: ...

    def __call__(self, source: str | Path | Pixels | Image.Image) -> Pixels | Image.Image:
        """Restore a file, an array or a Pillow image: the same kind comes back, larger where that is the task.

        Arrays: (h, w) or (h, w, 1 or 3) RGB of uint8 (full scale 255), uint16 (65535) or float32 (1.0, not clipped); a
        file gives such an array, without its transparency. Images keep alpha and `info`. Raises HfpieError for what is
        no photograph.
        """
        if isinstance(source, Image.Image):
            return to_pillow(self.restore(from_pillow(source)).photo, source)
        if isinstance(source, str | Path):
            return self.restore(read_photo(Path(source))).photo.pixels
        check_array(source)
        restored = self.restore(Photo(as_hwc(source))).photo.pixels
        return restored[..., 0] if source.ndim == 2 else restored

    def share(self, frames: Sequence[Photo]) -> Shared:
        """Measured on a few frames of a shot, all of one size, for `restore` to use on each of them."""
        shown = [self._shown(frame) for frame in frames]
        span = joint_span([find_span(pixels) for pixels in shown])
        levels = [level for pixels in shown if (level := self._noise_of(pixels)) is not None]
        noise = sum(levels) / len(levels) if levels else None
        parts = [part for pixels in shown for part in sample_parts(pixels, self.contract.sample_side)]
        sample = torch.stack([span.stretch(to_tensor(part)) for part in parts])
        return self._shared(span, noise, sample if span == FULL_SPAN else sample.clamp(0, 1))

    def restore(
        self, photo: Photo, progress: Progress = lambda done, total: None, shared: Shared | None = None
    ) -> Outcome:
        """Restore a photo; a frame of a shot with what it shares, and even where there is little to do.

        When a CUDA device runs out of memory: fewer tiles at once, then tiles of half the side. When the network gives
        no picture of a tile: tiles of twice the side, DOUBLINGS times at most.

        Raises HfpieError when even the smallest tiles do not fit, or when the network gives no picture, or no finite
        pixels.
        """
        whole = max(photo.height, photo.width)
        tile = self.tile if self.contract.cuts else max(self.tile, -(-whole // self.stride) * self.stride)
        overlap, doublings = self.overlap, 0
        batch = tiles_at_once(self.device, tile, self.scale)
        while True:
            try:
                return self._restore(photo, tile, overlap, batch, progress, shared=shared)
            except torch.cuda.OutOfMemoryError:
                self.device.release()
                if batch > 1:
                    batch //= 2
                    continue
                smallest = max(SMALLEST_TILE, 2 * self.stride, self.contract.smallest)
                if tile // 2 < smallest or not self.contract.cuts:
                    raise HfpieError("the device ran out of memory", "use --device cpu") from None
                tile, overlap = tile // 2, min(overlap, tile // 4 // self.stride * self.stride)
            except UnsteadyError as error:
                doublings += 1
                if tile >= whole or doublings > DOUBLINGS:
                    message = (
                        f"{self.name}: its output is not a picture: values from {error.low:.3g} to {error.high:.3g}"
                    )
                    raise HfpieError(message, "use other weights for this photograph (hfpie weights list)") from None
                tile, overlap = 2 * tile, 2 * overlap

    def _restore(
        self, photo: Photo, tile: int, overlap: int, batch: int, progress: Progress, *, shared: Shared | None
    ) -> Outcome:
        shown = self._shown(photo)
        grey = is_grey(shown)
        shown = shown[..., :1] if grey else shown
        plan = plan_tiles(photo.height, photo.width, tile=tile, overlap=overlap, stride=self.stride)
        own = shared or self._measure(shown, plan)
        pixels = self._draw(shown, own, plan, batch, progress)
        changed = self.scale > 1 or shared is not None or self._is_changed(shown, pixels, own.span)
        pixels = pixels if changed else shown.copy()
        pixels = np.repeat(pixels, photo.pixels.shape[2], 2) if grey else pixels
        restored = self._finish(replace(photo, pixels=pixels))
        if self.out_scale == 1 and photo.alpha is not None:
            np.copyto(restored.pixels, photo.pixels, where=photo.alpha[..., None] == 0)
        return Outcome(
            photo=restored,
            tile=tile,
            overlap=overlap,
            tiles=len(plan),
            halved=tile < self.tile,
            doubled=self.contract.cuts and tile > self.tile,
            changed=changed,
            noise=own.noise,
            input_megapixels=photo.height * photo.width / 1e6,
        )

    def _shown(self, photo: Photo) -> Pixels:
        """What the network sees of a photo, before its span is stretched."""
        pixels = fill_hidden(photo).pixels
        return smooth_chroma(pixels) if self.scale > 1 else pixels

    def _measure(self, shown: Pixels, plan: Plan) -> Shared:
        """What the tiles of a photo share."""
        span = find_span(shown)
        return self._shared(span, self._noise_of(shown), self._sample(shown, span, plan))

    def _shared(self, span: Span, noise: float | None, sample: Tensor | None) -> Shared:
        seen = None if noise is None else noise / 255 / span.width  # where the span is [0, 1]
        return Shared(span, noise, self._runner.prepare(sample, seen))

    def _noise_of(self, pixels: Pixels) -> float | None:
        """The noise level for the network; None for one that takes none."""
        if self.noise is not None or not self.contract.takes_noise:
            return self.noise
        return estimate_noise(pixels)

    def _is_changed(self, shown: Pixels, pixels: Pixels, span: Span) -> bool:
        return not measure_change(shown, pixels, span.width * (self.strength or 1)).slight

    def _draw(self, shown: Pixels, shared: Shared, plan: Plan, batch: int, progress: Progress) -> Pixels:
        """The restored pixels of (h, w, c) ones, tile by tile, corrected where the network must not decide."""
        height, width, channels = shown.shape
        span, done = shared.span, 0

        def read(top: int, left: int, height: int, width: int) -> Tensor:
            return span.stretch(to_tensor(shown[top : top + height, left : left + width]))

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(done, len(plan))

        process: Process = partial(self._process, shared.forward)
        process = process if span == FULL_SPAN else bounded(process, self.scale)
        at_once = self._runner.streams.at_once(-(-len(plan) // batch))
        rows = process_tiles(plan, read, process, scale=self.scale, batch=batch, progress=advance, streams=at_once)
        keeps_grey = self.contract.keeps_grey and channels == 3
        if rule := choose_rule(span.limits(shown), enlarges=self.scale > 1, keeps_grey=keeps_grey):
            read_rows = partial(enlarged_rows, lambda top, rows: read(top, 0, rows, width), height, self.scale)
            rows = correct(rows, read_rows, rule, height=height * self.scale, width=width * self.scale)
        restored = np.empty((height * self.scale, width * self.scale, channels), shown.dtype)
        with self._runner.streams.shared_by(at_once):
            for top, strip in rows:
                fill_rows(restored, top, span.bring_back(strip))
        return restored

    def _sample(self, shown: Pixels, span: Span, plan: Plan) -> Tensor | None:
        """What the averages of the photo are measured on; None for one that is one tile, all of it the sample."""
        parts = sample_parts(shown, self.contract.sample_side)
        if len(parts) == len(plan) == 1:
            return None
        sample = torch.stack([span.stretch(to_tensor(part)) for part in parts])
        return sample if span == FULL_SPAN else sample.clamp(0, 1)

    @torch.inference_mode()
    def _process(self, forward: Forward, tiles: Tensor) -> Tensor:
        """Restore a batch of tiles on the CPU, (n, 3, h, w) -> (n, 3, scale h, scale w) float32."""
        streams = self._runner.streams
        with streams.one():
            tiles = self._runner.to_device(tiles)
            restored = forward(tiles)
            if self.strength < 1:
                restored = torch.lerp(enlarge(tiles, self.scale), restored, self.strength)
            return streams.fetch(restored)

    def _finish(self, photo: Photo) -> Photo:
        """Resize colours and alpha to the requested size."""
        height = photo.height // self.scale * self.out_scale
        width = photo.width // self.scale * self.out_scale
        pixels = photo.pixels if self.out_scale == self.scale else resize(photo.pixels, height, width)
        alpha = photo.alpha
        if alpha is not None and alpha.shape != (height, width):
            alpha = resize(alpha[..., None], height, width)[..., 0]
            alpha = alpha.clip(0, 1) if alpha.dtype == np.float32 else alpha
        return replace(photo, pixels=pixels, alpha=alpha)
