"""Films: read and written frame by frame, with times, sound, depth and colour tags."""

import io
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.errors import HfpieError
from hfpie_cli.photos.contents import is_readable, read_content
from hfpie_cli.photos.film import Film
from hfpie_cli.photos.formats import OutputStyle
from hfpie_cli.photos.sizes import read_size

from .conftest import save_picture, smooth_picture

av = pytest.importorskip("av", reason="needs the extra video")

SIZE = (48, 64)  # h, w
COUNT = 8
TIMES = [0, 40, 80, 110, 200, 240, 280, 330]  # milliseconds: not all frames are shown equally long
SDR = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": 1}
PQ = {"color_primaries": 9, "color_trc": 16, "colorspace": 9, "color_range": 1}
FULL = {"color_primaries": 1, "color_trc": 13, "colorspace": 5, "color_range": 2}


def pictures(count: int = COUNT, size=SIZE) -> list[np.ndarray]:
    """A view that moves to the side."""
    coarse = np.random.default_rng(0).integers(40, 216, (6, 8, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (size[1] + count, size[0]), interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(wide[:, n : n + size[1]]) for n in range(count)]


def make_film(
    path: Path, codec: str, pixels: str, *, tags=SDR, sound="", times=TIMES, size=SIZE, **stream_options
) -> Path:
    """Written by PyAV itself. tags: of colours. sound: its codec."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "1", "x265-params": "log-level=none"})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = size[1], size[0], pixels
        context.time_base = Fraction(1, 1000)
        for name, value in tags.items():
            setattr(context, name, value)
        for name, value in stream_options.items():
            getattr(stream, name)(value)
        heard = container.add_stream(sound, rate=48000) if sound else None
        if heard:
            heard.codec_context.layout = "mono"
        for time, picture in zip(times, pictures(len(times), size), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = frame.reformat(
                format=pixels, dst_colorspace=tags["colorspace"], dst_color_range=tags["color_range"]
            )
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if heard:
            for number in range(8):
                wave = (0.3 * np.sin(0.05 * np.arange(1920 * number, 1920 * (number + 1)))).astype(np.float32)
                samples = av.AudioFrame.from_ndarray(wave[None], "fltp", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 48000, 1920 * number, Fraction(1, 48000)
                container.mux(heard.encode(samples))
            container.mux(heard.encode())
    return path


def told(path: Path) -> dict[str, object]:
    """What a film says of itself."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        first = frames[0]
        return {
            "codec": stream.codec_context.codec.canonical_name,
            "pixels": first.format.name,
            "size": (first.width, first.height),
            "times": [round(float(frame.pts * stream.time_base), 3) for frame in frames],
            "tags": (first.color_primaries, first.color_trc, first.colorspace, first.color_range),
        }


def sound_of(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [(round(float(packet.pts * packet.time_base), 3), bytes(packet)) for packet in packets]


def run(*arguments, weights="unit-test"):
    return CliRunner().invoke(app, [*map(str, arguments), "--weights", str(weights)])


def opened(path: Path) -> Film:
    film = read_content(path)
    assert isinstance(film, Film)
    return film


def rewritten(path: Path, target: Path, form: str | None = None, scale: int = 1, quality: int = 95) -> Path:
    film = opened(path)
    encoding = film.encoding(OutputStyle(form, quality), scale, None, None)
    for frame in film.pictures():
        encoding.add(frame)
    encoding.finish()
    with closing(encoding), target.open("w+b") as file:
        encoding.join(file)
    return target


KINDS = {
    "H.264, 8 bits": ("x.mp4", "libx264", "yuv420p", SDR, "aac"),
    "H.264, 10 bits": ("x.mkv", "libx264", "yuv422p10le", SDR, ""),
    "HEVC, 10 bits, PQ": ("x.mp4", "libx265", "yuv420p10le", PQ, "aac"),
    "VP9": ("x.webm", "libvpx-vp9", "yuv444p", SDR, "libopus"),
    "AV1, 10 bits": ("x.mkv", "libsvtav1", "yuv420p10le", PQ, ""),
    "FFV1, 16 bits": ("x.mkv", "ffv1", "yuv444p16le", SDR, "flac"),
    "full range": ("x.mov", "libx264", "yuv420p", FULL, "pcm_s16le"),
    "grey": ("x.mp4", "libx264", "gray", SDR, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_times_sound_depth_and_tags_stay(tmp_path, kind):
    name, codec, pixels, tags, sound = KINDS[kind]
    source = make_film(tmp_path / name, codec, pixels, tags=tags, sound=sound)
    target = rewritten(source, tmp_path / f"out-{name}")
    assert told(target) == told(source)
    assert told(target)["times"] == [time / 1000 for time in TIMES]
    if sound:
        assert sound_of(target) == sound_of(source)
        assert sound_of(source)
    before, after = opened(source).pictures(), opened(target).pictures()
    for one, other in zip(before, after, strict=True):
        assert one.pixels.dtype == np.uint16
        assert np.abs(one.pixels.astype(float) - other.pixels).mean() < 2.5 * 257


def test_the_pixels_are_those_that_were_stored(tmp_path):
    film = opened(make_film(tmp_path / "x.mkv", "ffv1", "yuv444p16le"))
    for frame, picture in zip(film.pictures(), pictures(), strict=True):
        assert np.abs(frame.pixels / 257 - picture).max() < 1
    assert film.first.pixels.shape == (*SIZE, 3)


def test_a_lossless_film_comes_out_as_it_went_in(tmp_path):
    source = make_film(tmp_path / "x.mkv", "ffv1", "yuv420p16le")
    target = rewritten(source, tmp_path / "y.mkv")
    for one, other in zip(opened(source).pictures(), opened(target).pictures(), strict=True):
        assert np.abs(one.pixels.astype(float) - other.pixels).mean() < 64


def test_the_quality_decides_what_is_lost(tmp_path):
    source = make_film(tmp_path / "x.mp4", "libx264", "yuv420p")
    lost = []
    for quality in (100, 95, 40):
        target = rewritten(source, tmp_path / f"{quality}.mp4", quality=quality)
        pairs = zip(opened(source).pictures(), opened(target).pictures(), strict=True)
        lost.append(np.mean([np.abs(one.pixels.astype(float) - other.pixels).mean() for one, other in pairs]) / 257)
    assert lost[0] < 0.7 < lost[1] < lost[2]


def test_a_film_that_lies_on_its_side_is_turned_upright(tmp_path):
    source = make_film(tmp_path / "x.mp4", "libx264", "yuv420p", set_display_rotation=90)
    with av.open(str(source)) as container:
        rotation = next(container.decode(video=0)).rotation
    assert rotation in (90, -90)
    frame = opened(source).first
    assert (frame.width, frame.height) == SIZE
    expected = np.rot90(pictures()[0], rotation // 90)
    assert np.abs(frame.pixels / 257 - expected).mean() < 6
    target = rewritten(source, tmp_path / "y.mp4")
    assert told(target)["size"] == SIZE
    assert "it is turned upright" in opened(source).checked(OutputStyle(), None, 1)
    with av.open(str(target)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_pixels_that_are_not_square_stay_so(tmp_path):
    source = tmp_path / "x.mp4"
    make_film(source, "libx264", "yuv420p", tags=SDR | {"sample_aspect_ratio": Fraction(4, 3)})
    with av.open(str(rewritten(source, tmp_path / "y.mp4"))) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_another_container_keeps_the_codec_where_it_can_and_says_so_where_not(tmp_path):
    source = make_film(tmp_path / "silent.mp4", "libx264", "yuv420p")
    with_sound = make_film(tmp_path / "x.mp4", "libx264", "yuv420p", sound="aac")
    assert told(rewritten(with_sound, tmp_path / "y.mkv", "MKV"))["codec"] == "h264"
    assert [packet for _, packet in sound_of(tmp_path / "y.mkv")] == [packet for _, packet in sound_of(with_sound)]
    assert opened(source).checked(OutputStyle("WEBM"), None, 1) == ("8 frames", "its h264 becomes vp9")
    with pytest.raises(HfpieError, match=r"its sound \(aac\) does not fit in WEBM") as caught:
        opened(with_sound).checked(OutputStyle("WEBM"), None, 1)
    assert "x.mkv" in caught.value.hint


def test_deep_vp9_becomes_what_keeps_its_depth(tmp_path):
    source = make_film(tmp_path / "x.mp4", "libx265", "yuv420p10le")
    assert "its hevc becomes av1" in opened(source).checked(OutputStyle("WEBM"), None, 1)
    assert told(rewritten(source, tmp_path / "y.webm", "WEBM"))["pixels"] == "yuv420p10le"


@pytest.mark.parametrize(
    ("codec", "pixels", "form", "word"),
    [
        ("ffv1", "yuv444p16le", "MP4", r"its pixels \(yuv444p16le\) cannot be written as MP4"),
        ("ffv1", "yuva420p", "MKV", "transparency"),
        ("ffv1", "yuv420p", "PNG", "a film, which PNG cannot hold"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(tmp_path, codec, pixels, form, word):
    path = make_film(tmp_path / "x.mkv", codec, pixels)
    with pytest.raises(HfpieError, match=word) as caught:
        opened(path).checked(OutputStyle(form), None, 1)
    assert caught.value.hint


def test_interlaced_films_are_refused(tmp_path):
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"flags": "+ildct+ilme", "x264-params": "tff=1"})
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode())
    with pytest.raises(HfpieError, match="is interlaced"):
        list(opened(path).pictures())


def test_films_that_break_off_are_refused(tmp_path):
    times = [40 * number for number in range(100)]
    path = make_film(tmp_path / "x.mov", "libx264", "yuv420p", times=times)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])  # the index lies at the end
    with pytest.raises(HfpieError, match=r"x.mov: a broken film"):
        read_content(path)
    index = data.index(b"moov") - 4
    front = data[index:] + data[:index]  # as recorded for the net: places in the file are wrong, too
    path.write_bytes(front[: len(front) // 2])
    assert not is_readable(path)


def test_noise_that_begins_like_a_film_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    for head in (b"\0\0\0\x20ftypisom", b"\x1aE\xdf\xa3", b"RIFF\0\1\0\0AVI "):
        (tmp_path / "x.mp4").write_bytes(head + noise)
        with pytest.raises(HfpieError, match=r"x.mp4: ") as caught:
            read_content(tmp_path / "x.mp4")
        assert "\n" not in caught.value.message


def test_without_the_extra_the_refusal_names_it(tmp_path, monkeypatch):
    path = make_film(tmp_path / "x.mp4", "libx264", "yuv420p")
    monkeypatch.setitem(sys.modules, "av", None)
    result = run("denoise", path)
    assert result.exit_code == 1
    assert "x.mp4: films need pip install 'hfpie[video]'" in result.stderr


def test_the_command_restores_a_film(tmp_path):
    path = make_film(tmp_path / "x.mp4", "libx264", "yuv420p", sound="aac")
    result = run("denoise", path, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 0, result.stderr
    assert told(tmp_path / "out.mp4") == told(path)
    assert sound_of(tmp_path / "out.mp4") == sound_of(path)
    assert "x.mp4: 8 frames" in result.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.mp4", "x.mp4"]


def test_a_film_is_enlarged(tmp_path, enlarger):
    path = make_film(tmp_path / "x.mp4", "libx264", "yuv420p", times=[0, 40])
    result = run("sr", path, weights=enlarger)
    assert result.exit_code == 0, result.stderr
    assert told(tmp_path / "x_x4.mp4")["size"] == (4 * SIZE[1], 4 * SIZE[0])


def test_a_film_is_measured_before_it_is_restored(tmp_path):
    path = make_film(tmp_path / "x.mp4", "libx264", "yuv420p")
    assert read_size(path).pixels == COUNT * SIZE[0] * SIZE[1]
    result = run("denoise", path, "--dry-run")
    assert f"{COUNT * SIZE[0] * SIZE[1] / 1e6:.2f} MP" in result.stdout


def test_films_in_folders_are_named_and_left(tmp_path):
    make_film(tmp_path / "clip.mp4", "libx264", "yuv420p")
    save_picture(tmp_path / "a.png", smooth_picture(0))
    result = run("denoise", tmp_path, "-o", tmp_path / "out/")
    assert result.exit_code == 0, result.stderr
    assert "skipped 1 film; name a film to restore it" in result.stderr
    assert not (tmp_path / "out/clip.mp4").exists()


@pytest.mark.parametrize("arguments", [["-o", "out.png"], ["--in-place"]])
def test_a_film_becomes_no_picture_and_is_not_replaced(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    before = make_film(tmp_path / "x.mp4", "libx264", "yuv420p").read_bytes()
    result = run("denoise", "x.mp4", *arguments)
    assert result.exit_code == 1
    assert "hfpie: x.mp4: " in result.stderr
    assert (tmp_path / "x.mp4").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.mp4"]


def test_a_photograph_becomes_no_film(tmp_path):
    path = save_picture(tmp_path / "a.png", smooth_picture(0))
    result = run("denoise", path, "-o", tmp_path / "a.mp4")
    assert result.exit_code == 1
    assert "not a film, and MP4 holds only films" in result.stderr
    assert not (tmp_path / "a.mp4").exists()


def test_a_film_from_standard_input_is_named(tmp_path):
    data = make_film(tmp_path / "x.mp4", "libx264", "yuv420p").read_bytes()
    with pytest.raises(HfpieError, match="standard input: a film") as caught:
        read_content(data)
    assert "name the film itself" in caught.value.hint


def test_frames_of_a_shot_share_their_averages(tmp_path):
    from hfpie_cli.batch.frames import Averages

    class Restorer:
        def __init__(self):
            self.shared = []

        def share(self, frames):
            self.shared.append(len(frames))
            return object()

    film = opened(make_film(tmp_path / "x.mkv", "ffv1", "yuv420p"))
    restorer = Restorer()
    common = list(Averages(restorer, []).within(film.pictures))
    assert (restorer.shared, len(common), len(set(common))) == ([4], COUNT, 1)


class Pipe(io.RawIOBase):
    """Where nothing can be corrected once it is written, as a programme that is recorded live."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def test_all_frames_of_a_film_are_restored_that_does_not_say_how_many_there_are(tmp_path):
    source, target = tmp_path / "x.mkv", tmp_path / "out.mkv"
    with Pipe(source) as pipe, av.open(pipe, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode())
    assert opened(source).count == 1
    result = run("denoise", source, "-o", target)
    assert result.exit_code == 0, result.stderr
    assert len(told(target)["times"]) == COUNT
    assert "its header does not say how many frames it has" in result.stderr
