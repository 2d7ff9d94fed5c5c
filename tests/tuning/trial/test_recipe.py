"""The published recipe has the published values, one of each, and says so."""

from typing import Any

import pytest

import models
from tests.support.networks import NAMES
from tuning.campaign.check_networks import choose_first_arch
from tuning.settings.presets import get_preset
from tuning.trial.recipe import (
    RECIPES,
    check_recipe,
    describe_recipe,
    fix_recipe,
    publish_arch,
)
from tuning.trial.search_space import compose, first_sample, make_space

SETTINGS = {"lr": 1e-3, "weight_decay": 0.01, "bce_weight": 0.5, "pos_weight": 5.0}


def make_published(model: str, narrow: str) -> dict[str, Any]:
    space = make_space(model, narrow, "published")
    assert all(isinstance(domain, list) and len(domain) == 1 for domain in space.values())
    return compose(first_sample(model, space), fix_recipe("published"))


@pytest.mark.parametrize("model", NAMES)
def test_published_recipe_is_one_sample_of_the_published_values(model: str) -> None:
    config = make_published(model, get_preset("paper").narrow)
    wanted = SETTINGS | {"batch_size": 16, "patience": 20, "schedule": "constant"}
    assert config == wanted | {"arch": models.published(model)}
    assert choose_first_arch(model, "paper", "published") == models.published(model)


@pytest.mark.parametrize("preset", ["smoke", "quick"])
@pytest.mark.parametrize("model", NAMES)
def test_short_presets_keep_their_narrow_widths(model: str, preset: str) -> None:
    arch = make_published(model, get_preset(preset).narrow)["arch"]
    lists, whole = models.narrow(model), models.published(model)
    for name, value in arch.items():
        sizes = [one for one in lists.get(name, []) if isinstance(one, int)]
        if sizes or (preset == "quick" and name in lists):
            assert value in lists[name]
        else:
            assert value == whole[name]
    models.create_model(model, 4, 4, **arch)


def test_published_values_move_into_narrow_lists() -> None:
    assert publish_arch("utae", {"width": [8], "heads": [2, 4]})["width"] == [8]
    assert publish_arch("utae", {"width": [8], "heads": [2, 4]})["heads"] == [4]
    assert publish_arch("utae", {})["heads"] == [16]


def test_searched_recipe_adds_nothing_to_a_config() -> None:
    assert fix_recipe("searched") == {}
    assert make_space("unet", "all", "searched") == make_space("unet", "all")


def test_recipe_is_described_where_nothing_was_searched() -> None:
    assert describe_recipe("searched", narrowed=True) == ""
    whole, narrow = (describe_recipe("published", narrowed=small) for small in (False, True))
    assert "published arguments, as published, and the training settings" in whole
    assert "narrowed by the preset, so not at its published size" in narrow


def test_unknown_recipe_is_refused() -> None:
    for name in RECIPES:
        check_recipe(name)
    message = r"Unknown recipe 'publishd'\. Did you mean 'published'\?"
    with pytest.raises(ValueError, match=message):
        check_recipe("publishd")
    with pytest.raises(ValueError, match=message):
        make_space("unet", "none", "publishd")
