"""Wrong use is reported at once, before torch is loaded, which takes a second or more."""

import json
import os
import subprocess
import sys

import pytest

from .conftest import save_picture, smooth_picture

WRONG = """
denoise
denoise nowhere.png
denoise a.png --weights compct.denoise
denoise a.png --weights no.safetensors
denoise a.png --weights damaged.safetensors
denoise a.png --weights compact.sr-x4
denoise a.png --device cudda
denoise a.png --precision fp8
denoise a.png --tile 30
denoise a.png --noise 900
denoise a.png -o x.xyz
denoise a.png -o a.png
denoise empty
denoise a.png --format bmpp
denoise a.png --compare x.txt
sr a.png --scale 9
sr a.png --in-place
deblur a.png --gan
compare a.png
compare a.png photos
eval
eval --dataset SID
eval --dataset SIDD
eval --dataset photos
eval --dataset photos --task denoisee
eval --dataset photos --task denoise --degradation awgn-26
eval --dataset photos --task sr --degradation awgn-25
eval --dataset photos --task denoise --weights compct.denoise
eval --dataset photos --task denoise --weights damaged.safetensors
eval --dataset photos --task denoise --weights compact.sr-x4
eval --dataset photos --task denoise --csv a.png
eval --dataset photos --task denoise --save-images a.png
eval --dataset photos --task denoise --device cudda
eval --dataset photos --task denoise --tile 30
eval --dataset empty --task denoise
eval --table 9
eval --table 1
eval --degraded photos
eval --degraded photos --clean photos
eval --degraded photos --clean nowhere --task denoise
train
train --task foo
train --task deblur
train --task denoise --data nowhere
train --task denoise --data empty
train --task denoise --data photos --minutes 0
train --task denoise --data photos --recipe compct
train --task denoise --data photos --recipe nowhere.toml
train --task denoise --data photos --recipe damaged.toml
train --task denoise --data photos --init compct
train --task denoise --data photos --init damaged.safetensors
train --task denoise --data photos --gan
train --task denoise --data photos --precision fp8
train --task denoise --degraded photos --clean empty
train --resume photos
data pull SID
data verify nowhere
weights info compct
weights pull compct
weights convert nowhere.pth
weights push --repo x
doctor foo
"""
PROGRAM = """
import json, sys
from typer.testing import CliRunner
from hfpie_cli.cli import app
for line in json.load(sys.stdin):
    result = CliRunner().invoke(app, line.split())
    print(json.dumps([line, result.exit_code, result.stderr, 'torch' in sys.modules]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(line, exit code, standard error, whether torch is loaded) of each wrong use, one after the other."""
    folder = tmp_path_factory.mktemp("wrong")
    for name in ("a.png", "photos/a.png"):
        save_picture(folder / name, smooth_picture(0))
    (folder / "empty").mkdir()
    (folder / "damaged.safetensors").write_bytes(b"half of a file")
    (folder / "damaged.toml").write_text("steps = = 3")
    lines = WRONG.strip().splitlines()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(lines),
        env={**os.environ, "HFPIE_DATA": str(folder / "data")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(answer) for answer in done.stdout.splitlines()]


def test_wrong_use_is_answered_without_torch(answers):
    assert len(answers) == len(WRONG.strip().splitlines())
    assert next((line for line, _, _, loaded in answers if loaded), None) is None


def test_wrong_use_gets_one_message_and_no_announcement(answers):
    for line, code, told, _ in answers:
        assert code in (1, 2, 4), line
        assert told.startswith("hfpie: "), (line, told)
        assert told.count("hfpie: ") == 1, (line, told)
