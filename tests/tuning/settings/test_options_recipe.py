"""The option ``--recipe``, from the command line to the saved settings."""

import json
from pathlib import Path

import pytest

from tests.support.settings import make_settings
from tuning.settings.arguments import parse_arguments
from tuning.settings.options import settings_from_options
from tuning.settings.saved_campaigns import SETTINGS, campaign_folder, load_settings
from tuning.settings.settings import Settings, check_settings


def read(root: Path, words: str) -> Settings:
    arguments = ["--campaign", "one", "--model", "utae", *words.split()]
    return settings_from_options(vars(parse_arguments(arguments)), root)


def test_published_recipe_has_one_trial_and_its_own_augmentation(tmp_path: Path) -> None:
    settings = read(tmp_path, "--preset paper --recipe published --split blocks:5")
    assert (settings.recipe, settings.trials, settings.search) == ("published", 1, "once")
    assert settings.baseline_trials == 40  # as many as without the recipe
    assert {name for name, value in settings.augment.items() if value} == {"turn"}
    assert load_settings(tmp_path, "one") == settings


def test_hyperparameters_are_searched_by_default(tmp_path: Path) -> None:
    settings = read(tmp_path, "--preset quick")
    assert (settings.recipe, settings.trials, settings.baseline_trials) == ("searched", 4, None)
    assert settings == read(tmp_path / "other", "--preset quick --recipe searched")
    file = campaign_folder(tmp_path, "one") / SETTINGS
    content = json.loads(file.read_text())
    del content["recipe"]  # a campaign of an earlier release
    file.write_text(json.dumps(content))
    assert load_settings(tmp_path, "one") == settings


@pytest.mark.parametrize("word", ["--trials 3", "--search once", "--augment turn", "--loss lovasz"])
def test_options_that_contradict_the_published_recipe_are_refused(
    word: str, tmp_path: Path
) -> None:
    name = word.split()[0]
    message = (
        f"--recipe published trains with the published settings, .* also got {name}. Omit them"
    )
    with pytest.raises(ValueError, match=message):
        read(tmp_path, f"--recipe published {word}")


def test_baselines_keep_their_own_number_of_samples(tmp_path: Path) -> None:
    settings = read(tmp_path, "--preset quick --recipe published --baseline-trials 2 --seeds 1")
    assert (settings.trials, settings.baseline_trials, settings.seeds) == (1, 2, 1)


def test_unknown_recipe_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown recipe 'publishd'\. Did you mean 'published'\?"):
        read(tmp_path, "--recipe publishd")
    with pytest.raises(ValueError, match=r"Available: searched, published"):
        check_settings(make_settings(recipe="own"))
    with pytest.raises(ValueError, match=r"one trial of each network, but got trials=2\. Leave"):
        check_settings(make_settings(recipe="published", trials=2))
