"""The shipped checkpoints: intact, licensed, better than the input, and the same in tiles as at once."""

import copy
import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photographs

from hfpie_cli import Restorer
from hfpie_cli.data.drawn import KINDS, diagram
from hfpie_cli.degradations.named import DEGRADATIONS, GaussianNoise, Jpeg
from hfpie_cli.degradations.web import Grain, Webp
from hfpie_cli.evaluation.parts import PEAK_LIMIT, examine, without
from hfpie_cli.models.experts import Experts
from hfpie_cli.models.network import Network
from hfpie_cli.photos.photo import Photo
from hfpie_cli.photos.quality import psnr
from hfpie_cli.tasks import TASKS
from hfpie_cli.weights.checkpoint import load_checkpoint
from hfpie_cli.weights.registry import SHIPPED, TEST_WEIGHTS, known_weights, resolve

OURS = [name for name, entry in known_weights().items() if not entry.source]
RESTORING = [name for name in OURS if known_weights()[name].task in TASKS and name != TEST_WEIGHTS]

NETWORKS = {name: load_checkpoint(SHIPPED / known_weights()[name].file).network() for name in RESTORING}
IDLE = {  # scales that are alive, and bring less than WORTH after 6,000 steps and more: docs/training.md
    "compact.deblur": {"1/4"},
    "compact.sr-x4": {"1/2", "1/4"},
    "compact.sr-x4-bicubic": {"1/2", "1/4"},
}
HARD = {  # what each network needs its smaller scales for; dB that it loses at least without any one of them
    "compact.denoise": ("night-16", "awgn-50"),
    "compact.denoise-awgn": ("awgn-50", "awgn-25"),
    "compact.deblur": ("defocus-4", "motion-jpeg"),
    "compact.sr-x4": ("jpeg-50-x4", "noise-10-x4"),
    "compact.sr-x4-bicubic": ("bicubic-x4", "noise-10-x4"),
    "compact.sr-x4-gan": ("bicubic-x4", "jpeg-80-x4"),
}
WORTH = 0.03


def photograph_crops(side: int) -> list[np.ndarray]:
    """Squares of five photographs, none of them trained on: float32 in [0, 1]."""
    pictures = [photographs.astronaut(), photographs.coffee(), photographs.chelsea(), photographs.rocket()]
    pictures.append(photographs.stereo_motorcycle()[0])
    starts = [((n - side) // 2 for n in picture.shape[:2]) for picture in pictures]
    corners = [tuple(start) for start in starts]
    return [
        picture[top : top + side, left : left + side].astype(np.float32) / 255
        for picture, (top, left) in zip(pictures, corners, strict=True)
    ]


def as_batch(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def degraded_batch(name: str, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(degraded, clean) of the photographs."""
    clean = photograph_crops(side)
    return as_batch([DEGRADATIONS[name](c, np.random.default_rng(i)) for i, c in enumerate(clean)]), as_batch(clean)


def half_plain(height: int, width: int) -> np.ndarray:
    """Half a plain gradient, half texture: what attention over single tiles would tear apart."""
    picture = np.repeat(np.linspace(110, 190, height)[:, None, None], width, 1).repeat(3, 2)
    coarse = np.random.default_rng(0).integers(0, 256, (height // 6, width // 3, 3), dtype=np.uint8)
    picture[height // 2 :] = np.asarray(Image.fromarray(coarse).resize((width, height - height // 2)))
    return np.rint(picture).astype(np.uint8)


@pytest.mark.parametrize("name", OURS)
def test_every_file_is_what_the_table_says(name):
    entry, data = known_weights()[name], (SHIPPED / known_weights()[name].file).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.size, entry.sha256)
    assert entry.licence
    assert entry.trained_on
    assert resolve(name).path == SHIPPED / entry.file


def test_every_command_has_weights_but_never_the_test_ones():
    for task in TASKS.values():
        assert task.weights in known_weights()
        assert TEST_WEIGHTS not in (task.weights, task.gan_weights)


@pytest.mark.parametrize("name", RESTORING)
def test_tiles_do_not_show(name):
    scale = known_weights()[name].scale
    degradation = {"denoise": "awgn-25-8bit", "deblur": "gaussian-blur", "sr": "clean"}[known_weights()[name].task]
    tile = 320 if scale == 1 else 128  # with the overlap by default: the seams of larger tiles are no other
    clean = half_plain(tile + 48, tile + 64).astype(np.float32) / 255
    degraded = DEGRADATIONS[degradation](clean, np.random.default_rng(0))
    photo = Photo(np.rint(degraded * 255).astype(np.uint8))
    restorers = (Restorer.from_weights(name, precision="fp32", tile=side) for side in (tile, 4096))
    tiled, whole = (restorer.restore(photo) for restorer in restorers)
    assert (whole.tiles, tiled.tiles >= 4) == (1, True)
    assert np.abs(tiled.photo.pixels.astype(int) - whole.photo.pixels).max() <= 1


@pytest.mark.parametrize(
    ("name", "degradation"), [(n, d) for n in RESTORING if not known_weights()[n].gan for d in HARD[n]]
)
def test_every_scale_does_its_work(name, degradation):
    degraded, clean = degraded_batch(degradation, 128)
    network, scores = NETWORKS[name].mixed_for(degraded), []
    assert isinstance(network, Network)

    def score() -> float:
        restored = torch.cat([network(one[None]) for one in degraded]).clamp(0, 1)
        scores.append(float(-10 * (restored - clean).square().mean((1, 2, 3)).log10().mean()))
        return scores[-1]

    def worth(label: str) -> float:
        with torch.inference_mode(), without(network, label):
            return scores[0] - score()

    parts = {part.name: part for part in examine(network, score, worth=False)}
    for scale in {"1", "1/2", "1/4"} - IDLE.get(name, set()):
        labels = (f"up from {scale}", f"body {scale}", f"tail {scale}")  # the first is worth most
        assert any(worth(label) > WORTH for label in labels if label in parts), scale
    assert max(part.peak for part in parts.values()) < PEAK_LIMIT


@pytest.mark.parametrize("name", RESTORING)
def test_fp16_is_finite_on_photographs(name):
    degraded, _ = degraded_batch(HARD[name][0], 64)
    whole = load_checkpoint(SHIPPED / known_weights()[name].file).network()
    for network in [whole.mixed_for(degraded), *whole.each()]:
        with torch.inference_mode():  # all but the picture's own enlargement, which stays at fp32
            assert copy.deepcopy(network).half()(degraded).isfinite().all()


@pytest.mark.parametrize("name", RESTORING)
def test_a_gradient_reaches_every_map_of_every_layer(name):
    degraded, clean = degraded_batch(HARD[name][0], 64)
    whole = load_checkpoint(SHIPPED / known_weights()[name].file).network()
    for network in whole.each():
        (network(degraded) - clean).abs().mean().backward()
        for label, parameter in network.named_parameters():
            gradient = parameter.grad.flatten(1) if parameter.dim() > 1 else parameter.grad[:, None]
            assert gradient.abs().sum(1).min() > 0, label


def gains(task: str, degrade: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> list[float]:
    """What restoring brings each photograph, degraded and saved with 8 bits, in dB."""
    restorer, brought = Restorer.from_weights(task), []
    for number, clean in enumerate(photograph_crops(288)):
        degraded = np.rint(degrade(clean, np.random.default_rng(number)).clip(0, 1) * 255)
        restored = restorer(degraded.astype(np.uint8)).astype(np.float64)
        brought.append(psnr(restored, clean * 255.0) - psnr(degraded.astype(np.float64), clean * 255.0))
    return brought


@pytest.mark.parametrize(
    ("degradation", "least"), [("gaussian-blur", 2.5), ("defocus-2", 1.5), ("defocus-4", 1.5), ("motion-jpeg", 1.0)]
)
def test_one_network_undoes_blur_of_every_kind(degradation, least):
    brought = gains("deblur", DEGRADATIONS[degradation])
    assert np.mean(brought) > least
    assert min(brought) > -0.3


SHARP = {  # what files do to sharp photographs; a median of 3 x 3 is drawing software's
    "JPEG 85": Jpeg((85, 85)),
    "JPEG 50": Jpeg((50, 50)),
    "WebP 60": Webp((60, 60)),
    "noise of 5": GaussianNoise(5, 5),
    "grain of 6": Grain(sigma=(6, 6)),
    "median": lambda picture, rng: cv2.medianBlur(picture, 3),
}


@pytest.mark.parametrize("kind", SHARP)
def test_deblurring_hardly_harms_sharp_files(kind):
    assert min(gains("deblur", SHARP[kind])) > -0.4


def soft_background(picture: np.ndarray) -> np.ndarray:
    """Sharp in the middle only, as with a wide aperture."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    from_middle = np.hypot((y - height / 2) / (height * 0.3), (x - width / 2) / (width * 0.3))
    sharp = 1 / (1 + np.exp(8 * (from_middle - 1)))[..., None]
    return sharp * picture + (1 - sharp) * cv2.GaussianBlur(picture, (0, 0), 2)


@pytest.mark.parametrize("quality", [30, 50, 75])
def test_deblurring_leaves_the_soft_background_of_a_jpeg_soft(quality):
    """Behind JPEG it looks like a shaken photograph."""
    restorer, brought = Restorer.from_weights("deblur"), []
    for number, picture in enumerate(photograph_crops(288)):
        clean = soft_background(picture)
        saved = np.rint(Jpeg((quality, quality))(clean, np.random.default_rng(number)) * 255).astype(np.uint8)
        brought.append(psnr(restorer(saved), clean * 255.0) - psnr(saved, clean * 255.0))
    assert min(brought) > -0.2


@pytest.mark.parametrize(
    ("degradation", "least"),
    [(Grain(sigma=(12, 12)), 1.5), (Jpeg((30, 30)), 0.9), (GaussianNoise(10, 10), 4)],
)
def test_denoising_helps_what_people_bring(degradation, least):
    brought = gains("denoise", degradation)
    assert np.mean(brought) > least
    assert min(brought) > -0.1


@pytest.mark.parametrize("task", ["denoise", "deblur"])
def test_clean_hairlines_keep_their_ink(task):
    """One pixel wide, without soft edges, in any colour: like noise to a network that never saw them."""
    restorer = Restorer.from_weights(task)
    drawings = [np.rint(diagram(np.random.default_rng(i), 160, 208) * 255).astype(np.uint8) for i in range(6)]
    kept = [psnr(restorer(drawn), drawn) for drawn in drawings]
    assert min(kept) > 43
    assert np.median(kept) > 55


@pytest.mark.parametrize(("seed", "least"), [(1000, 60), (1006, 60), (1041, 45)])
def test_clean_bar_codes_hardly_change(seed, least):
    """Stripes as fine as there are. The first two are left alone; the last, the first expert changes a little."""
    drawn = np.rint(KINDS["label"](np.random.default_rng(seed), 200, 260) * 255).astype(np.uint8)
    assert psnr(Restorer.from_weights("denoise")(drawn), drawn) > least


EXPERT = {  # which expert has what, counted from 0
    "compact.deblur": {"motion-jpeg": 1, "gaussian-blur": 2, "gaussian-blur-jpeg": 3, "defocus-4": 4},
    "compact.denoise": {"night-16": 1, "awgn-25-grey": 2, "clean": 0, "jpeg-20": 0},
    "compact.denoise-awgn": {"awgn-10": 0, "awgn-25": 1, "awgn-50": 2},
    "compact.sr-x4": {"jpeg-50-x4": 0, "noise-10-x4": 0, "bicubic-x4": 1},
}


DRAWINGS = {  # (expert of photographs, of drawings) that are degraded so; those of drawings that may share them
    ("compact.sr-x4", "bicubic-x4"): (1, 2, [2]),
    ("compact.sr-x4", "jpeg-80-x4"): (0, 3, [3]),
    ("compact.sr-x4-bicubic", "bicubic-x4"): (0, 1, [1]),
    ("compact.sr-x4-gan", "bicubic-x4"): (1, 3, [3]),
    ("compact.sr-x4-gan", "jpeg-80-x4"): (0, 2, [2, 3]),
}


@pytest.mark.parametrize(("name", "degradation"), [(name, kind) for name, kinds in EXPERT.items() for kind in kinds])
def test_the_gate_gives_each_kind_to_its_expert(name, degradation):
    network = NETWORKS[name]
    assert isinstance(network, Experts)
    with torch.inference_mode():
        shares = torch.stack([network.shares(one[None]) for one in degraded_batch(degradation, 288)[0]])
    assert shares.mean(0)[EXPERT[name][degradation]] > 0.5, shares
    assert shares.mean(0).argmax() == EXPERT[name][degradation]


@pytest.mark.parametrize("kind", ["page", "line art", "diagram"])
@pytest.mark.parametrize(("name", "degradation"), DRAWINGS)
def test_enlarged_drawings_have_an_expert(name, degradation, kind):
    """It restores them better than that of photographs, and so does what the gate makes of all."""
    network, pairs, (photographs_own, drawings_own, sharing) = NETWORKS[name], [], DRAWINGS[name, degradation]
    for seed in range(6):
        drawn = KINDS[kind](np.random.default_rng(seed), 384, 384)
        pairs.append((DEGRADATIONS[degradation](drawn, np.random.default_rng(seed)), drawn))
    small, clean = (torch.from_numpy(np.stack(side).transpose(0, 3, 1, 2)) for side in zip(*pairs, strict=True))
    with torch.inference_mode():
        shares = torch.stack([network.shares(one[None]) for one in small])
        of_photographs, of_drawings = (network.each()[number](small) for number in (photographs_own, drawings_own))
        by_gate = network(small)
    assert shares.mean(0)[sharing].sum() > 0.6, shares
    errors = [(out.clamp(0, 1) - clean).square().mean((1, 2, 3)) for out in (of_photographs, of_drawings, by_gate)]
    photographs, drawings, chosen = (-10 * error.log10().mean() for error in errors)
    assert drawings > photographs + 0.3
    assert chosen > photographs + 0.3


@pytest.mark.parametrize("sigma", [15, 25])
@pytest.mark.parametrize("level", [60, 128, 200])
def test_a_plain_midtone_keeps_its_colour(level, sigma):
    noisy = level + sigma * np.random.default_rng(0).standard_normal((256, 256, 3))
    restored = Restorer.from_weights("denoise")(np.rint(noisy).clip(0, 255).astype(np.uint8))
    assert np.abs(restored.mean((0, 1)) - level).max() < 1


def test_what_a_camera_does_to_the_brightness_of_noise_is_undone():
    """Noise before a tone curve makes areas darker after it: the truth is not the mean of the noisy picture."""
    noisy = DEGRADATIONS["night-20"](np.full((256, 256, 3), 200 / 255, np.float32), np.random.default_rng(0))
    noisy = np.rint(noisy * 255).clip(0, 255).astype(np.uint8)
    assert np.abs(noisy.mean((0, 1)) - 200).max() > 5
    assert np.abs(Restorer.from_weights("denoise")(noisy).mean((0, 1)) - 200).max() < 2.5
