"""Recipes: read, written, overridden; unknown keys are named."""

import re
from dataclasses import replace

import pytest

from hfpie_cli.errors import UsageError
from hfpie_cli.training.config import Finish, load_config, write_config
from hfpie_cli.training.layout import recipe_path
from hfpie_cli.training.losses import GmsMask, LossConfig
from tests.test_train import CONFIG, changed


def test_the_rate_warms_up_stays_and_falls():
    config = changed(warmup_share=0.01, decay_share=0.2, rate=1.0)
    rates = {0: 0, 0.001: 0.1, 0.01: 1, 0.5: 1, 0.8: 1, 0.9: 0.5, 0.999: 0.005, 1: 0}
    assert {progress: round(config.rate_at(progress, 0), 3) for progress in rates} == rates


def test_the_paper_s_rate_falls_by_a_hundredth_every_1000_steps():
    config = load_config(recipe_path("paper", "sr"))
    assert config.rate_at(0, 0) == config.rate_at(999 / 56_000, 999) == 1e-4
    assert config.rate_at(1, 55_999) == pytest.approx(1e-4 * 0.99**55)
    assert config.crops_at(39_999 / 56_000) == (192, 16)
    assert config.crops_at(40_001 / 56_000) == (720, 1)


def test_a_configuration_survives_its_file(tmp_path):
    config = changed(
        betas=(0.8, 0.9), losses=LossConfig(gms=True, gms_mask=GmsMask(rounds=3)), finish=Finish(0.1, 64, 2)
    )
    write_config(config, tmp_path / "config.toml")
    assert load_config(tmp_path / "config.toml") == config


def test_settings_override_a_recipe(tmp_path):
    write_config(CONFIG, tmp_path / "config.toml")
    changes = ["steps=99", "network.edges=false", "losses.gms_mask.sigma=2", "optimizer=adam", 'validation=["sensor"]']
    config = load_config(tmp_path / "config.toml", changes)
    assert (config.steps, config.optimizer, config.validation) == (99, "adam", ("sensor",))
    assert not config.network.edges
    assert config.losses.gms_mask.sigma == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("crpo=3", "unknown key 'crpo'"),
        ("losses.gsm=true", "unknown key 'gsm'"),
        ("steps=many", "steps must be of type int"),
        ("rate=fast", "rate must be a number"),
        ("crop=100", "multiple of 8"),
        ("batch=0", "batch must be 1 to"),
        ("precision=fp8", "precision must be one of auto, fp32, bf16"),
        ("degradation.rain=1", "no degradation 'rain'"),
        ("degradation.awgn-25=-1", "must be a positive number"),
        ("degradation.awgn=much", "must be a positive number"),
        ("degradation.bicubic-x4=1", "is for networks of scale 4"),
        ("validation=[]", "must each name at least one"),
        ("validate_every=0", "validate_every must be 1 to"),
        ("seed=-1", "seed must be 0 to"),
        ("rate=-1", "rate must be"),
        ("ema=1", "ema must be"),
        ("dark=1.5", "dark must be 0 to 1"),
        ("drawn=-0.1", "drawn must be 0 to 1"),
        ("shrunk=1.5", "shrunk must be 0 to 1"),
        ("sharpened=1.5", "sharpened must be 0 to 1"),
        ("clip=-1", "clip must be 0 to"),
        ("betas=[0.9]", "betas must be two numbers"),
        ("betas=[0.9, 1]", "betas must be two numbers"),
        ("betas=0.9", "betas must be two numbers"),
        ("losses.pixel=0", "at least one must be positive"),
        ("losses.gms_mask.opening=2", "an odd opening"),
        ("losses.gms_mask.sigma=0", "sigma > 0"),
        ("network=5", "network must be a section"),
        ("losses=5", "losses must be a section"),
        ("losses.gms_mask=5", "losses.gms_mask must be a section"),
        ("finish=5", "finish must be a section"),
        ("steps.x=5", "set steps=VALUE"),
        ("losses.gms=5", "losses.gms must be of type bool"),
        ("task=foo", "task must be denoise, deblur, sr or highpass, not 'foo'"),
        ("task=5", "task must be of type str"),
        ('degradation=["awgn"]', "degradation must give shares, such as degradation.awgn-25 = 1"),
        ("degradation=awgn-25", "degradation must give shares"),
        ("validation=awgn-25", 'validation must be a list of names, such as ["awgn-25"]'),
        ("validation=[5]", "validation must be a list of names"),
        ("validation=5", "validation must be a list of names"),
        ("network.widths=[0, 8, 8]", "widths must be"),
        ("finish.share=0.5", "finish.batch must be positive"),
        ("finish.share=-0.5", "finish.share must be 0 to 1"),
        ("degradation.awgn-25=nan", "must be a positive number"),
        ("losses.pixel=nan", "pixel must be a number"),
        ("rate=inf", "rate must be a number"),
        ("steps", "write KEY=VALUE"),
    ],
)
def test_mistakes_are_named(change, told, tmp_path):
    write_config(CONFIG, tmp_path / "config.toml")
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path / "config.toml", [change])
    assert told in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("key", ["task", "network", "degradation", "validation", "crop", "batch"])
def test_a_missing_key_is_named(key, tmp_path):
    write_config(CONFIG, tmp_path / "config.toml")
    recipe = tmp_path / "config.toml"
    recipe.write_text(re.sub(rf"(?ms)^{key} = .*?\n|^\[{key}\].*?(?=^\[)", "", recipe.read_text()))
    with pytest.raises(UsageError, match=f"the key '{key}' is missing"):
        load_config(recipe)


def test_a_recipe_is_found_by_its_name_and_purpose(tmp_path):
    assert recipe_path("compact", "sr-gan").stem == "compact-sr-gan"
    assert recipe_path("compact-sr", "sr").stem == "compact-sr"
    assert recipe_path("paper", "highpass").stem == "highpass"
    assert recipe_path("mine.toml", "sr").name == "mine.toml"
    with pytest.raises(UsageError, match="no recipe 'nonsense'"):
        recipe_path("nonsense", "deblur-gan")
    with pytest.raises(UsageError, match="no such recipe"):
        load_config(tmp_path / "mine.toml")


def test_a_recipe_extends_another_and_replaces_whole_sections(tmp_path):
    base = load_config(recipe_path("compact-deblur", ""))
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "compact-deblur"\nrate = 0.001\n[degradation]\ndefocus-2 = 1.0\n')
    config = load_config(mine, ["batch=3"])
    assert config == replace(base, rate=0.001, batch=3, degradation={"defocus-2": 1.0})


def test_a_recipe_beside_the_file_is_extended_before_one_of_the_package(tmp_path):
    text = recipe_path("compact-deblur", "").read_text()
    (tmp_path / "compact-deblur.toml").write_text(text.replace("rate = 4e-3", "rate = 3e-3"))
    (tmp_path / "mine.toml").write_text('extends = "compact-deblur"\n')
    assert load_config(tmp_path / "mine.toml").rate == 3e-3


def test_a_recipe_can_be_extended_by_its_namesake_and_to_another_length(tmp_path):
    mine = tmp_path / "compact-deblur.toml"
    mine.write_text('extends = "compact-deblur"\nminutes = 3.0\n')
    assert load_config(mine) == replace(load_config(recipe_path("compact-deblur", "")), steps=0, minutes=3.0)


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("5", "extends must be the name of a recipe, not 5"),
        ('"compact-debl"', "no recipe 'compact-debl'"),
        ('"compact-deblur-motion"', "compact-deblur-motion extends another recipe itself"),
    ],
)
def test_what_cannot_be_extended_is_named(base, says, tmp_path):
    (tmp_path / "mine.toml").write_text(f"extends = {base}\n")
    with pytest.raises(UsageError, match=says):
        load_config(tmp_path / "mine.toml")
