"""Benchmarks: small copies of the published layouts, and fixed protocols."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import correlate

from hfpie_cli.data.benchmarks import open_benchmark, open_folders
from hfpie_cli.data.catalogue import data_sets, find
from hfpie_cli.data.matching import find_pairs, training_photos
from hfpie_cli.degradations.named import DEGRADATIONS
from hfpie_cli.degradations.operations import motion_kernel
from hfpie_cli.errors import HfpieError, UnavailableError, UsageError
from hfpie_cli.evaluation.quoted import columns
from hfpie_cli.evaluation.scoring import input_method, score

from .conftest import save_picture, smooth_picture


def test_a_clean_folder_is_degraded_reproducibly(set5):
    benchmark = open_benchmark("Set5", set5.parent, "denoise", "awgn-25")
    first, second = list(benchmark.pairs()), list(benchmark.pairs())
    assert [case.name for case in benchmark.cases] == ["0.png", "1.png", "2.png"]
    assert all(np.array_equal(a.degraded.pixels, b.degraded.pixels) for a, b in zip(first, second, strict=True))
    noise = first[0].degraded.pixels - first[0].clean / 255
    assert noise.std() * 255 == pytest.approx(25, rel=0.03)


def test_the_picture_s_number_is_the_seed(set5):
    later = list(open_benchmark("Set5", set5.parent, "denoise", "awgn-25").pairs())[2]
    expected = DEGRADATIONS["awgn-25"](later.clean.astype(np.float32) / np.float32(255), np.random.default_rng(2))
    assert np.array_equal(later.degraded.pixels, expected)


def test_gaussian_blur_is_as_the_protocol_says():
    """21 x 21, sigmas uniform in 0.7 to 3.0, any angle, reflected border, 8 bits: computed here a second time."""
    picture = smooth_picture(1).astype(np.float32) / np.float32(255)
    rng = np.random.default_rng(7)
    sigma_x, sigma_y = rng.uniform(0.7, 3.0, 2)
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    precision = turn @ np.diag([sigma_x**-2, sigma_y**-2]) @ turn.T
    at = np.stack(np.meshgrid(np.arange(-10, 11), np.arange(-10, 11)), -1)
    kernel = np.exp(-np.einsum("yxi,ij,yxj->yx", at, precision, at) / 2)
    blurred = correlate(picture, (kernel / kernel.sum())[..., None], mode="mirror")
    degraded = DEGRADATIONS["gaussian-blur"](picture, np.random.default_rng(7))
    assert np.abs(degraded * 255 - np.rint(degraded * 255)).max() < 1e-4
    assert np.abs(degraded - blurred).max() < 0.5001 / 255


def test_the_jpeg_protocols_add_what_they_say():
    flat = np.full((128, 128, 3), 0.5, np.float32)
    noisy = DEGRADATIONS["gaussian-blur-jpeg"](flat, np.random.default_rng(0)) * 255
    assert 0.5 < noisy[..., 1].std() < 2.5  # noise of 2, some of which JPEG 90 removes
    for seed in range(40):
        rng = np.random.default_rng(seed)
        kernel = motion_kernel(rng.uniform(5, 25), rng)
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert max(kernel.shape) <= 25 + 5
    edge = np.repeat(np.linspace(0, 1, 128, dtype=np.float32)[:, None] > 0.5, 128, 1)[..., None].repeat(3, 2)
    moved = DEGRADATIONS["motion-jpeg"](edge.astype(np.float32), np.random.default_rng(0))
    assert ((moved > 0.1) & (moved < 0.9)).any(0).mean() > 0.9  # the edge is soft all along


def test_sr_pairs_are_a_quarter(set5):
    pair = next(open_benchmark(str(set5), set5.parent, "sr").pairs())
    assert (pair.clean.shape, pair.degraded.pixels.shape) == ((64, 48, 3), (16, 12, 3))


def test_sidd_is_read_from_its_mat_files(tmp_path, rng):
    clean = rng.integers(60, 200, (2, 3, 32, 32, 3), dtype=np.uint8)
    (tmp_path / "SIDD").mkdir()
    for name, blocks in (("ValidationGtBlocksSrgb", clean), ("ValidationNoisyBlocksSrgb", clean + 5)):
        savemat(tmp_path / "SIDD" / f"{name}.mat", {name: blocks}, format="5")
    benchmark = open_benchmark("sidd", tmp_path)
    assert (benchmark.task, benchmark.degradation, len(benchmark.cases)) == ("denoise", "srgb-blocks", 6)
    assert benchmark.cases[4].name == "01-01"
    pair = benchmark.cases[4].open()
    assert np.array_equal(pair.clean, clean[1, 1])
    assert np.array_equal(pair.degraded.pixels, clean[1, 1] + 5)


def test_a_mat_file_that_is_none_is_named(tmp_path):
    (tmp_path / "SIDD").mkdir()
    for name in ("ValidationGtBlocksSrgb", "ValidationNoisyBlocksSrgb"):
        (tmp_path / f"SIDD/{name}.mat").write_bytes(b"<html>please log in</html>" * 20)
    with pytest.raises(UnavailableError, match=r"ValidationGtBlocksSrgb.mat: not a .mat file"):
        open_benchmark("SIDD", tmp_path)


PUBLISHED = {  # degradation: the data set, the task, a degraded and a clean file as they are named where they come from
    "val_blur_jpeg": ("REDS", "deblur", "val/val_blur_jpeg/000/00000012.jpg", "val/val_sharp/000/00000012.png"),
    "val_blur": ("REDS", "deblur", "val/val_blur/000/00000012.png", "val/val_sharp/000/00000012.png"),
    "val_blur_bicubic": ("REDS", "sr", "val/val_blur_bicubic/X4/029/00000099.png", "val/val_sharp/029/00000099.png"),
    "val_sharp_bicubic": ("REDS", "sr", "val/val_sharp_bicubic/X4/029/00000099.jpg", "val/val_sharp/029/00000099.png"),
    "blur": ("GoPro", "deblur", "test/GOPR0384_11_00/blur/000001.png", "test/GOPR0384_11_00/sharp/000001.png"),
    "LR_bicubic": ("DIV2K", "sr", "DIV2K_valid_LR_bicubic/X4/0801x4.png", "DIV2K_valid_HR/0801.png"),
}


@pytest.mark.parametrize("degradation", PUBLISHED)
def test_published_pairs_are_found_and_matched(tmp_path, degradation):
    dataset, task, degraded, clean = PUBLISHED[degradation]
    side = 8 if task == "sr" else 32
    save_picture(tmp_path / dataset / degraded, np.full((side, side, 3), 110, np.uint8))
    save_picture(tmp_path / dataset / clean, np.full((32, 32, 3), 100, np.uint8))
    benchmark = open_benchmark(dataset, tmp_path, degradation=degradation)
    assert (benchmark.task, benchmark.degradation, benchmark.border) == (task, degradation, 4 if task == "sr" else 0)
    pair = benchmark.cases[0].open()
    assert (int(pair.degraded.pixels[0, 0, 0]), int(pair.clean[0, 0, 0])) == (110, 100)
    save_picture((tmp_path / dataset / degraded).with_stem("strayx4"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UnavailableError, match="same pictures"):
        open_benchmark(dataset, tmp_path, degradation=degradation)


def test_the_tasks_first_published_pairs_are_the_default(tmp_path):
    for side, pixels in (("val_sharp", 32), ("val_blur_jpeg", 32), ("val_blur_bicubic/X4", 8)):
        save_picture(tmp_path / "REDS/val" / side / "000/00000000.png", np.zeros((pixels, pixels, 3), np.uint8))
    assert open_benchmark("REDS", tmp_path).degradation == "val_blur_jpeg"
    assert open_benchmark("REDS", tmp_path, "sr").degradation == "val_blur_bicubic"
    with pytest.raises(UnavailableError, match=r"val_sharp_bicubic/X4/\*/\*: no files found"):
        open_benchmark("REDS", tmp_path, "sr", "val_sharp_bicubic")
    with pytest.raises(UsageError, match="val_blur of REDS is for deblur"):
        open_benchmark("REDS", tmp_path, "sr", "val_blur")


def test_div2k_quarters_that_are_not_there_are_made(tmp_path):
    save_picture(tmp_path / "DIV2K/DIV2K_valid_HR/0801.png", smooth_picture(0))
    assert open_benchmark("DIV2K", tmp_path, "sr").degradation == "bicubic-x4"
    assert open_benchmark("DIV2K", tmp_path, "denoise", "awgn-30").cases[0].name == "0801.png"
    with pytest.raises(UsageError, match="has no default task"):
        open_benchmark("DIV2K", tmp_path)


def test_the_last_of_flickr2k_are_scored_and_not_trained_on(tmp_path):
    for number in range(1, 103):
        path = tmp_path / f"Flickr2K/Flickr2K_HR/{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    benchmark = open_benchmark("Flickr2K", tmp_path)
    assert (benchmark.degradation, len(benchmark.cases), benchmark.cases[0].name) == (
        "gaussian-blur",
        100,
        "000003.png",
    )
    trained = training_photos(find("Flickr2K"), tmp_path / "Flickr2K")
    assert [path.name for path in trained] == ["000001.png", "000002.png"]


def test_sidd_medium_is_matched_for_training(tmp_path):
    scene = tmp_path / "SIDD_Medium_Srgb/Data/0001_001_S6_00100_00060_3200_L"
    for name in ("0001_GT_SRGB_010", "0001_GT_SRGB_011", "0001_NOISY_SRGB_010", "0001_NOISY_SRGB_011"):
        save_picture(scene / f"{name}.PNG", np.zeros((8, 8, 3), np.uint8))
    entry = find("SIDD")
    pairs = find_pairs(tmp_path, entry.train_degraded["denoise"], entry.train)
    assert [(noisy.name, clean.name) for noisy, clean in pairs] == [
        ("0001_NOISY_SRGB_010.PNG", "0001_GT_SRGB_010.PNG"),
        ("0001_NOISY_SRGB_011.PNG", "0001_GT_SRGB_011.PNG"),
    ]


def test_two_folders_are_a_benchmark(tmp_path):
    save_picture(tmp_path / "soft/a/1.jpg", np.full((20, 24), 90, np.uint8))
    save_picture(tmp_path / "sharp/a/1.png", np.full((20, 24, 3), 100, np.uint8))
    benchmark = open_folders(tmp_path / "soft", tmp_path / "sharp", "deblur")
    pair = benchmark.cases[0].open()
    assert (benchmark.cases[0].name, pair.degraded.pixels.shape) == ("a/1.png", (20, 24, 3))  # grey becomes RGB
    save_picture(tmp_path / "soft/a/1.jpg", np.zeros((10, 24, 3), np.uint8))
    with pytest.raises(HfpieError, match="24 x 10 and 24 x 20 pixels do not match"):
        benchmark.cases[0].open()
    with pytest.raises(UsageError, match="two folders do not say what the task is"):
        open_folders(tmp_path / "soft", tmp_path / "sharp", None)


def test_two_files_of_one_name_are_no_pair(tmp_path):
    for name in ("small/0801x4.png", "large/0801.png", "large/.0802.png", "large/.thumbs/0803.png"):
        save_picture(tmp_path / name, np.zeros((8, 6, 3) if "small" in name else (32, 24, 3), np.uint8))
    assert len(open_folders(tmp_path / "small", tmp_path / "large", "sr").cases) == 1  # hidden files are no pictures
    save_picture(tmp_path / "small/0801.png", np.zeros((8, 6, 3), np.uint8))
    with pytest.raises(UnavailableError, match=r"0801x4.png: has the same name as .*0801.png"):
        open_folders(tmp_path / "small", tmp_path / "large", "sr")
    (tmp_path / "small/0801.png").unlink()
    save_picture(tmp_path / "large/0801.jpg", np.zeros((32, 24, 3), np.uint8))
    with pytest.raises(UnavailableError, match=r"0801.png: has the same name as .*0801.jpg"):
        open_folders(tmp_path / "small", tmp_path / "large", "sr")


def test_what_cannot_be_scored_is_named(set5, tmp_path):
    with pytest.raises(UsageError, match="bicubic-x4 is not a degradation for denoise"):
        open_benchmark(str(set5), set5.parent, "denoise", "bicubic-x4")
    for side in (3, 8):
        save_picture(set5 / "0.png", np.zeros((side, side, 3), np.uint8))
        with pytest.raises(HfpieError, match=r"0.png: .* pixels, too small to score"):
            open_benchmark(str(set5), set5.parent, "sr").cases[0].open()


def test_reduced_pictures_may_say_so_in_their_names(tmp_path):
    save_picture(tmp_path / "small/0801x4.png", np.zeros((8, 6, 3), np.uint8))
    save_picture(tmp_path / "large/0801.png", np.zeros((35, 26, 3), np.uint8))
    pair = open_folders(tmp_path / "small", tmp_path / "large", "sr").cases[0].open()
    assert pair.clean.shape == (32, 24, 3)  # what the reduced picture does not know of is cut off


def test_every_column_of_the_paper_is_in_the_table_of_data_sets():
    assert {column.table for column in columns()} == {1, 2, 3, 4, 5, 6}
    for column in columns():
        entry = data_sets()[column.dataset]
        known = {track.name for track in entry.tracks} | set(DEGRADATIONS)
        assert {name for name in (column.degradation, *column.also) if name} <= known
        assert all(len(values) == len(column.metrics) for values in column.rows.values())
        assert column.input in column.rows


def test_a_grey_file_and_its_colour_twin_are_two_pictures(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.fromarray(smooth_picture(0)).save(tmp_path / name)
    names = [case.name for case in open_benchmark(str(tmp_path), tmp_path, "denoise").cases]
    assert names == ["a.jpg", "a.png"]


def test_16_bits_are_scored_as_16_bits(tmp_path):
    """A difference of 40 of 65,535 is far below one step of 8 bits."""
    for side, level in (("degraded", 20040), ("clean", 20000)):
        (tmp_path / side).mkdir()
        tifffile.imwrite(tmp_path / side / "a.tif", np.full((20, 20, 3), level, np.uint16), photometric="rgb")
    benchmark = open_folders(tmp_path / "degraded", tmp_path / "clean", "denoise")
    assert benchmark.cases[0].open().clean.dtype == np.uint16
    assert score(benchmark, [input_method()])[0].means()["psnr"] == pytest.approx(20 * np.log10(65535 / 40), abs=1e-6)
