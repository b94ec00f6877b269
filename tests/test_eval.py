"""Scoring and `hfpie eval`: rows, quoted rows, outputs, resuming, several processes."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from rich.console import Console as RichConsole
from scipy.io import savemat
from typer.testing import CliRunner

from hfpie_cli.cli import app
from hfpie_cli.commands.tables import print_table
from hfpie_cli.data.benchmarks import Benchmark, open_benchmark
from hfpie_cli.data.catalogue import data_sets
from hfpie_cli.evaluation import scoring as evaluate
from hfpie_cli.evaluation.baselines import enlarge_bicubic, noise_sigma
from hfpie_cli.evaluation.scoring import Method, Scores, Scoring, at_once, input_method, score
from hfpie_cli.evaluation.table import as_tables, make_board, records
from hfpie_cli.files import sha256_of

from .conftest import make_checkpoint, run_twice, save_picture, smooth_picture


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/hfpie/scores"


@pytest.fixture
def arguments(set5, identity):
    return ["eval", "--dataset", str(set5), "--task", "denoise", "--weights", str(identity)]


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_bicubic_enlarges_pairs(set5):
    benchmark = open_benchmark(str(set5), set5.parent, "sr")
    scores = score(benchmark, [Method("bicubic", at_once(enlarge_bicubic))])
    assert scores[0].means()["psnr_y"] > 35


def test_the_input_is_neither_clipped_nor_rounded(set5):
    benchmark = open_benchmark(str(set5), set5.parent, "denoise", "awgn-25")
    assert score(benchmark, [input_method()])[0].means()["psnr"] == pytest.approx(20 * np.log10(255 / 25), abs=0.1)


def test_noise_is_estimated_well_enough(rng):
    flat = rng.normal(128, 12, (200, 200, 3))
    assert noise_sigma(flat) == pytest.approx(12, rel=0.03)


def test_the_command_prints_the_table(arguments, identity):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["method"] for row in rows] == ["input", "non-local means", str(identity)]
    assert 0 < rows[2]["psnr"] - rows[0]["psnr"] < 1.5  # what comes out is clipped
    assert (rows[2]["sha256"], rows[2]["device"]) == (sha256_of(identity), "cpu")
    assert "sha256" not in rows[0]
    assert result.stderr.startswith("identity on cpu (")
    assert rows[1]["psnr"] > rows[0]["psnr"] + 3
    shown = run(*arguments, "--limit", "2")
    assert "2 pictures" in shown.stdout
    assert "non-local means" in shown.stdout


@pytest.fixture
def all_is_whole(monkeypatch):
    """The small sets of these tests count as whole."""
    monkeypatch.setattr(Benchmark, "is_whole", True)


def test_sidd_is_scored_from_its_two_files(tmp_path, identity, rng, all_is_whole):
    clean = np.kron(rng.integers(90, 160, (1, 2, 8, 8, 3)), np.ones((1, 1, 8, 8, 1))).astype(np.uint8)
    noisy = (clean + rng.normal(0, 4.98, clean.shape)).round().astype(np.uint8)  # 34.19 dB, as the paper's
    (tmp_path / "SIDD").mkdir()
    for name, blocks in (("ValidationGtBlocksSrgb", clean), ("ValidationNoisyBlocksSrgb", noisy)):
        savemat(tmp_path / "SIDD" / f"{name}.mat", {name: blocks}, format="5")
    result = run("eval", "--dataset", "SIDD", "--data-root", tmp_path, "--weights", identity)
    assert result.exit_code == 0, result.stderr
    assert "sRGB validation blocks; 2 pictures" in result.stdout
    assert "DHDN (quoted)" in result.stdout
    assert "not comparable" not in result.stdout


@pytest.mark.parametrize(("psnr", "psnr_y", "name"), [(32.7, 30, "psnr"), (28.1, 32.9, "psnr_y"), (28.1, 33.3, None)])
def test_quoted_rows_stand_where_their_input_row_fits(tmp_path, psnr, psnr_y, name, all_is_whole):
    save_picture(tmp_path / "DIV2K/DIV2K_valid_HR/0801.png", smooth_picture(0))
    benchmark = open_benchmark("DIV2K", tmp_path, "denoise", "awgn-10")
    row = {"psnr": psnr, "ssim": 0.7, "psnr_y": psnr_y, "ssim_y": 0.7, "gmsd": 0.1}
    board = make_board(benchmark, [Scores("input", {"0801.png": row})])
    ours = next(record for record in records(board) if record["method"] == "Ours")
    assert ours["quoted"] == "paper, table 1"
    assert ours["comparable"] == (name is not None)
    assert ours[name or "psnr"] == 38.64
    assert bool(board.apart) == (name is None)


def test_brackets_and_controls_of_names_are_shown_as_they_are(set5, capsys):
    benchmark = replace(open_benchmark("Set5", set5.parent, "denoise", None), name="p [old] \x1b[31m", protocol="[/x]")
    board = make_board(benchmark, [Scores("net [bold].st", {"0.png": {"psnr": 30.0}})])
    for table in as_tables(board):
        RichConsole(width=100).print(table)
    shown = capsys.readouterr().out
    for text in ("p [old] \\x1b[31m, denoise", "[/x]; 3 pictures", "net [bold].st"):
        assert text in shown
    print_table(("name", "for"), {"task [red]": [("a [red]b[/]", "[/y]")]})
    shown = capsys.readouterr().out
    for text in ("task [red]", "a [red]b[/]", "[/y]"):
        assert text in shown


def test_quoted_rows_stand_apart_from_the_scores_of_a_part(tmp_path):
    save_picture(tmp_path / "DIV2K/DIV2K_valid_HR/0801.png", smooth_picture(0))
    benchmark = open_benchmark("DIV2K", tmp_path, "denoise", "awgn-10")
    row = {"psnr": 28.1, "ssim": 0.7, "psnr_y": 32.95, "ssim_y": 0.7, "gmsd": 0.1}
    board = make_board(benchmark, [Scores("input", {"0801.png": row})])
    assert {line.method for line in board.apart} >= {"Ours"}
    assert all(line not in board.lines for line in board.apart)


def test_a_table_runs_what_is_there_and_says_what_is_missing(tmp_path, identity, all_is_whole):
    missing = run("eval", "--table", "1", "--data-root", tmp_path)
    assert missing.exit_code == 4
    assert "table 1, Denoising, DIV2K, AWGN of sigma 10: the data set DIV2K was not found at" in missing.stderr
    save_picture(tmp_path / "DIV2K/DIV2K_valid_HR/0801.png", smooth_picture(0))
    result = run("eval", "--table", "1", "--data-root", tmp_path, "--weights", identity, "--json")
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["degradation"] for row in rows if row["method"] == "input"] == ["awgn-10", "awgn-30"]
    inputs = [row["psnr_y"] for row in rows if row["method"] == "input"]
    assert inputs == pytest.approx([32.95, 23.41], abs=0.1)
    assert all(row["comparable"] and "psnr_y" in row for row in rows if "quoted" in row)


@pytest.mark.parametrize("name", ["SIDD", "DIV2K", "REDS", "Kodak24"])
def test_a_missing_set_says_what_to_put_where(name, tmp_path):
    result = run("eval", "--dataset", name, "--data-root", tmp_path)
    assert result.exit_code == 4
    assert f"the data set {name} was not found at {tmp_path / name}" in result.stderr
    assert data_sets()[name].source in result.stderr
    assert " on cpu" not in result.stderr, "told before the network is"
    (tmp_path / name).mkdir()
    empty = run("eval", "--dataset", name, "--task", "denoise", "--data-root", tmp_path)
    assert (empty.exit_code, "no files found" in empty.stderr) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "use one of --dataset"),
        (["--dataset", "SIDD", "--table", "2"], "use one of --dataset"),
        (["--degraded", "a"], "must be used together"),
        (["--dataset", "SIDD", "--report", "no/such/folder.html"], "no such folder: no/such"),
        (["--dataset", "SIDD", "--report", "photo.png", "--overwrite"], "photo.png: not a page name"),
        (["--table", "1", "--task", "sr"], "the table defines the task"),
        (["--dataset", "SIDD", "--task", "cook"], "no task 'cook'"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(arguments, message):
    result = run("eval", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_weights_of_another_scale_are_refused(set5, enlarger):
    result = run("eval", "--dataset", set5, "--task", "denoise", "--weights", enlarger)
    assert result.exit_code == 2
    assert "a network of scale 4, not usable for denoise" in result.stderr


def test_folders_that_are_not_scored_are_counted(arguments, set5):
    assert "subfolder" not in run(*arguments).stderr
    save_picture(set5 / "more/a.png", smooth_picture(0))
    assert "skipped 1 subfolder: only the pictures in" in run(*arguments).stderr


def test_scores_go_to_a_spreadsheet_and_pictures_to_a_folder(arguments, tmp_path):
    result = run(*arguments, "--csv", tmp_path / "scores.csv", "--save-images", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert [row["picture"] for row in rows[:3]] == ["0.png", "1.png", "2.png"]
    means = [row for row in rows if row["picture"] == "mean"]
    assert float(means[0]["psnr"]) == pytest.approx(np.mean([float(row["psnr"]) for row in rows[:3]]))
    assert (tmp_path / "out/non-local_means/2.png").is_file()


def test_names_that_are_not_utf_8_are_scored_and_written_as_they_are(identity, tmp_path):
    folder = tmp_path / os.fsdecode(b"set \xfe")
    save_picture(folder / os.fsdecode(b"a\xff.png"), smooth_picture(0))
    command = ["eval", "--dataset", folder, "--task", "denoise", "--weights", identity]
    written = ["--csv", "s.csv", "--report", "r.html", "--save-images", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "hfpie_cli", *command, *written],
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert rb"set \udcfe, denoise" in done.stdout
    rows = (tmp_path / "s.csv").read_bytes().splitlines()
    assert rows[1].startswith(b"set \xfe,denoise,awgn-25,input,hfpie eval,a\xff.png,")
    assert (tmp_path / "r.html").exists()


def test_saved_pictures_replace_nothing_unasked(arguments, tmp_path):
    kept = tmp_path / "out/non-local_means/2.png"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    refused = run(*arguments, "--save-images", tmp_path / "out")
    assert refused.exit_code == 2
    assert "2.png: already exists" in refused.stderr
    assert kept.read_bytes() == b"mine"
    assert run(*arguments, "--save-images", tmp_path / "out", "--overwrite").exit_code == 0
    assert kept.read_bytes() != b"mine"


def test_pictures_of_other_weights_are_kept_apart(set5, tmp_path):
    pictures = []
    for seed in (0, 1):
        weights = make_checkpoint(tmp_path / "mine.safetensors", seed=seed)
        result = run(
            "eval",
            "--dataset",
            set5,
            "--task",
            "denoise",
            "--weights",
            weights,
            "--save-images",
            tmp_path / "out",
            "--resume",
        )
        assert result.exit_code == 0, result.stderr
        pictures.append({path.parent.name for path in (tmp_path / "out").rglob("0.png") if "mine" in path.parent.name})
    assert len(pictures[0]) == 1
    assert len(pictures[1]) == 2


def test_outputs_that_cannot_be_are_told_before_anything_is_scored(arguments, tmp_path):
    for outputs, word in ((["--csv", tmp_path], "is a folder"), (["--csv", "x", "--report", "x"], "use two files")):
        result = run(*arguments, *outputs, "--overwrite")
        assert result.exit_code == 2
        assert word in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("output", [["--csv", "a.csv"], ["--report", "a.html"], ["--save-images", "a/b"]])
def test_a_folder_without_permission_is_told_before_anything_is_scored(arguments, tmp_path, output):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run(*arguments, output[0], tmp_path / "locked" / output[1])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path / 'locked'}: cannot write to this folder" in result.stderr


@pytest.mark.parametrize("inside", ["soft", "soft/new", "sharp/a/b"])
def test_saved_pictures_never_join_those_that_are_scored(tmp_path, inside):
    for side in ("soft", "sharp"):
        save_picture(tmp_path / side / "a.png", smooth_picture(0))
    folders = ["--degraded", tmp_path / "soft", "--clean", tmp_path / "sharp", "--task", "denoise"]
    result = run("eval", *folders, "--save-images", tmp_path / inside)
    assert result.exit_code == 2
    assert "where the next run would score what this one saves" in result.stderr
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.png", "a.png"]
    named = run("eval", "--dataset", "reds", "--data-root", tmp_path, "--save-images", tmp_path / "REDS/val/out")
    assert "where the next run would score what this one saves" in named.stderr


def test_folders_that_are_missing_or_files_are_told_apart_from_empty_ones(tmp_path):
    save_picture(tmp_path / "clean/a.png", smooth_picture(0))
    (tmp_path / "empty").mkdir()
    for name, told in (("gone", "no such folder"), ("clean/a.png", "is a file"), ("empty", "no photographs found")):
        result = run("eval", "--degraded", tmp_path / name, "--clean", tmp_path / "clean", "--task", "denoise")
        assert result.exit_code == 4
        assert f"{tmp_path / name}: {told}" in result.stderr


def test_scores_that_cannot_be_kept_are_computed_all_the_same(arguments, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    result = run(*arguments, "--limit", 1)
    assert result.exit_code == 0, result.stderr
    assert "cannot keep the scores (Not a directory); --resume cannot continue this run" in result.stderr
    assert "non-local means" in result.stdout


def test_saved_pictures_never_replace_those_that_are_scored(tmp_path, identity):
    for side in ("input", "clean"):
        save_picture(tmp_path / side / "a.png", smooth_picture(0))
    before = (tmp_path / "input/a.png").read_bytes()
    folders = ["--degraded", tmp_path / "input", "--clean", tmp_path / "clean", "--task", "denoise"]
    result = run("eval", *folders, "--weights", identity, "--save-images", tmp_path, "--overwrite")
    assert result.exit_code == 2
    assert "would overwrite a picture of the benchmark" in result.stderr
    assert (tmp_path / "input/a.png").read_bytes() == before


def test_an_interrupted_run_keeps_its_scores_and_goes_on(arguments, monkeypatch, cache):
    measure, seen = evaluate.measure, []

    def interrupted(*given):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(given)
        return measure(*given)

    monkeypatch.setattr(evaluate, "measure", interrupted)
    stopped = run(*arguments)
    assert stopped.exit_code == 130
    assert "continue with the same command and --resume" in stopped.stderr
    (log,) = cache.iterdir()
    with log.open("a") as file:
        file.write('{"key": "torn')
    monkeypatch.setattr(evaluate, "measure", lambda *given: seen.append(given) or measure(*given))
    resumed = run(*arguments, "--resume", "--json")
    assert len(seen) == 9  # three methods on three pictures, none of them twice
    monkeypatch.setattr(evaluate, "measure", measure)
    assert resumed.stdout == run(*arguments, "--json").stdout


@pytest.mark.parametrize("change", ["--overlap=16", "--tta", "--degradation=awgn-10", "the picture", "its number"])
def test_stale_scores_are_never_mixed_in(arguments, set5, monkeypatch, change):
    run(*arguments)
    if change == "the picture":
        save_picture(set5 / "0.png", smooth_picture(9))
    if change == "its number":
        (set5 / "0.png").unlink()
    measure, seen = evaluate.measure, []
    monkeypatch.setattr(evaluate, "measure", lambda *given: seen.append(given) or measure(*given))
    result = run(*arguments, "--resume", *([change] if change.startswith("--") else []))
    assert result.exit_code == 0, result.stderr
    expected = {"--overlap=16": 3, "--tta": 3, "--degradation=awgn-10": 9, "the picture": 3, "its number": 6}
    assert len(seen) == expected[change]


def test_several_processes_make_the_same_table(set5, tmp_path, monkeypatch):
    arguments = ["eval", "--dataset", set5, "--task", "denoise", "--weights", "unit-test", "--json"]
    alone = run(*arguments)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    together = run_twice("-m", "hfpie_cli", *map(str, arguments))
    assert together.returncode == 0, together.stderr
    assert together.stdout == alone.stdout


def test_nothing_of_the_group_outlives_it(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import weakref\n"
        "from torch import distributed\n"
        "from hfpie_cli.distributed import joined_ranks\n"
        "with joined_ranks() as ranks:\n"
        "    import torch.distributed.nn.functional\n"  # as some part of torch does sooner or later
        "    assert ranks.gather(ranks.rank) == [0, 1]\n"
        "    group = weakref.ref(distributed.group.WORLD)\n"
        "assert group() is None\n"
    )
    result = run_twice(str(program))
    assert result.returncode == 0, result.stderr


def test_lpips_stands_beside_the_others(set5):
    benchmark = replace(open_benchmark(str(set5), set5.parent, "denoise")).first(1)
    scoring = Scoring(lpips=lambda x, y: float(np.abs(x - y).mean()))
    row = score(benchmark, [input_method()], scoring)[0].means()
    assert row["lpips"] == pytest.approx(25 * np.sqrt(2 / np.pi), rel=0.05)


def test_identical_pairs_are_told_and_do_not_make_means_infinite(tmp_path, identity):
    clean = smooth_picture(0)
    for side, shift in (("degraded", 2), ("clean", 0)):
        save_picture(tmp_path / side / "same.png", clean)
        save_picture(tmp_path / side / "off.png", (clean // 2 + shift).astype(np.uint8))
    folders = ["eval", "--degraded", tmp_path / "degraded", "--clean", tmp_path / "clean", "--task", "denoise"]
    arguments = [*folders, "--weights", identity]
    result = run(*arguments, "--json", "--csv", tmp_path / "a.csv")
    assert result.exit_code == 0, result.stderr
    first = json.loads(result.stdout.splitlines()[0])
    assert first["psnr"] == pytest.approx(20 * np.log10(255 / 2), abs=1e-9)
    assert (first["method"], first["identical"]) == ("input", 1)
    with (tmp_path / "a.csv").open(newline="") as file:
        means = next(row for row in csv.DictReader(file) if row["picture"] == "mean")
    assert float(means["psnr"]) == first["psnr"]
    assert means["identical"] == "1"
    shown = run(*arguments).stdout
    assert "input (1 identical)" in shown
    assert "inf" not in shown


def test_a_peak_below_full_scale_is_scored_at_that_peak(tmp_path, identity):
    rng = np.random.default_rng(0)
    clean = rng.integers(100, 900, (24, 24, 3), dtype=np.uint16)
    for side, shift in (("degraded", 4), ("clean", 0)):
        (tmp_path / side).mkdir()
        tifffile.imwrite(tmp_path / side / "a.tif", clean + np.uint16(shift), photometric="rgb")
    folders = ["eval", "--degraded", tmp_path / "degraded", "--clean", tmp_path / "clean", "--task", "denoise"]
    result = run(*folders, "--weights", identity, "--json", "--peak", "1023")
    assert result.exit_code == 0, result.stderr
    first = json.loads(result.stdout.splitlines()[0])
    assert first["psnr"] == pytest.approx(20 * np.log10(1023 / 4), abs=1e-6)
    assert "peak 1023" in first["protocol"]
    save_picture(tmp_path / "degraded/b.png", smooth_picture(0))
    save_picture(tmp_path / "clean/b.png", smooth_picture(0))
    refused = run(*folders, "--weights", identity, "--peak", "1023")
    assert refused.exit_code == 1
    assert "b.png: --peak is for 16-bit pictures" in refused.stderr


def test_missing_weights_are_told_before_anything_is_announced(tmp_path):
    (tmp_path / "scores.csv").write_text("kept")
    command = ["eval", "--dataset", "screenshot", "--task", "denoise", "--weights", str(tmp_path / "no.safetensors")]
    result = CliRunner().invoke(app, [*command, "--csv", str(tmp_path / "scores.csv")])
    assert result.exit_code == 4
    assert result.stderr.splitlines()[0] == f"hfpie: {tmp_path}/no.safetensors: no such file"
    assert "weights.toml" not in result.stderr
