"""The Restorer: arrays and files in, the same kind out, whatever happens on the device."""

from itertools import repeat

import numpy as np
import pytest
import torch

from hfpie_cli import HfpieError, Restorer
from hfpie_cli.batch import content
from hfpie_cli.device import Device, choose_device, choose_training_device, tiles_at_once
from hfpie_cli.errors import UsageError
from hfpie_cli.models.contract import Contract, UnsteadyError
from hfpie_cli.models.enlarging import enlarge
from hfpie_cli.models.network import Network, NetworkConfig
from hfpie_cli.photos.animation import Animation
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.photo import Photo
from hfpie_cli.running import sample_parts
from hfpie_cli.settings import cpu_multiplies_bf16
from tests.conftest import make_checkpoint


def identity_network(tiles):
    return tiles


class Scripted(torch.nn.Module):
    """A network that does what a list says, call by call, then gives back its input."""

    def __init__(self, *script):
        super().__init__()
        self.script = list(script)
        self.calls = []

    def forward(self, tiles):
        self.calls.append(tuple(tiles.shape))
        act = self.script.pop(0) if self.script else identity_network
        return act(tiles)


def out_of_memory(tiles):
    raise torch.cuda.OutOfMemoryError("injected")


def not_finite(tiles):
    return tiles * torch.nan


def restorer(network, **options):
    network.contract = Contract(scale=1, stride=4)
    return Restorer(network, **{"tile": 128, "overlap": 16, **options})


def picture(rng, height=200, width=300, dtype=np.uint8):
    return rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype=dtype, endpoint=True)


def test_arrays_keep_their_shape_and_type(rng):
    restore = restorer(Scripted())
    for array in (picture(rng), picture(rng, dtype=np.uint16), picture(rng)[..., 0], picture(rng)[..., :1]):
        restored = restore(array)
        assert restored.dtype == array.dtype
        assert np.array_equal(restored, array)


def test_memory_running_out_halves_the_tile_and_loses_no_pixel(rng):
    network, array = Scripted(identity_network, identity_network, out_of_memory), picture(rng)
    outcome = restorer(network).restore(Photo(array))
    assert (outcome.tile, outcome.halved) == (64, True)
    assert np.array_equal(outcome.photo.pixels, array)
    assert max(shape[2] for shape in network.calls[3:]) <= 64


def test_one_of_several_pictures_with_other_tiles_is_told(rng):
    """The third of three pictures of 6 tiles each."""
    frames = tuple(Photo(picture(rng)) for _ in range(3))
    own = [identity_network] * 6
    for third, tile, overlap in (([out_of_memory], 64, 16), ([unsteady], 256, 32), ([], 128, 16)):
        restore = restorer(Scripted(*own, *own, *third))
        animation = Animation(frames, (40.0,) * 3, 0)
        destination = content.Destination(None, OutputStyle(), "x")
        _, outcome = content.restored(animation, restore, lambda *_: None, lambda _: repeat(None), destination)
        assert (outcome.tile, outcome.overlap) == (tile, overlap)
        assert (outcome.halved, outcome.doubled) == (third == [out_of_memory], third == [unsteady])


def unsteady(tiles):
    raise UnsteadyError(-7, 40)


def test_a_network_that_gives_no_picture_gets_tiles_of_twice_the_side(rng):
    network, array = Scripted(identity_network, unsteady), picture(rng)
    outcome = restorer(network, tile=64, overlap=8).restore(Photo(array))
    assert (outcome.tile, outcome.overlap, outcome.doubled, outcome.halved) == (128, 16, True, False)
    assert np.array_equal(outcome.photo.pixels, array)


def test_a_network_that_never_gives_a_picture_is_told_by_name(rng):
    for tile, tries in ((64, 3), (512, 1)):  # one that sees all of it sees no more
        network = Scripted(*[unsteady] * 50)
        with pytest.raises(HfpieError, match="blind: its output is not a picture: values from -7 to 40"):
            restorer(network, tile=tile, name="blind")(picture(rng))
        assert len(network.calls) == tries


def test_a_network_that_must_see_the_whole_does(rng):
    network, array = Scripted(), picture(rng)
    whole = restorer(network)
    whole.contract = Contract(scale=1, stride=4, cuts=False)
    outcome = whole.restore(Photo(array))
    assert (outcome.tiles, outcome.doubled) == (1, False)
    assert network.calls == [(1, 3, 200, 300)]


def test_a_tile_below_the_least_that_a_network_takes_is_refused():
    network = Scripted()
    network.contract = Contract(scale=1, smallest=512)
    with pytest.raises(UsageError, match="tiles must be at least 512"):
        Restorer(network, tile=256)


def test_memory_that_never_suffices_is_an_error(rng):
    with pytest.raises(HfpieError, match="memory"):
        restorer(Scripted(*[out_of_memory] * 50))(picture(rng))


def test_other_errors_of_the_network_are_not_taken_for_memory(rng):
    def broken(tiles):
        raise RuntimeError("CUDA error: out of memory, it says, but it is none")

    network = Scripted(broken)
    with pytest.raises(RuntimeError):
        restorer(network)(picture(rng))
    assert len(network.calls) == 1


def test_a_tile_that_is_not_finite_is_computed_again(rng):
    network, array = Scripted(identity_network, not_finite), picture(rng)
    assert np.array_equal(restorer(network)(array), array)
    with pytest.raises(HfpieError, match="not finite"):
        restorer(Scripted(not_finite, not_finite))(array)


def test_batches_shrink_before_tiles_do(rng, monkeypatch):
    monkeypatch.setattr("hfpie_cli.restore.tiles_at_once", lambda *_: 4)
    network, array = Scripted(out_of_memory, out_of_memory), picture(rng)
    outcome = restorer(network).restore(Photo(array))
    assert [shape[0] for shape in network.calls[:3]] == [3, 2, 1]
    assert not outcome.halved
    assert np.array_equal(outcome.photo.pixels, array)


def test_memory_decides_only_how_many_tiles_go_at_once():
    class Card(Device):
        def free_bytes(self):
            return 8 << 30

    card = Card(torch.device("cpu"), "fp32")
    assert 1 < tiles_at_once(card, 256, 1) <= 16
    assert tiles_at_once(card, 4096, 4) == 1
    assert tiles_at_once(Device(torch.device("cpu"), "fp32"), 256, 1) == 1


def test_the_ensemble_turns_everything_back(rng):
    array = picture(rng, 37, 50)
    assert np.array_equal(restorer(Scripted(), tta=True)(array), array)

    def brighter_to_the_right(tiles):
        return tiles + torch.linspace(0, 0.2, tiles.shape[3])

    network = Scripted(*[brighter_to_the_right] * 8)
    average = restorer(network, tta=True)(np.zeros((40, 40, 3), np.uint8))
    assert len(network.calls) == 8
    assert np.array_equal(average, np.full_like(average, round(0.1 * 255)))


def test_strength_blends_with_the_input(rng):
    dark = Scripted(*[torch.zeros_like] * 3)
    array = np.full((8, 8, 3), 200, np.uint8)
    assert (restorer(dark, strength=0.0)(array) == 200).all()
    assert (restorer(dark, strength=0.25)(array) == 150).all()
    assert (restorer(dark, strength=1.0)(array) == 0).all()


@pytest.mark.parametrize("out_scale", [2, 3, 4])
def test_a_x4_network_gives_smaller_scales_too(rng, enlarger, out_scale):
    restore = Restorer.from_weights(enlarger, out_scale=out_scale)
    for dtype in (np.uint8, np.uint16):
        photo = Photo(np.full((5, 7, 3), 77, dtype), np.full((5, 7), 99, dtype))
        restored = restore.restore(photo).photo
        assert restored.pixels.shape == (5 * out_scale, 7 * out_scale, 3)
        assert restored.alpha.shape == (5 * out_scale, 7 * out_scale)
        assert restored.pixels.dtype == restored.alpha.dtype == dtype
        assert (restored.pixels == 77).all()
        assert (restored.alpha == 99).all()


def test_the_size_out_is_exactly_scale_times_the_size_in(enlarger, identity):
    enlarge_it, keep_it = (Restorer.from_weights(path, tile=32, overlap=8) for path in (enlarger, identity))
    for side in range(1, 71):
        array = np.zeros((side, 71 - side, 3), np.uint8)
        assert enlarge_it(array).shape == (4 * side, 4 * (71 - side), 3)
        assert keep_it(array).shape == array.shape


def test_enlarging_in_tiles_equals_enlarging_at_once(rng, enlarger):
    array = picture(rng, 90, 110)
    whole = torch.from_numpy(array.astype(np.float32) / 255).permute(2, 0, 1)[None]
    expected = np.rint(enlarge(whole, 4)[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255)
    tiled = Restorer.from_weights(enlarger, tile=48, overlap=16)(array)
    inner = slice(0, -16)  # at its lower and right border the network repeats the last pixels
    assert np.abs(tiled - expected)[inner, inner].max() <= 1


def test_devices_are_named_and_checked():
    def nothing_but_cpu(name):
        return name == "cpu"

    assert choose_device("auto", has=nothing_but_cpu) == Device(torch.device("cpu"), "fp32")
    assert choose_device("auto", has=lambda name: True) == Device(torch.device("cuda"), "fp16")
    assert choose_device("cuda:1", "bf16", has=lambda name: True).name == "cuda:1 bf16"
    for name, precision in (("cuda", "auto"), ("gpu", "auto"), ("cpu", "fp16"), ("cpu", "fp8")):
        with pytest.raises(UsageError):
            choose_device(name, precision, has=nothing_but_cpu)


@pytest.mark.parametrize(("flags", "fast"), [("avx2 amx_bf16", True), ("avx512_bf16", True), ("avx512f avx2", False)])
def test_bfloat16_is_taken_where_the_processor_multiplies_it(tmp_path, monkeypatch, flags, fast):
    (tmp_path / "cpuinfo").write_text(f"flags : fpu {flags}\n")
    assert cpu_multiplies_bf16(tmp_path / "cpuinfo") is fast
    assert not cpu_multiplies_bf16(tmp_path / "nowhere")
    monkeypatch.setattr("hfpie_cli.settings.cpu_multiplies_bf16", lambda: fast)
    assert choose_device("cpu", residual=True).precision == choose_training_device("cpu").precision
    assert choose_device("cpu", residual=True).precision == ("bf16" if fast else "fp32")
    assert choose_device("cpu").precision == choose_device("cpu", "fp32", residual=True).precision == "fp32"


def test_arrays_that_are_no_photographs_are_refused():
    for array in (
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4)),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ):
        with pytest.raises(HfpieError, match=r"not a photograph|not an array"):
            restorer(Scripted())(array)


def test_pixels_of_another_scale_and_other_objects_are_refused():
    with pytest.raises(HfpieError, match="the array: float pixels of 128 on average"):
        restorer(Scripted())(np.full((4, 4, 3), 128, np.float32))
    for other in ([[0, 1]], None):
        with pytest.raises(HfpieError, match=f"a {type(other).__name__} is not an array of pixels"):
            restorer(Scripted())(other)


def test_the_sample_of_a_long_strip_is_bounded():
    parts = sample_parts(np.zeros((60, 20000, 3), np.uint8), 64)
    assert [part.shape for part in parts] == [(60, 64, 3)] * 4
    assert [part.shape for part in sample_parts(np.zeros((600, 500, 3), np.uint8), 128)] == [(128, 128, 3)] * 16
    assert len(sample_parts(np.zeros((300, 400, 3), np.uint8), 64)) == 16
    assert len(sample_parts(np.zeros((256, 256, 3), np.uint8), 64)) == 1
    assert len(sample_parts(np.zeros((512, 512, 3), np.uint8), 128)) == 1


def test_averages_are_measured_on_squares_of_the_size_that_the_network_asks_for():
    seen = []
    network = Network(NetworkConfig(widths=(8, 8, 8), bodies=(0, 0, 0), tails=(1, 0, 0), sample_side=24)).eval()
    network.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    Restorer(network, tile=64, overlap=16)(np.zeros((100, 130, 3), np.uint8))
    assert seen[0] == (16, 3, 24, 24)


def test_impossible_tiles_are_a_usage_error():
    with pytest.raises(UsageError, match="overlap"):
        restorer(Scripted(), tile=32, overlap=20)


@pytest.mark.parametrize("out_scale", [4, 2])
def test_what_is_hidden_does_not_shine_through_when_enlarged(enlarger, out_scale):
    alpha = np.zeros((24, 24), np.float32)
    alpha[8:16, 8:16] = 1
    white_on_hidden_black = Photo(np.repeat(alpha[..., None], 3, 2), alpha)
    large = Restorer.from_weights(enlarger, out_scale=out_scale).restore(white_on_hidden_black).photo
    assert large.alpha.dtype == np.float32
    assert 0 <= large.alpha.min() <= large.alpha.max() <= 1
    over_white = large.pixels * large.alpha[..., None] + 1 - large.alpha[..., None]
    assert over_white.min() > 0.99


def test_hidden_colours_stay_where_the_size_stays(identity, rng):
    pixels, alpha = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), rng.integers(0, 2, (20, 30), dtype=np.uint8)
    restored = Restorer.from_weights(identity).restore(Photo(pixels, alpha)).photo
    assert np.array_equal(restored.pixels, pixels)


def test_hidden_colours_stay_where_an_enlarging_network_is_reduced_to_the_same_size(enlarger, rng):
    for channels in (1, 3):
        pixels = rng.integers(0, 256, (20, 30, channels), dtype=np.uint8)
        pixels[:10] = 77
        alpha = np.full((20, 30), 255, np.uint8)
        alpha[10:] = 0
        restored = Restorer.from_weights(enlarger, out_scale=1).restore(Photo(pixels, alpha)).photo
        assert np.array_equal(restored.pixels, pixels)
        assert np.array_equal(restored.alpha, alpha)


def test_tiles_share_the_averages_of_the_photo(tmp_path):
    """Half plain, half texture: attention that saw single tiles would restore the plain half tile by tile."""
    array = np.full((400, 500, 3), 128, np.uint8)
    array[200:] = np.random.default_rng(0).integers(0, 256, (200, 500, 3), dtype=np.uint8)
    path = make_checkpoint(tmp_path / "strong.safetensors", unshuffle=2)
    restorers = (Restorer.from_weights(path, tile=tile, overlap=64, precision="fp32") for tile in (2048, 192))
    whole, tiled = (restorer.restore(Photo(array)) for restorer in restorers)
    assert (whole.tiles, tiled.tiles) == (1, 12)
    assert np.abs(whole.photo.pixels.astype(int) - tiled.photo.pixels).max() <= 1
