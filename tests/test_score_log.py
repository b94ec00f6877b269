"""Cached scores are used only if they are intact and for the same pictures."""

import os

from hfpie_cli.evaluation.score_cache import key_of, open_log


def test_a_changed_line_is_not_believed(tmp_path):
    path = tmp_path / "scores.jsonl"
    log = open_log(path, resume=True)
    rows = {f"key{number}": {"psnr": 30.0 + number, "ssim": 0.5} for number in range(3)}
    for key, row in rows.items():
        log.add(key, row)
    assert open_log(path, resume=True).known == rows
    path.write_bytes(path.read_bytes().replace(b"31.0", b"37.0").replace(b"key2", b"keyX") + b"\xff\xfe{")
    assert open_log(path, resume=True).known == {"key0": rows["key0"]}


def test_another_content_is_another_picture(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"one")
    key = key_of(("psnr",), [picture])
    os.utime(picture, ns=(1, 1))
    assert key_of(("psnr",), [picture]) == key
    picture.write_bytes(b"two")
    assert key_of(("psnr",), [picture]) != key
    assert key_of(("ssim",), [picture]) != key
