"""The option ``--search`` and the search's seed, from the command line to a campaign that is resumed."""

import json
from pathlib import Path

import pytest

from tests.support.settings import make_settings
from tuning.settings.arguments import parse_arguments
from tuning.settings.options import settings_from_options
from tuning.settings.presets import SEARCH_SEED, SEEDS
from tuning.settings.saved_campaigns import (
    SETTINGS,
    campaign_folder,
    find_unfinished,
    load_settings,
    save_settings,
)
from tuning.settings.settings import Settings, check_settings


def read(root: Path, words: str) -> Settings:
    arguments = ["--campaign", "one", "--model", "unet", *words.split()]
    return settings_from_options(vars(parse_arguments(arguments)), root)


@pytest.mark.parametrize(
    ("words", "search"),
    [
        ("--preset paper --split blocks:5", "per-fold"),
        ("--preset paper --split events --region all", "per-fold"),
        ("--preset paper --split blocks:5 --search once", "once"),
        ("--preset paper --split blocks:5/1", "once"),
        ("--preset paper", "once"),
        ("--preset quick --split blocks:5", "once"),
        ("--preset quick --split blocks:5 --search per-fold", "per-fold"),
    ],
)
def test_paper_searches_every_fold_unless_the_user_says_otherwise(
    words: str, search: str, tmp_path: Path
) -> None:
    assert read(tmp_path, words).search == search


def test_a_search_per_fold_of_one_split_is_refused() -> None:
    message = r"--search per-fold needs a split with several folds, but got the split 'blocks'\. Add --split blocks:5"
    with pytest.raises(ValueError, match=message):
        check_settings(make_settings(search="per-fold"))


def test_the_search_s_seed_is_never_a_repeat_s(tmp_path: Path) -> None:
    assert SEARCH_SEED not in SEEDS
    assert SEEDS[:3] == (42, 123, 777)  # the data set's
    assert read(tmp_path, "--preset smoke").search_seed == SEARCH_SEED


def test_a_campaign_of_an_earlier_release_resumes_with_its_own_seed_and_one_search(
    tmp_path: Path,
) -> None:
    save_settings(tmp_path, settings := make_settings(search_seed=SEARCH_SEED))
    folder = campaign_folder(tmp_path, settings.campaign)
    content = json.loads((folder / SETTINGS).read_text())
    del content["search_seed"], content["search"]
    (folder / SETTINGS).write_text(json.dumps(content))
    old = load_settings(tmp_path, settings.campaign)
    assert (old.search_seed, old.search) == (42, "once")
    (folder / "trials" / "0").mkdir(parents=True)
    (folder / "trials" / "0" / "trial.json").write_text("{}")
    assert find_unfinished(tmp_path, settings) == settings.campaign  # the same command finds it
