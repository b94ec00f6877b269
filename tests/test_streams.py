"""Batches side by side: in their order, as many at a time as there are streams, and the same pixels."""

import threading

import numpy as np
import pytest
import torch

from hfpie_cli import Restorer
from hfpie_cli.photos.photo import Photo
from hfpie_cli.streams import CUDA_STREAMS, Streams, side_by_side, tiles_at_a_time

from .conftest import smooth_picture

BATCHES = [torch.full((1, 3, 2, 2), float(i)) for i in range(7)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_batches(count):
    def work(batch):
        threading.Event().wait(0.02 * (int(batch.flatten()[0]) % 2))  # every other one takes longer
        return batch + 1

    results = list(side_by_side(work, BATCHES, count))
    assert [result.flatten()[0].item() for result in results] == [1, 2, 3, 4, 5, 6, 7]


def test_as_many_run_at_a_time_as_there_are_streams():
    both = threading.Barrier(2, timeout=20)

    def work(batch):
        both.wait()  # one alone would wait for ever
        return batch

    assert len(list(side_by_side(work, BATCHES[:6], 2))) == 6


def test_few_batches_are_held_and_one_lane_reads_none_ahead():
    for count, ahead in ((1, 1), (2, 3)):
        read = []
        results = side_by_side(lambda batch: batch, (read.append(i) or batch for i, batch in enumerate(BATCHES)), count)
        for taken in range(1, 4):
            next(results)
            assert len(read) == taken + ahead - 1
        results.close()


@pytest.mark.parametrize("count", [1, 2])
def test_what_goes_wrong_is_raised_where_its_result_would_come(count):
    def work(batch):
        if batch.flatten()[0] == 2:
            raise torch.cuda.OutOfMemoryError("a batch too many")
        return batch

    results = side_by_side(work, BATCHES, count)
    assert [next(results).flatten()[0].item() for _ in range(2)] == [0, 1]
    with pytest.raises(torch.cuda.OutOfMemoryError, match="a batch too many"):
        next(results)


@pytest.mark.parametrize("batch", [1, 2])
def test_streams_change_no_pixel(enlarger, monkeypatch, batch):
    monkeypatch.setattr("hfpie_cli.restore.tiles_at_once", lambda *_: batch)
    restorer = Restorer.from_weights(enlarger, tile=32, overlap=8, precision="fp32")
    photo, told = Photo(smooth_picture(1, (75, 98))), []
    alone = restorer.restore(photo)
    monkeypatch.setattr(Streams, "at_once", lambda self, batches: 2)
    beside = restorer.restore(photo, lambda done, total: told.append((done, total)))
    assert np.array_equal(beside.photo.pixels, alone.photo.pixels)
    assert told[-1] == (beside.tiles, beside.tiles)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_cpu_fetches_what_is_there():
    streams, tensor = Streams(torch.device("cpu")), torch.rand(2, 3)
    with streams.one():
        assert torch.equal(streams.fetch(tensor), tensor)


@pytest.mark.parametrize(
    ("threads", "tiles", "at_a_time"),
    [
        (1, 50, 1),
        (2, 1, 1),
        (2, 2, 2),
        (2, 5, 1),
        (2, 6, 2),
        (2, 11, 2),
        (5, 50, 1),
        (6, 50, 3),
        (16, 54, 4),
        (16, 6, 2),
    ],
)
def test_a_cpu_runs_several_tiles_at_a_time_where_threads_and_work_share_out(threads, tiles, at_a_time):
    assert tiles_at_a_time(threads, tiles) == at_a_time


def test_tiles_at_a_time_share_the_threads_and_give_them_back(enlarger, monkeypatch):
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        restorer = Restorer.from_weights(enlarger, tile=32, overlap=8, precision="fp32")
        process = restorer._process
        monkeypatch.setattr(
            restorer, "_process", lambda *given: seen.append(torch.get_num_threads()) or process(*given)
        )
        restorer.restore(Photo(smooth_picture(1, (75, 98))))
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
def test_streams_change_no_pixel_on_a_gpu(monkeypatch):
    restorer = Restorer.from_weights("denoise", device="cuda", precision="fp32", tile=64, overlap=16)
    photo = Photo(np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8))
    assert restorer._runner.streams.at_once(9) == CUDA_STREAMS
    beside = restorer.restore(photo)
    monkeypatch.setattr(Streams, "at_once", lambda self, batches: 1)
    assert np.abs(beside.photo.pixels.astype(int) - restorer.restore(photo).photo.pixels).max() <= 1
