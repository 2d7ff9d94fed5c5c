import json
import re

import pytest

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.splits import Split
from tuning.baselines.baselines import (
    BASELINES,
    DESCRIPTION,
    KIND,
    baseline_title,
    is_deterministic,
    list_baselines,
    make_baseline_config,
)
from tuning.baselines.measure import make_predictor


def test_list_has_all_baselines_if_both_orbits_are_packed(pack: Pack) -> None:
    assert list_baselines(pack.modalities) == list_baselines(SAR_CHANNELS) == list(BASELINES)


@pytest.mark.parametrize(
    ("channels", "absent"),
    [
        (["s1asc"], {"_asc", "_dsc"}),  # equal to the mean over the orbits
        (["s1dsc", "s2"], {"_asc", "_dsc"}),
        (["s1asc:VV", "s1dsc:VV", "DEM"], {"vh", "dist_s1"}),
        (["s1asc:VV", "s1dsc:VH"], {"_asc", "_dsc", "dist_s1"}),  # no orbit has both
    ],
)
def test_list_omits_baselines_that_lack_data(channels: list[str], absent: set[str]) -> None:
    left = [key for key in BASELINES if not any(part in key for part in absent)]
    assert list_baselines(channels) == left


def test_unknown_names_are_refused(pack: Pack, split: Split) -> None:
    for refused in (baseline_title, is_deterministic):
        with pytest.raises(ValueError, match="Unknown baseline 'logratio_vv'"):
            refused("logratio_vv")
    with pytest.raises(ValueError, match=r"Unknown baseline 'forest'\..* Available: log_ratio_vv"):
        make_baseline_config("forest", "blocks", "x")
    with pytest.raises(ValueError, match="Unknown baseline 'unet'"):
        make_predictor({"model": "unet", "channels": []}, pack, split)
    with pytest.raises(ValueError, match="Unknown channel 's1up'"):
        list_baselines(["s1up"])
    with pytest.raises(ValueError, match="Unknown choice of steps 'late'"):
        make_baseline_config("cusum", "blocks", "x", steps="late", timesteps=4)


def test_every_baseline_has_a_description_and_a_title_fit_for_file_names() -> None:
    titles = [baseline_title(key) for key in BASELINES]
    assert len({title.lower() for title in titles}) == len(titles)
    assert all(re.fullmatch(r"[A-Za-z_0-9]+", title) for title in titles)
    assert titles[0] == "LogRatioVV"
    assert set(KIND.values()) == {
        "no learning",
        "pretrained",
        "per-pixel learning",
        "window learning",
        "leak probe",
    }
    assert len({*DESCRIPTION.values()}) == len(titles)
    assert all("\n" not in line for line in DESCRIPTION.values())


def test_a_pretrained_detector_is_measured_once_and_shown_as_such() -> None:
    assert KIND["dist_s1"] == "pretrained"
    assert "not trained here" in DESCRIPTION["dist_s1"]
    assert is_deterministic("dist_s1")
    assert is_deterministic("mahalanobis")
    assert not is_deterministic("logistic_regression")


def test_config_identifies_the_run() -> None:
    config = make_baseline_config(
        "gradient_boosting", "blocks", "abc", 42, ["s1asc:VV", "DEM"], steps="even", timesteps=4
    )
    assert json.loads(json.dumps(config)) == config
    expected = {"model": "gradient_boosting", "split": "blocks", "data": "abc", "seed": 42}
    expected |= {"steps": "even", "timesteps": 4, "search_trials": 1, "context_px": 3}
    assert config.items() >= expected.items()
    assert config["channels"] == ["s1asc:VV"]
    assert {"features", "params", "fixed"} < set(config)
    assert make_baseline_config("log_ratio_vv", "blocks", "abc")["range_db"] == 10


def test_config_has_the_tuned_values_and_how_far_they_look() -> None:
    params = {"window_px": 7}
    config = make_baseline_config("log_ratio_vv", "b", "x", params=params, search_trials=4)
    assert (config["params"], config["context_px"], config["search_trials"]) == (params, 7, 4)
    assert make_baseline_config("tile_means", "b", "x")["context_px"] == 128
    assert make_baseline_config("stacked_log_ratio", "b", "x")["context_px"] == 7


def test_terrain_is_read_where_the_campaign_has_it_or_the_method_needs_it() -> None:
    def channels(key: str, *chosen: str) -> list[str]:
        return list(make_baseline_config(key, "b", "x", 0, chosen)["channels"])

    assert channels("gradient_boosting_windows", "s1asc:VV") == ["s1asc:VV"]
    assert channels("gradient_boosting_windows", "s1asc:VV", "slope") == ["s1asc:VV", "slope"]
    assert channels("gradient_boosting", "s1asc:VV", "slope") == ["s1asc:VV"]
    assert channels("stacked_log_ratio", "s1asc:VV") == ["s1asc:VV", "slope"]
