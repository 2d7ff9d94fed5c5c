import pytest

from data.splits import survey_catalogue
from models import create_model, list_models, search_space
from tuning.settings.presets import PRESETS, SEEDS, get_preset, pick_tiles
from tuning.trial.search_space import (
    ARCH,
    TRAINING,
    LogUniform,
    compose,
    first_sample,
    make_key,
    make_space,
)


@pytest.mark.parametrize("model", list_models())
def test_space_joins_training_and_architecture(model: str) -> None:
    space = make_space(model)
    assert set(space) == set(TRAINING) | {ARCH + name for name in search_space(model)}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("model", list_models())
def test_first_sample_lies_in_the_preset_s_space(model: str, preset: str) -> None:
    space = make_space(model, get_preset(preset).narrow)
    for name, value in first_sample(model, space).items():
        domain = space[name]
        if isinstance(domain, LogUniform):
            assert domain.low <= value <= domain.high
        else:
            assert value in domain


@pytest.mark.parametrize("model", list_models())
def test_first_sample_builds_a_model(model: str) -> None:
    config = compose(first_sample(model, make_space(model)), {"model": model})
    create_model(config["model"], 4, 4, **config["arch"])


def test_short_presets_narrow_a_space_by_the_model_s_own_lists() -> None:
    whole = make_space("unet_convlstm")
    sizes = whole | {"arch.width": [8], "arch.depth": [3]}
    assert make_space("unet_convlstm", "sizes") == sizes
    fixed = {"arch.conv": ["plain"], "arch.norm": ["batch"]}
    assert make_space("unet_convlstm", "all") == sizes | fixed
    assert list(make_space("unet_convlstm", "all")) == list(whole)  # the order of sampling
    assert make_space("utae", "sizes")["arch.heads"] == [4]
    names = [preset.narrow for preset in map(get_preset, ("smoke", "quick", "paper"))]
    assert names == ["sizes", "all", "none"]


def test_unknown_narrowing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown narrowing 'size'\. Did you mean 'sizes'\?"):
        make_space("unet", "size")


@pytest.mark.parametrize("preset", ["smoke", "quick"])
@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("unet", "2b3f51e50f1c50f8"),
        ("attention_unet", "c6316f843c603426"),
        ("unet_convlstm", "0a919460b6cbe6c4"),
    ],
)
def test_first_trials_of_the_short_presets_keep_their_keys(
    preset: str, model: str, key: str
) -> None:
    # As earlier versions have logged them: a campaign that is resumed finds its trials by their keys.
    space = make_space(model, get_preset(preset).narrow)
    assert make_key("search", compose(first_sample(model, space), {"model": model})) == key


def test_config_holds_the_sample_and_the_fixed_values() -> None:
    config = compose({"lr": 0.1, "arch.width": 8}, {"model": "unet", "seed": 1})
    assert config == {"model": "unet", "seed": 1, "lr": 0.1, "arch": {"width": 8}}


def test_key_depends_on_content_and_stage_alone() -> None:
    first, same = {"lr": 0.1, "arch": {"a": 1, "b": 2}}, {"arch": {"b": 2, "a": 1}, "lr": 0.1}
    assert make_key("search", first) == make_key("search", same)
    assert make_key("search", first) != make_key("repeat", first)
    assert make_key("search", first) != make_key("search", first | {"seed": 7})


def test_presets_use_seeds_that_exist_and_differ() -> None:
    assert len(set(SEEDS)) == len(SEEDS)
    assert SEEDS[:3] == (42, 123, 777)
    assert all(preset.seeds <= len(SEEDS) for preset in PRESETS.values())
    assert PRESETS["paper"].seeds >= 5


def test_preset_refuses_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"Unknown preset 'quik'\. Did you mean 'quick'\?"):
        get_preset("quik")


def test_few_tiles_hold_every_part_and_both_kinds() -> None:
    tiles = pick_tiles("seed42", 4, survey_catalogue())
    assert tiles is not None
    assert len(tiles) == 12
    assert pick_tiles("seed42", None, survey_catalogue()) is None
