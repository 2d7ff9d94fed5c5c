import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.pack.log_ratio import log_ratio
from data.splits import Split
from data.tiles import TILE_PX
from tests.support.baseline_scores import LEARNED_BASELINES, predict_tiles, score_on_val
from tests.support.tile_files import EVENT
from tuning.baselines.baselines import (
    BASELINES,
    DESCRIPTION,
    KIND,
    baseline_title,
    is_deterministic,
    list_baselines,
    make_baseline_config,
    make_predictor,
    run_baseline,
    scale_change,
)


def take_orbit(pack: Pack, orbit: str) -> Pack:
    at = pack.modalities.index(orbit)
    return replace(pack, bands={orbit: pack.bands[orbit]}, times=pack.times[:, [at]])


def test_list_has_all_baselines_if_both_orbits_are_packed(pack: Pack) -> None:
    assert list_baselines(pack.modalities) == list_baselines(SAR_CHANNELS) == list(BASELINES)


@pytest.mark.parametrize(
    ("channels", "absent"),
    [
        (["s1asc"], {"_asc", "_dsc"}),  # equal to the mean over the orbits
        (["s1dsc", "s2"], {"_asc", "_dsc"}),
        (["s1asc:VV", "s1dsc:VV", "DEM"], {"vh"}),
        (["s1asc:VV", "s1dsc:VH"], {"_asc", "_dsc"}),
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


def test_every_baseline_has_a_description_and_a_title_fit_for_file_names() -> None:
    titles = [baseline_title(key) for key in BASELINES]
    assert len({title.lower() for title in titles}) == len(titles)
    assert all(re.fullmatch(r"[A-Za-z_]+", title) for title in titles)
    assert titles[0] == "LogRatioVV"
    assert set(KIND.values()) == {"no learning", "per-pixel learning"}
    assert len({*DESCRIPTION.values()}) == len(titles)
    assert all("\n" not in line for line in DESCRIPTION.values())


def test_config_identifies_the_run() -> None:
    config = make_baseline_config("gradient_boosting", "blocks", "abc", 42, ["s1asc:VV", "DEM"])
    assert json.loads(json.dumps(config)) == config
    expected = {"model": "gradient_boosting", "split": "blocks", "data": "abc", "seed": 42}
    assert config.items() >= expected.items()
    assert config["channels"] == ["s1asc:VV"]
    assert {"features", "sample_px", "params"} < set(config)
    assert make_baseline_config("log_ratio_vv", "blocks", "abc")["range_db"] == 10


def test_change_is_scaled_to_0_to_1() -> None:
    assert scale_change(np.array([-20.0, -10.0, 0.0, 10.0, 20.0])).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("polarisation", ["VV", "VH"])
def test_log_ratio_is_the_mean_change_over_the_orbits(
    pack: Pack, split: Split, polarisation: str
) -> None:
    found = predict_tiles(f"log_ratio_{polarisation.lower()}", pack, split, split.test)
    assert found.dtype == np.float32
    assert np.array_equal(found, scale_change(log_ratio(pack, split.test, polarisation)))


# Two dates before and two after. Of the means: VV rises by 2 and 4 dB, VH falls by 1 and rises by 3. From the last
# before to the first after: VV rises by 1 and 2, VH falls by 3 and rises by 2.
SERIES = {
    "s1asc": ([-10, -8, -7, -7], [-15, -13, -16, -14]),
    "s1dsc": ([-9, -9, -7, -3], [-16, -16, -14, -12]),
}
CHANGE_DB = {
    "log_ratio_vv": 3,
    "log_ratio_vh": 1,
    "log_ratio_vv_asc": 2,
    "log_ratio_vv_dsc": 4,
    "log_ratio_vh_asc": -1,
    "log_ratio_vh_dsc": 3,
    "bi_log_ratio_vv": 1.5,
    "bi_log_ratio_vh": -0.5,
}


@pytest.mark.parametrize("key", [key for key in BASELINES if is_deterministic(key)])
def test_change_reads_the_orbits_and_dates_of_its_name(pack: Pack, split: Split, key: str) -> None:
    bands = {
        orbit: np.broadcast_to(
            np.array(series, np.float16).T[None, :, :, None, None], (1, 4, 2, TILE_PX, TILE_PX)
        )
        for orbit, series in SERIES.items()
    }
    times = EVENT + np.broadcast_to(np.array([-18, -6, 6, 18], "m8[D]"), (1, 2, 4))
    hand = replace(pack, tile_ids=("a",), bands=bands, times=times)
    found = predict_tiles(key, hand, split, ["a"])
    assert found.shape == (1, TILE_PX, TILE_PX)
    assert np.allclose(found, 0.5 + CHANGE_DB[key] / 20)


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_labels_of_val_and_test_never_reach_a_fit(pack: Pack, split: Split, key: str) -> None:
    def flip(tiles: Sequence[str]) -> Pack:
        mask = pack.mask.copy()
        mask[pack.rows(tiles)] ^= 1
        return replace(pack, mask=mask)

    tiles = (split.val[0], split.test[0])
    known = predict_tiles(key, pack, split, tiles, sample_px=4000)
    held_out = flip([*split.val, *split.test])
    assert np.array_equal(predict_tiles(key, held_out, split, tiles, sample_px=4000), known)
    assert not np.array_equal(
        predict_tiles(key, flip(split.train), split, tiles, sample_px=4000), known
    )


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_values_of_val_and_test_never_reach_a_fit(pack: Pack, split: Split, key: str) -> None:
    kept = split.val[0]
    bands = {orbit: values.copy() for orbit, values in pack.bands.items()}
    for values in bands.values():
        values[pack.rows([*split.val[1:], *split.test])] = 7
    known = predict_tiles(key, pack, split, [kept], sample_px=4000)
    assert np.array_equal(
        predict_tiles(key, replace(pack, bands=bands), split, [kept], sample_px=4000), known
    )


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_same_seed_gives_the_same_probabilities(pack: Pack, split: Split, key: str) -> None:
    tiles = split.val[:1]
    first, again, other = (
        predict_tiles(key, pack, split, tiles, seed, sample_px=4000) for seed in (42, 42, 123)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_probabilities_keep_the_share_of_landslides(pack: Pack, split: Split, key: str) -> None:
    share = pack.mask[pack.rows(split.train)].mean()
    assert predict_tiles(key, pack, split, split.train).mean() == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("key", BASELINES)
def test_predictions_are_in_the_order_of_the_tiles(pack: Pack, split: Split, key: str) -> None:
    config = make_baseline_config(key, split.name, pack.hash) | {"sample_px": 4000}
    predict = make_predictor(config, pack, split)(pack)
    probs = predict(split.test)
    assert probs.dtype == np.float32
    assert probs.shape == (len(split.test), TILE_PX, TILE_PX)
    assert 0 <= probs.min() < probs.max() <= 1
    assert np.array_equal(predict(split.test[::-1]), probs[::-1])
    assert np.array_equal(predict(split.test[1:2])[0], probs[1])


@pytest.mark.parametrize("key", BASELINES)
def test_pixels_without_data_get_a_prediction_and_affect_no_other_pixel(
    pack: Pack, split: Split, key: str
) -> None:
    bands = {orbit: values.copy() for orbit, values in pack.bands.items()}
    tile, row = split.test[0], pack.rows(split.test[:1])[0]
    for values in bands.values():
        values[row, :, :, :8] = np.nan  # never any data
        values[row, 3:6, :, 40:50] = np.nan  # no data on some dates
        values[pack.rows(split.train[:1])[0], :, :, :20] = np.nan
    gaps = replace(pack, bands=bands)
    found = predict_tiles(key, gaps, split, [tile], sample_px=4000)[0]
    assert np.isfinite(found).all()
    if is_deterministic(key):
        assert (found[:8] == 0.5).all()  # unknown change
        assert np.array_equal(found[60:], predict_tiles(key, pack, split, [tile])[0, 60:])


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_channel_without_any_data_is_named_in_the_log(
    pack: Pack, split: Split, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    asc = pack.bands["s1asc"].copy()
    asc[:, :, 1] = np.nan
    empty = replace(pack, bands={**pack.bands, "s1asc": asc})
    found = predict_tiles(key, empty, split, split.test[:1], sample_px=4000)
    assert np.isfinite(found).all()
    assert found.std() > 0
    assert "No train pixel has data for: s1asc:VH before, s1asc:VH after," in caplog.text
    assert "VV" not in caplog.text


@pytest.mark.parametrize("orbit", ["s1asc", "s1dsc"])
def test_single_orbit_is_enough(pack: Pack, split: Split, orbit: str) -> None:
    single, tiles = take_orbit(pack, orbit), split.test[:1]
    keys = list_baselines(single.modalities)
    assert {"log_ratio_vv", "bi_log_ratio_vh", *LEARNED_BASELINES} < set(keys)
    for key in keys:
        assert predict_tiles(key, single, split, tiles, sample_px=4000).std() > 0
    alone = predict_tiles(f"log_ratio_vv_{orbit[2:]}", pack, split, tiles)
    assert np.array_equal(predict_tiles("log_ratio_vv", single, split, tiles), alone)


def test_baseline_without_its_orbit_is_refused(pack: Pack, split: Split) -> None:
    expected = (
        "needs packed channels, but got log_ratio_vv_asc with s1asc:VV for a pack of s1dsc. "
        "Choose one of log_ratio_vv, log_ratio_vh, bi_"
    )
    with pytest.raises(ValueError, match=re.escape(expected)):
        predict_tiles("log_ratio_vv_asc", take_orbit(pack, "s1dsc"), split, split.test)


def test_fit_on_a_single_class_is_refused(pack: Pack, split: Split) -> None:
    bare = replace(pack, mask=np.zeros_like(pack.mask))
    with pytest.raises(
        ValueError,
        match=r"needs landslide and background pixels .* got 0 landslide pixels .* 'blocks'",
    ):
        predict_tiles("logistic_regression", bare, split, split.test, sample_px=4000)


def test_run_writes_the_files_that_the_report_reads(
    pack: Pack, split: Split, tmp_path: Path
) -> None:
    config = make_baseline_config("log_ratio_vv", split.name, pack.hash)
    trial = run_baseline(config, pack, split, tmp_path)
    assert trial.read("config") == config
    end = trial.read("end")
    assert (end["reason"], end["epoch"]) == ("last epoch", 0)
    scores, counts = trial.read("test"), trial.counts("test")
    assert counts is not None
    assert counts.sum() == len(split.test) * TILE_PX**2
    assert scores["pr_auc"] > 1.3 * scores["pos_ratio"]  # better than chance


def test_learning_beats_chance(pack: Pack, split: Split) -> None:
    chance = pack.mask[pack.rows(split.val)].mean()
    for key in LEARNED_BASELINES:
        assert score_on_val(key, pack, split) > 1.5 * chance


def test_finished_baseline_is_not_measured_again(pack: Pack, split: Split, tmp_path: Path) -> None:
    config = make_baseline_config("log_ratio_vv", "blocks", pack.hash)
    run_baseline(config, pack, split, tmp_path)
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    run_baseline(config, pack, split, tmp_path)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    (tmp_path / "end.json").unlink()  # as after a kill
    run_baseline(config, pack, split, tmp_path)
    assert (tmp_path / "test.json").stat().st_mtime_ns > before["test.json"]
