"""Every shipped recipe is read, and trained for a step of each crop size."""

import pytest
import torch

from hfpie_cli.data.sources import Opener
from hfpie_cli.training.config import load_config
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.run import setup
from tests.test_train import CPU, changed, train

RECIPES = sorted(recipe_path("compact", "denoise").parent.glob("*.toml"))


def test_there_are_recipes_for_every_task():
    assert {load_config(path).task for path in RECIPES} == {"denoise", "deblur", "sr", "highpass"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains_its_network(path, photos, tmp_path):
    """The recipe's widths, losses, optimiser and degradations, with few blocks and small crops."""
    recipe = load_config(path)
    changes = ["steps=2", "batch=2", "crop=64", "validate_every=2", "precision=fp32", "compile=false"]
    if recipe.task != "highpass":
        changes += ["network.bodies=[1, 1, 1]", "network.tails=[1, 1, 0]"]
    if recipe.finish.share > 0:
        changes += ["finish.share=0.5", "finish.crop=96", "finish.batch=1"]
    config = load_config(path, changes)
    assert getattr(config.network, "widths", None) == getattr(recipe.network, "widths", None)
    data = Opener(config.task, config.scale, tmp_path / "cache", print).training_set(photos, None, None)
    start = setup(config, tmp_path / "start", CPU).network.state_dict()
    run = train(config, tmp_path / "run", data)
    assert run.step == 2
    assert torch.isfinite(torch.tensor(run.best))
    moved = {name for name, weight in run.network.state_dict().items() if not torch.equal(weight, start[name])}
    assert len(moved) > 0.8 * len(start)


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if path.stem.startswith("paper")], ids=lambda path: path.stem
)
def test_the_paper_s_recipes_add_nothing_to_adam(path):
    config = load_config(path)
    assert (config.optimizer, config.betas, config.clip, config.ema) == ("adam", (0.9, 0.999), 0, 0)
    assert config.finish.crop <= 720  # the rows of the paper's frames


def test_without_a_weight_average_the_weights_themselves_count(data, tmp_path):
    run = train(changed(steps=2, ema=0.0), tmp_path / "run", data)
    average = run.average.state_dict()
    assert all(torch.equal(weight, average[name]) for name, weight in run.network.state_dict().items())


def test_a_clip_of_zero_clips_nothing(data, tmp_path):
    free, loose, tight = (
        train(changed(steps=2, clip=clip, optimizer="adam"), tmp_path / str(clip), data) for clip in (0.0, 1e6, 1e-9)
    )
    first = next(iter(free.network.state_dict()))
    a, b, c = (run.network.state_dict()[first] for run in (free, loose, tight))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert free.optimizers[0].param_groups[0]["betas"] == changed().betas
