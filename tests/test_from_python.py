"""What `import hfpie_cli` offers: Pillow images, files, lists, errors."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import hfpie_cli
from hfpie_cli import HfpieError, OutputStyle, Restorer, UsageError, list_weights, read_photo, restore_file, write_photo
from hfpie_cli.photos.photo import Photo
from tests.conftest import save_picture, smooth_picture


@pytest.mark.parametrize("name", hfpie_cli.__all__)
def test_every_name_is_there(name):
    assert getattr(hfpie_cli, name)


def test_importing_it_loads_no_torch():
    code = "import sys, hfpie_cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        ("L", "L"),
        ("LA", "LA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("P", "RGB"),
        ("1", "L"),
        ("I;16", "I;16"),
        ("F", "F"),
    ],
)
def test_a_pillow_image_gives_a_pillow_image(identity, mode, kept):
    colours = Image.fromarray(smooth_picture(0))
    grey = np.asarray(colours.convert("L"))
    deep = {"I;16": Image.fromarray(grey.astype(np.uint16) * 257), "F": Image.fromarray(grey.astype(np.float32) / 255)}
    image = deep[mode] if mode in deep else colours.convert(mode)
    image.info["icc_profile"] = b"profile"
    restored = Restorer.from_weights(identity)(image)
    assert (restored.mode, restored.size) == (kept, image.size)
    assert restored.info["icc_profile"] == b"profile"
    assert np.allclose(np.asarray(restored), np.asarray(image if mode in deep else image.convert(kept)), atol=1e-6)


def test_an_enlarged_image_keeps_its_alpha(enlarger):
    alpha = np.zeros((64, 48), np.uint8)
    alpha[:32] = 255
    image = Image.fromarray(np.dstack([smooth_picture(0), alpha]))
    large = Restorer.from_weights(enlarger)(image)
    assert (large.mode, large.size) == ("RGBA", (192, 256))
    transparency = np.asarray(large)[..., 3]
    assert transparency[:100].min() == 255
    assert transparency[-100:].max() == 0


def test_a_palettes_transparent_colour_becomes_alpha(identity):
    image = Image.fromarray(smooth_picture(0)).quantize(8)
    image.info["transparency"] = 0
    restored = Restorer.from_weights(identity)(image)
    assert restored.mode == "RGBA"
    assert np.array_equal(np.asarray(restored)[..., 3] == 0, np.asarray(image) == 0)
    assert "transparency" not in restored.info


@pytest.mark.parametrize("mode", ["CMYK", "I", "LAB", "HSV"])
def test_other_modes_are_refused(identity, mode):
    with pytest.raises(HfpieError, match=f"images of mode {mode}") as caught:
        Restorer.from_weights(identity)(Image.new(mode, (8, 8)))
    assert "convert" in caught.value.hint


def test_options_are_those_of_the_restorer(identity):
    restorer = Restorer.from_weights(
        identity, tile=64, overlap=8, strength=0.5, tta=True, device="cpu", precision="fp32"
    )
    assert (restorer.tile, restorer.overlap, restorer.strength) == (64, 8, 0.5)
    with pytest.raises(TypeError, match="tiles"):
        Restorer.from_weights(identity, tiles=64)


def test_a_file_into_a_file(tmp_path, identity):
    source = save_picture(tmp_path / "a.png", smooth_picture(0))
    restore_file(source, tmp_path / "b.tif", identity)
    assert np.array_equal(read_photo(tmp_path / "b.tif").pixels, smooth_picture(0))
    with pytest.raises(UsageError, match="already exists"):
        restore_file(source, tmp_path / "b.tif", identity)
    restorer = Restorer.from_weights(identity)
    outcome = restore_file(str(source), str(tmp_path / "b.tif"), restorer, overwrite=True)
    assert (outcome.photo.width, outcome.photo.height) == (48, 64)


def test_the_outcome_tells_what_the_target_cannot_hold(tmp_path, identity):
    deep = read_photo(save_picture(tmp_path / "a.png", smooth_picture(0))).pixels.astype(np.uint16) * 257
    write_photo(Photo(deep), tmp_path / "deep.png", OutputStyle())
    first, second = (Image.fromarray(smooth_picture(number)) for number in range(2))
    first.save(tmp_path / "b.webp", save_all=True, append_images=[second], loop=3)
    restorer = Restorer.from_weights(identity)
    notes = [
        restore_file(tmp_path / source, tmp_path / target, restorer).photo.notes
        for source, target in (("a.png", "c.png"), ("deep.png", "d.avif"), ("b.webp", "e.avif"))
    ]
    assert notes == [
        (),
        ("10-bit AVIF halves the resolution of its colours; --quality 100 is lossless",),
        ("2 frames", "AVIF repeats for ever, not 3 times"),
    ]


def test_files_of_several_pictures_are_restored_whole(tmp_path, identity):
    pictures = [smooth_picture(number) for number in range(3)]
    first, *others = map(Image.fromarray, pictures)
    first.save(tmp_path / "a.webp", save_all=True, append_images=others, duration=40, lossless=True)
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    restorer = Restorer.from_weights(identity)
    for source, target in (("a.webp", "b.png"), ("a.tif", "b.tif")):
        outcome = restore_file(tmp_path / source, tmp_path / target, restorer)
        assert outcome.input_megapixels == pytest.approx(3 * 48 * 64 / 1e6)
        with Image.open(tmp_path / target) as restored:
            for number, picture in enumerate(pictures):
                restored.seek(number)
                assert np.array_equal(np.array(restored.convert("RGB")), picture)
            assert target != "b.png" or restored.info["duration"] == 40
    with pytest.raises(HfpieError, match="3 frames, which JPEG cannot hold"):
        restore_file(tmp_path / "a.webp", tmp_path / "b.jpg", restorer)
    with pytest.raises(HfpieError, match="3 pages, which PNG cannot hold"):
        restore_file(tmp_path / "a.tif", tmp_path / "c.png", restorer)
    assert len([*tmp_path.iterdir()]) == 4


def test_a_film_is_restored_whole(tmp_path, identity):
    pytest.importorskip("av")
    from tests.test_film import make_film, pictures, told

    source = make_film(tmp_path / "a.mkv", "libx264", "yuv420p")
    outcome = restore_file(source, tmp_path / "b.mkv", identity)
    assert outcome.input_megapixels == pytest.approx(sum(p.shape[0] * p.shape[1] for p in pictures()) / 1e6)
    assert told(tmp_path / "b.mkv") == told(source)


def test_a_format_that_cannot_be_told_or_cannot_hold_it_is_refused_before_anything(tmp_path, identity):
    transparent = save_picture(tmp_path / "a.png", np.dstack([smooth_picture(0), smooth_picture(1)[..., 0]]))
    with pytest.raises(UsageError, match=r"cannot tell the output format from '\.xyz'"):
        restore_file(transparent, tmp_path / "a.xyz", identity)
    with pytest.raises(HfpieError, match="transparency"):
        restore_file(transparent, tmp_path / "a.jpg", identity)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_photos_are_read_and_written(tmp_path):
    photo = read_photo(save_picture(tmp_path / "a.png", smooth_picture(0)))
    write_photo(photo, tmp_path / "b.png", OutputStyle())
    assert np.array_equal(read_photo(tmp_path / "b.png").pixels, photo.pixels)


def test_the_list_of_weights():
    names = [entry.name for entry in list_weights()]
    assert "compact.denoise" in names
    assert "unit-test" not in names
    assert {entry.task for entry in list_weights("deblur")} == {"deblur"}
