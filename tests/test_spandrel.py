"""Other people's networks as spandrel builds them: small, with random weights, in the files that authors publish."""

import dataclasses
import hashlib
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from typer.testing import CliRunner

from benchmarks import architectures
from hfpie_cli import Restorer
from hfpie_cli.cli import app
from hfpie_cli.invariants.span import find_span
from hfpie_cli.photos.photo import Photo
from hfpie_cli.vision import import_beside_torchvision
from hfpie_cli.weights import registry as weights
from hfpie_cli.weights.foreign import load_foreign
from hfpie_cli.weights.unpickle import main as unpickle
from tests.conftest import smooth_picture
from tests.hub_server import COMMIT, HubServer

BOUND = 0.5  # levels of 255 that tiles may be from the whole
SPREAD = 0.02  # standard deviation of weights that would be zero


def build(architecture, **shape):
    """The module of an architecture of spandrel's, seeded, its tensors that begin as zeros a little off."""
    import_beside_torchvision("spandrel")
    arch = import_beside_torchvision(f"spandrel.architectures.{architecture}")
    torch.manual_seed(0)
    model = getattr(arch, architecture)(**shape)
    for tensor in model.parameters():
        if not tensor.any():
            torch.nn.init.normal_(tensor, std=SPREAD)
    return model.eval()


def nafnet():
    return build("NAFNet", width=8, middle_blk_num=1, enc_blk_nums=[1, 1, 1, 2], dec_blk_nums=[1, 1, 1, 1])


def drunet():
    model = build("DRUNet", in_nc=4, out_nc=3, nc=[8, 16, 24, 32], nb=2)
    torch.nn.init.dirac_(model.m_head.weight)  # it has no path around: this one lets the picture through
    torch.nn.init.dirac_(model.m_tail.weight)
    return model


def swinir():
    shape = {"upscale": 4, "window_size": 8, "img_size": 64, "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 2]}
    return build("SwinIR", **shape, mlp_ratio=2, upsampler="nearest+conv")


def esrgan():
    return build("ESRGAN", num_filters=8, num_blocks=2, scale=4)


def scunet():
    return build("SCUNet", config=[2, 1, 1, 2, 1, 1, 1], dim=64)


def as_esrgan_is_published(state):
    """The names of BasicSR's RRDBNet, under which Real-ESRGAN is published; spandrel's are those of older files."""
    ends = {
        "0": "conv_first",
        "1.sub.2": "conv_body",
        "3": "conv_up1",
        "6": "conv_up2",
        "8": "conv_hr",
        "10": "conv_last",
    }

    def rename(name):
        block = re.fullmatch(r"model\.1\.sub\.(\d)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)", name)
        if block:
            return "body.{}.rdb{}.conv{}.{}".format(*block.groups())
        at, _, kind = name.removeprefix("model.").rpartition(".")
        return f"{ends[at]}.{kind}"

    return {rename(name): tensor for name, tensor in state.items()}


@dataclasses.dataclass(frozen=True)
class Case:
    """task: of the command. nest: the key of the published pickle, empty for none. size, tile, overlap:
    of a picture and its tiles.
    """

    build: object
    task: str
    nest: str
    size: tuple[int, int]
    tile: int
    overlap: int
    rename: object = dict


CASES = {
    "NAFNet": Case(nafnet, "denoise", "params", (96, 192), 128, 64),
    "SCUNet": Case(scunet, "denoise", "", (64, 192), 128, 64),
    "DRUNet": Case(drunet, "denoise", "", (96, 192), 128, 64),
    "SwinIR": Case(swinir, "sr", "params_ema", (48, 96), 64, 32),
    "RealESRGAN": Case(esrgan, "sr", "params_ema", (48, 96), 64, 32, as_esrgan_is_published),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def published(case):
    """Its weights by their published names."""
    return {name: tensor.clone() for name, tensor in case.rename(case.build().state_dict()).items()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a photograph, to work in, and an empty cache; pickles are read in this process, to be fast."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "hfpie_cli.weights.convert._unpickle", lambda source, target: unpickle(str(source), str(target))
    )
    Image.fromarray(smooth_picture(0, (40, 56))).save("a.png")
    return tmp_path


def pickled(case, state):
    file = io.BytesIO()
    torch.save({case.nest: state} if case.nest else state, file)
    return file.getvalue()


def hfpie(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.stderr
    return result


def restored(case, name, *options):
    hfpie(case.task, "a.png", "-o", "out.png", "--overwrite", "--weights", name, *options)
    return np.asarray(Image.open("out.png")).astype(int)


def test_every_way_to_its_weights_restores_the_same(case, published, folder, monkeypatch):
    content, pickle = save(published), pickled(case, published)
    (folder / "net.safetensors").write_bytes(content)
    direct = restored(case, "net.safetensors")
    scale = 4 if case.task == "sr" else 1
    assert direct.shape == (40 * scale, 56 * scale, 3)
    if scale == 1:
        assert np.abs(direct - smooth_picture(0, (40, 56)).astype(int)).max() > 1
    (folder / "from.pth").write_bytes(pickle)
    hfpie("weights", "convert", "from.pth")
    assert np.array_equal(restored(case, "from.safetensors"), direct)
    entry = dataclasses.replace(
        weights.known_weights()["scunet-psnr"],
        task=case.task,
        scale=scale,
        tile=256,
        file="net.pth",
        repo="they/theirs",
        sha256=hashlib.sha256(pickle).hexdigest(),
    )
    monkeypatch.setattr(weights, "known_weights", lambda: {entry.name: entry})
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        server.add("they/theirs", "net.pth", pickle)
        server.add("they/theirs", "net.safetensors", content)
        assert np.array_equal(restored(case, entry.name), direct)
        assert np.array_equal(restored(case, f"hf://they/theirs/net.safetensors@{COMMIT}"), direct)
        online = len(server.requests)
        assert np.array_equal(restored(case, entry.name, "--offline"), direct)
        assert len(server.requests) == online


def farthest(network, case):
    """How far tiles are from the whole, in levels of 255."""
    photo = Photo((smooth_picture(1, case.size) / 255).astype(np.float32))  # floats, which are not rounded
    whole = Restorer(network, tile=1024, overlap=0).restore(photo)
    tiled = Restorer(network, tile=case.tile, overlap=case.overlap).restore(photo)
    assert whole.tiles == 1 < tiled.tiles
    return np.abs(whole.photo.pixels - tiled.photo.pixels).max() * 255


def load(state, path):
    path.write_bytes(save(state))
    return load_foreign(path)


def test_tiles_are_near_the_whole(case, published, folder):
    assert farthest(load(published, folder / "net.safetensors"), case) < BOUND


def test_tiles_of_scunet_begin_where_its_windows_do(folder):
    case = CASES["SCUNet"]
    network = load(case.build().state_dict(), folder / "net.safetensors")
    assert network.contract.stride == 64
    network._contract = dataclasses.replace(network.contract, stride=16)
    assert farthest(network, dataclasses.replace(case, tile=112, overlap=32)) > 10


def test_what_they_say_of_themselves(case, published, folder):
    said = load(published, folder / "net.safetensors").contract
    expected = {
        "NAFNet": (1, 16, 1, 384, 64, {"fp32", "bf16"}, False),
        "SCUNet": (1, 64, 40, 512, 64, {"fp32", "bf16", "fp16"}, False),
        "DRUNet": (1, 16, 1, 256, 64, {"fp32", "bf16"}, True),
        "SwinIR": (4, 8, 16, 512, 64, {"fp32", "bf16"}, False),
        "RealESRGAN": (4, 16, 2, 256, 32, {"fp32", "bf16", "fp16"}, False),
    }[next(name for name in CASES if CASES[name] is case)]
    found = (said.scale, said.stride, said.smallest, said.tile, said.overlap, set(said.precisions), said.takes_noise)
    assert found == expected


@pytest.fixture
def told(folder, monkeypatch):
    """The weights of a DRUNet in the folder; the noise levels that it is told, in [0, 1], one for each tile."""
    levels = []
    network = load(drunet().state_dict(), folder / "drunet.safetensors")
    network.model.register_forward_pre_hook(lambda model, inputs: levels.append(float(inputs[0][0, 3, 0, 0])))
    monkeypatch.setattr("hfpie_cli.restore.load_foreign", lambda path: network)
    return levels


def save_noisy(sigma, rng):
    clean = np.full((64, 96, 3), 128.0)
    Image.fromarray(np.rint(clean + rng.normal(0, sigma, clean.shape)).clip(0, 255).astype(np.uint8)).save("a.png")


def test_drunet_is_told_the_noise_that_is_measured_or_named(told, rng):
    save_noisy(20, rng)
    measured = hfpie("denoise", "a.png", "--weights", "drunet.safetensors", "--json")
    noise = json.loads(measured.stdout)["noise"]
    assert noise == pytest.approx(20, rel=0.1)
    assert float(re.search(r", noise ([\d.]+)$", measured.stderr, re.MULTILINE)[1]) == pytest.approx(noise, abs=0.06)
    assert told == [pytest.approx(noise / 255, abs=1e-4)]
    named = hfpie("denoise", "a.png", "--weights", "drunet.safetensors", "--json", "--overwrite", "--noise", "35.5")
    assert json.loads(named.stdout)["noise"] == 35.5
    assert told[1] == pytest.approx(35.5 / 255)


def test_noise_is_stretched_with_the_span(told, folder):
    dark = np.linspace(0, 6000, 64 * 96 * 3).reshape(64, 96, 3).astype(np.uint16)
    Restorer.from_weights(folder / "drunet.safetensors", noise=10).restore(Photo(dark))
    assert told == [pytest.approx(10 / 255 / find_span(dark).width)]
    assert told[0] > 0.3


def test_a_noise_level_is_for_networks_that_take_it(case, published, folder):
    if case is CASES["DRUNet"] or case.task == "sr":
        return
    load(published, folder / "net.safetensors")
    result = hfpie("denoise", "a.png", "--weights", "net.safetensors", "--noise", "10", code=2)
    assert "net: does not take a noise level" in result.stderr
    assert not (folder / "a_denoised.png").exists()


def test_nafnet_that_blows_up_is_told_by_name(folder):
    state = nafnet().state_dict()
    state["ending.weight"] *= 100
    load(state, folder / "nafnet.safetensors")
    result = hfpie("denoise", "a.png", "--weights", "nafnet.safetensors", code=1)
    assert "nafnet: its output is not a picture: values from -" in result.stderr
    assert not (folder / "a_denoised.png").exists()


@pytest.mark.parametrize("name", ["drunet", "nomos-webphoto", "realesrgan-x4plus", "scunet-psnr"])
def test_the_table_says_what_the_published_shapes_cost(name):
    entry = weights.known_weights()[name]
    network = architectures.network_of(entry)
    assert sum(p.numel() for p in network.parameters()) == entry.parameters
    assert architectures.flop_a_pixel(network) == entry.flop
    assert entry.size == 0 or entry.parameters * 4 == pytest.approx(entry.size, rel=0.01)
