"""Training data: degradations against closed forms, stores, pairs, reproducible crops."""

import hashlib
import os
import pickle
import shutil
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from hfpie_cli.data.benchmarks import open_folders
from hfpie_cli.data.crops import PAIRS, CropSampler, as_floats, sharpened, validation_pair
from hfpie_cli.data.decoded import made_store, open_store, reducing
from hfpie_cli.data.matching import photos_below
from hfpie_cli.data.scenes import hash_of, hold_out, scene_of, scenes_by_look, scenes_by_name
from hfpie_cli.data.sources import Opener
from hfpie_cli.data.training_set import TrainingSet
from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.degradations.operations import (
    add_gaussian_noise,
    blur,
    gaussian_kernel,
    jpeg,
    motion_kernel,
    reduce_bicubic,
)
from hfpie_cli.errors import UnavailableError
from hfpie_cli.files import atomic_path
from tests.conftest import save_picture, smooth_picture


def opener_in(folder, *, task="denoise", scale=1, say=print):
    return Opener(task, scale, folder / "cache", say)


def grey(side=256, level=0.5):
    return np.full((side, side, 3), level, np.float32)


def test_gaussian_noise_has_its_variance_and_is_not_clipped(rng):
    noisy = add_gaussian_noise(grey(level=0.0), 25, rng)
    assert noisy.std() * 255 == pytest.approx(25, rel=0.01)
    assert abs(noisy.mean()) < 1e-3
    assert DEGRADATIONS["awgn-25-8bit"](grey(level=0.0), rng).min() == 0


def test_grey_noise_is_the_same_in_every_channel(rng):
    picture = np.full((64, 64, 3), (0.45, 0.5, 0.55), np.float32)
    noise = DEGRADATIONS["awgn-25-grey"](picture, rng) - picture
    assert 255 * noise.std() == pytest.approx(25, rel=0.1)
    assert np.ptp(noise, 2).max() <= 1.01 / 255  # rounded to 8 bits


def test_noise_that_was_saved_as_jpeg_keeps_its_strength_in_8_bits(rng):
    picture = np.full((64, 64, 3), 0.5, np.float32)
    degraded = DEGRADATIONS["awgn-25-jpeg"](picture, rng)
    luma = (degraded - picture) @ np.array([0.299, 0.587, 0.114])
    assert 255 * luma.std() == pytest.approx(25 * 0.669, rel=0.1)  # of three independent channels
    assert np.abs(255 * degraded - np.rint(255 * degraded)).max() < 1e-3
    assert not np.array_equal(degraded, DEGRADATIONS["awgn-25-8bit"](picture, rng))


def test_blurring_a_point_gives_the_kernel():
    point = np.zeros((31, 31, 3), np.float32)
    point[15, 15] = 1
    kernel = gaussian_kernel(3.0, 1.0, 0.4)
    blurred = blur(point, kernel)
    assert np.allclose(blurred[5:26, 5:26, 1], kernel, atol=1e-6)
    y, x = np.mgrid[-10:11, -10:11]
    along = x * np.cos(0.4) + y * np.sin(0.4)
    assert (kernel * along**2).sum() == pytest.approx(9, rel=0.03)


def test_a_motion_kernel_is_a_path_of_its_length(rng):
    for length in (5, 12, 25):
        kernel = motion_kernel(length, rng)
        y, x = np.nonzero(kernel)
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert kernel.min() >= 0
        assert np.hypot(np.ptp(x), np.ptp(y)) <= length + 3
        centre = (kernel.shape[0] - 1) / 2
        assert (kernel.sum(0) @ np.arange(len(kernel))) == pytest.approx(centre, abs=0.01)


def test_jpeg_and_reduction_keep_a_flat_picture():
    assert np.abs(jpeg(grey(), 50) - 0.5).max() < 0.01
    assert np.abs(reduce_bicubic(grey(64)) - 0.5).max() < 0.005
    assert reduce_bicubic(grey(64)).shape == (16, 16, 3)


def test_motion_blur_comes_before_the_reduction():
    point = grey(128, 0.0)
    point[64:68, 64:68] = 1  # one pixel of the small picture
    sharp, moved = (DEGRADATIONS[name](point, np.random.default_rng(3)) for name in ("bicubic-x4", "motion-bicubic-x4"))
    assert moved.shape == (32, 32, 3)
    assert moved.max() < 0.7 * sharp.max()


def test_reduction_is_antialiased():
    stripes = grey(64)
    stripes[:, ::2] = 0
    stripes[:, 1::2] = 1
    assert np.abs(reduce_bicubic(stripes)[:, 2:-2] - 0.5).max() < 0.02


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation_gives_a_finite_picture_of_the_right_size(name, rng):
    clean = rng.random((64, 48, 3), dtype=np.float32)
    before = clean.copy()
    degraded = DEGRADATIONS[name](clean, rng)
    assert degraded.dtype == np.float32
    assert degraded.shape == ((16, 12, 3) if "x4" in name else (64, 48, 3))
    assert np.isfinite(degraded).all()
    assert np.array_equal(clean, before)


def test_a_store_passes_over_what_is_no_picture(photos, tmp_path):
    (photos / "broken.png").write_bytes(b"nonsense")
    (photos / "empty.png").touch()
    (photos / "folder.png").mkdir()
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60000).to_bytes(4) * 2 + b"\x08\x02\0\0\0"
    (photos / "huge.png").write_bytes(header + zlib.crc32(header[12:]).to_bytes(4) + b"\0\0\0\0IEND\xaeB`\x82")
    tifffile.imwrite(photos / "signed.tif", np.full((40, 40), -9, np.int16))
    tifffile.imwrite(photos / "stack.tif", np.zeros((3, 40, 40), np.uint8), photometric="minisblack")
    Image.new("RGBA", (40, 40), (200, 0, 0, 0)).save(photos / "unseen.png")
    for _ in range(2):  # decoded, then as it was kept
        said = []
        store = opener_in(tmp_path, say=said.append).training_set(photos, None, None).photos
        assert len(store) == 6
        assert np.array_equal(store[3], np.asarray(Image.open(photos / "3.png")))
        assert [line.removeprefix(f"{photos}/") for line in said if ", skipped" in line] == [
            "broken.png: not a photograph that hfpie can read, skipped",
            "empty.png: the file is empty, skipped",
            "huge.png: 3600 megapixels, more than the 400 that hfpie opens, skipped",
            "signed.tif: TIFF of signed 16-bit numbers, which hfpie does not read, skipped",
            "stack.tif: has several frames or pages, skipped",
            "unseen.png: fully transparent, skipped",
        ]
    assert [path.suffix for path in sorted((tmp_path / "cache").iterdir())] == [".json", ".rgb"]
    with pytest.raises(UnavailableError, match="no photographs"):
        opener_in(tmp_path).training_set(tmp_path / "cache", None, None)


def test_samples_of_runs_among_the_photographs_are_not_trained_on(photos):
    before = photos_below(photos)
    for folder in ("samples", "runs/denoise/samples"):
        save_picture(photos / folder / "0000001.png", smooth_picture(1))
    for name in ("config.toml", "data.json"):
        (photos / "runs/denoise" / name).touch()
    assert photos_below(photos) == sorted([*before, photos / "samples/0000001.png"])


def test_what_hfpie_made_of_photographs_is_not_trained_on(photos, tmp_path):
    before, said = [str(path.relative_to(photos)) for path in photos_below(photos)], []
    first = photos / before[0]
    for name in (f"{first.stem}_denoised.png", f"{first.stem}_x4.jpg", "alone_denoised.png"):
        save_picture(first.parent / name, smooth_picture(1))
    data = opener_in(tmp_path, say=said.append).training_set(photos, None, None)
    assert sorted(data.photos.names) == sorted([*before, "alone_denoised.png"])
    assert f"{photos}: 2 files that hfpie made of others there: not trained on" in said


def test_a_store_keeps_16_bits_beside_8(tmp_path, rng):
    deep = rng.integers(0, 65536, (41, 33, 3), dtype=np.uint16)
    grey, floats = rng.integers(0, 256, (31, 33), dtype=np.uint8), rng.random((40, 48, 3), dtype=np.float32)
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(grey).save(folder / "a.png")  # of an odd number of bytes
    cv2.imwrite(str(folder / "b.png"), deep[..., ::-1])
    tifffile.imwrite(folder / "c.tif", floats, photometric="rgb")
    data = opener_in(tmp_path).training_set(folder, None, None)
    for store in (data.photos, pickle.loads(pickle.dumps(data.photos))):  # as another process gets it
        assert [picture.dtype.name for picture in store] == ["uint8", "uint16", "uint16"]
        assert np.array_equal(store[0], grey[..., None].repeat(3, 2))
        assert np.array_equal(store[1], deep)
        assert np.abs(as_floats(store[2]) - floats).max() < 1e-5
    assert len(pickle.dumps(data.photos)) < 4000
    _, clean = CropSampler(data, {"clean": 1}, 1, seed=0).batch(0, range(8), 16)
    assert clean.dtype == torch.float32
    assert 0 <= clean.min() < clean.max() <= 1


def test_colours_that_transparency_hides_are_not_trained_on(tmp_path):
    folder = tmp_path / "photos"
    seen = np.full((32, 40, 4), (90, 120, 60, 255), np.uint8)
    seen[8:, 10:] = (255, 0, 255, 0)
    save_picture(folder / "a.png", seen)
    store = opener_in(tmp_path).training_set(folder, None, None).photos
    assert np.array_equal(np.unique(store[0].reshape(-1, 3), axis=0), [[90, 120, 60]])


def test_a_store_of_which_anything_has_changed_is_made_anew(photos, tmp_path):
    cache, said = tmp_path / "cache", []
    paths = sorted(photos.iterdir())

    def opened():
        said.clear()
        store = open_store(paths, photos, cache, said.append)
        small = made_store(store, reducing(2), said.append)
        assert [np.array_equal(store[i], np.asarray(Image.open(path))) for i, path in enumerate(paths)] == [True] * 6
        return [line.split()[0] for line in said], [picture.copy() for picture in small]

    begun, first = opened()
    assert begun == ["decoding", "reducing"]
    kept = {path: path.read_bytes() for path in cache.iterdir()}
    assert len(kept) == 4
    for path, whole in kept.items():
        middle = len(whole) // 2
        for damaged in (whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :], whole[:-1], b"", None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            begun, again = opened()
            assert begun == ["reducing" if "-x2" in path.name else "decoding"]
            assert path.read_bytes() == whole
            assert all(map(np.array_equal, first, again))
    assert opened()[0] == []


def test_photographs_without_room_on_the_disk_are_decoded_when_asked_for(photos, tmp_path, monkeypatch):
    def disk(free):
        return lambda path: shutil.disk_usage(tmp_path)._replace(free=free)

    paths, said = sorted(photos.iterdir()), []
    of_one = 96 * 80 * 3
    with monkeypatch.context() as patch:
        patch.setattr("hfpie_cli.data.decoded.disk_usage", disk(4 * of_one))
        store = open_store(paths, photos, tmp_path / "cache", said.append)
        assert open_store(paths, photos, tmp_path / "cache", said.append).entries == store.entries
    assert [entry.offset is None for entry in store.entries] == [False] * 3 + [True] * 3
    assert sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.rgb")) == 3 * of_one
    assert [np.array_equal(store[i], np.asarray(Image.open(path))) for i, path in enumerate(paths)] == [True] * 6
    assert "3 of 6 photographs do not fit" in said[1]
    assert len([line for line in said if "decoding" in line]) == 1
    whole = open_store(paths, photos, tmp_path / "cache", said.append)  # now there is room
    assert all(entry.offset is not None for entry in whole.entries)
    assert len([line for line in said if "decoding" in line]) == 2


def test_photographs_are_reduced_once_as_the_degradation_reduces_them(tmp_path, rng, monkeypatch):
    folder = tmp_path / "photos"
    for number, size in enumerate([(96, 80), (41, 70), (3, 60)]):
        save_picture(folder / f"{number}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    cv2.imwrite(str(folder / "deep.png"), rng.integers(0, 65536, (64, 64, 3), dtype=np.uint16))
    with monkeypatch.context() as patch:  # some on the disk, some not
        patch.setattr("hfpie_cli.data.decoded.disk_usage", lambda path: shutil.disk_usage(path)._replace(free=2000))
        opener = opener_in(tmp_path, task="sr", scale=4)
        data = opener.training_set(folder, None, None)
        assert data.reduced.names == data.photos.names
        assert {entry.offset is None for entry in data.reduced.entries} == {False, True}
        for small, large in zip(data.reduced, data.photos, strict=True):
            if min(large.shape[:2]) >= 4:
                assert np.array_equal(as_floats(small), DEGRADATIONS["bicubic-x4"](as_floats(large), rng))
    data = opener.training_set(folder, None, None)
    large_enough = [0, 3]
    whole = TrainingSet(data.photos.pick(large_enough), data.reduced.pick(large_enough))
    sampler = CropSampler(whole, {"bicubic-x4": 1}, 4, seed=0)
    for step in range(12):
        degraded, clean = sampler.sample(step, 0, 64)
        expected = DEGRADATIONS["bicubic-x4"](np.ascontiguousarray(clean), rng)
        assert degraded.shape == expected.shape == (16, 16, 3)
        assert np.abs(degraded - expected)[3:-3, 3:-3].max() < 1.5 / 255  # elsewhere a crop lacks its surroundings
    training, held = data.split()
    assert training.reduced.names == training.photos.names
    assert held.reduced.names == held.photos.names


def test_decoding_shows_how_far_it_is(photos, tmp_path):
    seen = []

    def track(things, total, what):
        for thing in things:
            seen.append((total, what))
            yield thing

    open_store(sorted(photos.iterdir()), photos, tmp_path / "cache", print, track)
    assert seen == [(6, "decoding")] * 6


@pytest.mark.parametrize(("mix", "scale"), [({"awgn": 1, "sensor": 1}, 1), ({"bicubic-x4": 1}, 4)])
def test_a_sample_depends_on_its_numbers_alone(photos, tmp_path, mix, scale):
    sampler = CropSampler(opener_in(tmp_path, scale=scale).training_set(photos, None, None), mix, scale, seed=1)
    degraded, clean = sampler.batch(7, range(4), 32)
    assert degraded.shape == (4, 3, 32 // scale, 32 // scale)
    assert clean.shape == (4, 3, 32, 32)
    part = sampler.batch(7, range(2, 4), 32)
    assert torch.equal(part[0], degraded[2:])
    assert not torch.equal(sampler.batch(8, range(4), 32)[1], clean)


def ramps(folder, count=4, side=200):
    """Photographs that brighten by 1 of 255 for each pixel to the right."""
    row = np.minimum(np.arange(side), 255).astype(np.uint8)
    for number in range(count):
        save_picture(folder / f"{number}.png", np.broadcast_to(row[None, :, None] + np.uint8(number), (side, side, 3)))
    return folder


def slopes(clean):
    """Of each crop (n, 3, h, w) of a ramp: by how much of 255 it brightens from pixel to pixel."""
    return 255 * (clean.amax((1, 2, 3)) - clean.amin((1, 2, 3))) / (clean.shape[-1] - 1)


@pytest.mark.parametrize(("mix", "scale"), [({"clean": 1}, 1), ({"bicubic-x4": 1}, 4)])
def test_a_share_of_the_crops_of_photographs_is_sharpened(tmp_path, mix, scale):
    columns = np.repeat([112, 144], 100).astype(np.uint8)  # grey, a step, lighter grey
    save_picture(tmp_path / "photos" / "step.png", np.broadcast_to(columns[None, :, None], (200, 200, 3)))
    data = opener_in(tmp_path, scale=scale).training_set(tmp_path / "photos", None, None)
    steps = {}
    for share in (0, 0.5):
        degraded, clean = CropSampler(data, mix, scale, seed=0, sharpened=share).batch(0, range(60), 128)
        there = clean[(clean.amin((1, 2, 3)) < 0.5) & (clean.amax((1, 2, 3)) > 0.5)]  # those that hold the step
        steps[share] = 255 * torch.stack([there.amin((1, 2, 3)), there.amax((1, 2, 3))], 1)
        for small, large in zip(degraded, clean, strict=True):  # what is degraded is the sharpened crop
            again = DEGRADATIONS[next(iter(mix))](large.permute(1, 2, 0).numpy(), np.random.default_rng(0))
            inside = (slice(2, -2), slice(2, -2))
            assert np.abs(small.permute(1, 2, 0).numpy() - again)[inside].max() < 0.5 / 255
    assert torch.allclose(steps[0], torch.tensor([112.0, 144.0]), atol=0.01)
    with_rims = steps[0.5][:, 1] > 145
    assert 0.25 < with_rims.float().mean() < 0.75
    assert torch.allclose(steps[0.5].sum(1), torch.tensor(256.0), atol=0.1)  # as much below as above


def test_an_unsharp_mask_adds_what_blur_takes():
    step = np.repeat(np.float32([0.25, 0.75]), 20)[None, :, None].repeat(40, 0).repeat(3, 2)
    sharp = sharpened(step, 1.0, 0.8)
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2.0)
    beyond = 0.5 * kernel[5:].sum() / kernel.sum()  # what the darker side takes from the first lighter pixel
    assert sharp[20, 20] == pytest.approx(0.75 + 0.8 * beyond, abs=2e-4)
    assert sharp[20, 19] == pytest.approx(0.25 - 0.8 * beyond, abs=2e-4)
    assert sharp[20, 0] == pytest.approx(0.25, abs=1e-6)
    assert sharpened(step, 1.5, 30.0).max() == 1


@pytest.mark.parametrize(("mix", "scale"), [({"clean": 1}, 1), ({"bicubic-x4": 1}, 4)])
def test_a_share_of_the_photographs_is_shrunk_by_up_to_two(tmp_path, mix, scale):
    opener = replace(opener_in(tmp_path, scale=scale), shrinks=True)
    data = opener.training_set(ramps(tmp_path / "photos", side=240), None, None)
    found = {}
    for share in (0, 1):
        degraded, clean = CropSampler(data, mix, scale, seed=0, shrunk=share).batch(0, range(24), 32)
        found[share] = slopes(clean)
        assert (degraded.shape[-1], clean.shape[-1]) == (32 // scale, 32)
        assert (degraded.mean((1, 2, 3)) - clean.mean((1, 2, 3))).abs().max() < 1.5 / 255  # the same part
    assert torch.allclose(found[0], torch.ones(24))
    assert 1.2 < found[1].mean() < 1.8
    assert found[1].max() < 2.1


def test_shrunk_photographs_are_split_as_the_photographs_are_and_need_no_disk(tmp_path, monkeypatch):
    folder, opener = ramps(tmp_path / "photos", count=6, side=64), replace(opener_in(tmp_path, scale=4), shrinks=True)
    kept = opener.training_set(folder, None, None)
    for part in kept.split():
        for smaller in part.shrunk:
            assert smaller.photos.names == smaller.reduced.names == part.photos.names
    monkeypatch.setattr("hfpie_cli.data.decoded.disk_usage", lambda path: shutil.disk_usage(path)._replace(free=0))
    made = replace(opener, cache=tmp_path / "full").training_set(folder, None, None)
    assert {entry.offset for smaller in made.shrunk for entry in smaller.reduced.entries} == {None}
    for there, here in zip(kept.shrunk, made.shrunk, strict=True):
        assert all(map(np.array_equal, there.photos, here.photos))
        assert all(map(np.array_equal, there.reduced, here.reduced))


def test_a_crop_is_shrunk_no_further_than_its_photograph_allows(tmp_path):
    opener = replace(opener_in(tmp_path), shrinks=True)
    data = opener.training_set(ramps(tmp_path / "photos", side=80), None, None)
    _, clean = CropSampler(data, {"clean": 1}, 1, seed=0, shrunk=1.0).batch(0, range(12), 32)  # cut from 64 pixels
    assert slopes(clean).mean() == pytest.approx(80 / 67, abs=0.05)  # the next size has 57


def test_every_second_held_out_photograph_is_halved(tmp_path):
    data = opener_in(tmp_path).training_set(ramps(tmp_path / "photos"), None, None)
    crops = [validation_pair(data, "clean", 1, number, crop=32, shrunk=True)[1] for number in range(2)]
    assert [round(255 * float(np.diff(crop[..., 0], axis=1).mean()), 1) for crop in crops] == [1.0, 2.0]


def make_pairs(root, names, scale):
    """Clean pictures of random blocks under root/clean, and under root/degraded each block as one pixel."""
    for name in names:
        small = np.random.default_rng(len(name)).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        for side, picture in (("degraded", small), ("clean", small.repeat(scale, 0).repeat(scale, 1))):
            path = root / side / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    return root / "degraded", root / "clean"


@pytest.mark.parametrize("scale", [1, 4])
def test_the_sides_of_published_pairs_are_cut_alike(tmp_path, scale):
    folders = make_pairs(tmp_path, [f"scene_{i}" for i in range(5)], scale)
    data = opener_in(tmp_path, scale=scale).training_set(None, *folders)
    sampler = CropSampler(data, {PAIRS: 1}, scale, seed=0)
    for degraded, clean in [sampler.batch(0, range(6), 16), sampler.batch(1, range(6), 64 * scale)]:
        assert torch.equal(degraded.repeat_interleave(scale, 2).repeat_interleave(scale, 3), clean)
    for number in range(len(data.paired)):
        degraded, clean = validation_pair(data, PAIRS, scale, number, crop=16)
        assert degraded.shape[0] * scale == clean.shape[0] == 16
        assert np.array_equal(degraded.repeat(scale, 0).repeat(scale, 1), clean)


def test_pairs_lose_both_sides_when_one_is_broken_and_must_fit(tmp_path):
    degraded, clean = make_pairs(tmp_path, ["a_1", "a_2", "b_1"], 1)
    (degraded / "a_2.png").write_bytes(b"nonsense")
    said = []
    data = opener_in(tmp_path, say=said.append).training_set(None, degraded, clean)
    assert data.paired.names == data.degraded.names == ["a_1.png", "b_1.png"]
    assert [line for line in said if ", skipped" in line] == [
        f"{degraded / 'a_2.png'}: not a photograph that hfpie can read, skipped"
    ]
    with pytest.raises(UnavailableError, match="do not fit"):
        opener_in(tmp_path, task="sr", scale=4).training_set(None, degraded, clean)
    Image.new("RGB", (17, 11)).save(clean / "b_1.png")
    with pytest.raises(UnavailableError, match="do not fit the clean picture's 17 x 11"):
        opener_in(tmp_path, say=said.append).training_set(None, degraded, clean)


def test_a_clean_picture_that_the_reduction_cut_is_cut_as_for_scoring(tmp_path):
    degraded, clean = make_pairs(tmp_path, ["a", "b", "c"], 4)
    for path in clean.iterdir():
        whole = np.pad(np.asarray(Image.open(path)), [(0, 3), (0, 2), (0, 0)], constant_values=7)
        save_picture(path, whole)
    data = opener_in(tmp_path, task="sr", scale=4).training_set(None, degraded, clean)
    for side in (64, 192):  # 192 is more than there is, and mirrored
        small, large = CropSampler(data, {PAIRS: 1}, 4, seed=0).batch(0, range(4), side)
        assert torch.equal(small.repeat_interleave(4, 2).repeat_interleave(4, 3), large)
    assert [pair.clean.shape for pair in open_folders(degraded, clean, "sr").pairs()] == [(120, 160, 3)] * 3
    save_picture(clean / "a.png", np.zeros((124, 160, 3), np.uint8))
    with pytest.raises(UnavailableError, match="do not fit"):
        opener_in(tmp_path, task="sr", scale=4).training_set(None, degraded, clean)


def test_a_published_data_set_is_known_by_its_folders(tmp_path):
    reds = tmp_path / "REDS"
    for side in ("sharp", "blur_jpeg"):
        for frame in ("000/00000000", "000/00000001", "001/00000000"):
            path = reds / f"train/train_{side}" / f"{frame}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (48, 32), (len(side), 9, 9)).save(path)
    data = opener_in(tmp_path, task="deblur").training_set(reds, None, None)
    assert len(data.photos) == len(data.paired) == 3
    assert data.degraded[0][0, 0, 0] == len("blur_jpeg")
    assert str(data) == "3 photographs and 3 pairs"
    for task in ("denoise", "highpass", "sr"):  # for which REDS's blurred frames of full size are no pairs
        assert str(opener_in(tmp_path, task=task).training_set(reds, None, None)) == "3 photographs"
    (reds / "train").rename(reds / "val")
    for side in ("sharp", "blur_jpeg"):
        (reds / f"val/train_{side}").rename(reds / f"val/val_{side}")
    with pytest.raises(UnavailableError, match="no training pictures") as caught:
        opener_in(tmp_path, task="deblur").training_set(reds, None, None)
    assert "hfpie data pull REDS --train" in caught.value.hint


def test_held_out_pictures_stay_the_same_when_others_come():
    names = [f"{i}.png" for i in range(400)]
    scored, _ = hold_out(scenes_by_name(names))
    assert hold_out(scenes_by_name(names[::-1])) == (scored, scored)
    assert len(scored) == 40
    assert len(scored & hold_out(scenes_by_name([*names, "400.png"]))[0]) >= 39


def test_whole_scenes_are_held_out(tmp_path):
    names = [f"camera_{scene}_{frame}.jpg" for scene in "abcdefgh" for frame in (1, 2, 30)]
    chosen, _ = hold_out(scenes_by_name(names))
    assert len(chosen) == 3  # of 24 pictures a fifth is 4, and a scene has 3
    assert len({scene_of(name) for name in chosen}) == 1
    assert hold_out(scenes_by_name([f"img_{i}.png" for i in range(10)]))[0] == {"img_0.png", "img_1.png"}  # one scene
    assert len(hold_out(scenes_by_name(["0001.png", "0002.png"]))[0]) == 1
    assert scene_of("camera_a_30.jpg") == scene_of("camera_a__2.jpg") == "camera_a"
    assert scene_of("train/train_sharp/000/00000012.png") == "train/train_sharp/000"
    folders = make_pairs(tmp_path, [name[:-4] for name in names], 1)
    training, held = opener_in(tmp_path).training_set(None, *folders).split()
    assert {f"{name[:-4]}.jpg" for name in held.paired.names} == chosen
    assert not set(training.paired.names) & set(held.paired.names)
    assert held.degraded.names == held.paired.names


def test_of_long_scenes_a_few_frames_are_scored_and_none_is_trained_on():
    names = [f"{scene:03}/{frame:08}.png" for scene in range(240) for frame in range(100)]
    scored, kept_out = hold_out(scenes_by_name(names))
    assert (len(scored), len(kept_out)) == (40, 1200)
    assert len({scene_of(name) for name in scored}) == len({scene_of(name) for name in kept_out}) == 12


def test_frames_of_a_clip_are_one_scene_and_numbered_photographs_are_not(tmp_path):
    scene = smooth_picture(1, (128, 200))
    for clip in (1, 2, 3):
        for frame in range(8):  # the camera moves by a pixel a frame
            moved = np.roll(scene, 50 * clip, 1)[:64, frame : frame + 100]
            save_picture(tmp_path / "photos" / f"clip_{8 * clip + frame:04}.png", moved)
    for number in range(16):
        save_picture(tmp_path / "photos" / f"kodim{number:02}.png", smooth_picture(number))
    data = opener_in(tmp_path).training_set(tmp_path / "photos", None, None)
    clips = [[f"clip_{first + frame:04}.png" for frame in range(8)] for first in (8, 16, 24)]
    scenes = scenes_by_look(data.photos.entries)
    assert sorted(scenes.values()) == [*clips, *([f"kodim{number:02}.png"] for number in range(16))]
    training, held = data.split()
    assert 1 <= len(held.photos) <= 8
    for clip in clips:
        assert not set(clip) & set(training.photos.names) or not set(clip) & set(held.photos.names)


def test_nothing_held_out_is_trained_on_as_the_other_side_of_a_pair(tmp_path):
    names = [f"s{scene}/{frame}" for scene in range(8) for frame in range(3)]
    degraded, clean = make_pairs(tmp_path, names, 1)
    whole = replace(opener_in(tmp_path).training_set(None, degraded, clean))
    training, held = replace(whole, photos=whole.paired).split()
    trained = {*training.photos.names, *training.paired.names}
    assert held.photos.names
    assert held.paired.names
    assert not trained & {*held.photos.names, *held.paired.names}


def test_names_that_are_not_utf_8_are_held_out_like_others(tmp_path):
    for number in range(4):
        save_picture(tmp_path / "photos" / os.fsdecode(b"\xff%d-a.png" % number), smooth_picture(number))
    photos = tmp_path / "photos"
    data = opener_in(tmp_path).training_set(photos, None, None)
    training, held_out = data.split()
    names = {*training.photos.names, *held_out.photos.names}
    assert names == {os.fsdecode(b"\xff%d-a.png" % number) for number in range(4)}
    assert data.fingerprint() == hashlib.sha256(b"\n".join(sorted(map(os.fsencode, names))) + b"\n").hexdigest()[:16]
    assert hash_of("b\u00e9.png") == hashlib.sha256("b\u00e9.png".encode()).hexdigest()


def test_what_a_killed_decoding_left_is_removed_and_a_living_one_s_kept(tmp_path):
    photo, cache = save_picture(tmp_path / "photos/a.png", smooth_picture(0)), tmp_path / "cache"
    cache.mkdir()
    (cache / ".hfpie-killed.rgb").write_bytes(b"half")
    with atomic_path(cache / "other.rgb") as living:
        open_store([photo], photo.parent, cache, print)
        assert [path.name for path in cache.glob(".*")] == [living.name]
