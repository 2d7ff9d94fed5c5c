import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.splits import Split
from data.tiles import TILE_PX
from tests.support.baseline_scores import (
    LEARNED_BASELINES,
    PIXEL_LEARNERS,
    make_config,
    predict_tiles,
    score_on_val,
)
from tuning.baselines.baselines import (
    BASELINES,
    is_deterministic,
    list_baselines,
    make_baseline_config,
)
from tuning.baselines.measure import Bench, make_predictor, make_run, run_baseline
from tuning.trial.folder import TrialFolder


def take_orbit(pack: Pack, orbit: str) -> Pack:
    at = pack.modalities.index(orbit)
    return replace(pack, bands={orbit: pack.bands[orbit]}, times=pack.times[:, [at]])


@pytest.mark.parametrize(
    ("key", "steps"), [*((key, "even") for key in BASELINES), ("log_ratio_vv", "event")]
)
def test_acquisitions_that_are_not_selected_change_no_map(
    pack: Pack, split: Split, key: str, steps: str
) -> None:
    selected = pack.select_steps(steps, 4)
    bands, read = {}, {}
    for place, orbit in enumerate(pack.modalities):
        chosen = np.zeros(pack.times.shape[::2], bool)  # (tiles, acquisitions)
        np.put_along_axis(chosen, selected[:, place], True, axis=1)
        bands[orbit], read[orbit] = pack.bands[orbit].copy(), pack.bands[orbit].copy()
        bands[orbit][~chosen] = 3
        read[orbit][chosen] = 3
    options = {"steps": steps, "timesteps": 4}
    known = predict_tiles(key, pack, split, split.test[:2], **options)
    same = predict_tiles(key, replace(pack, bands=bands), split, split.test[:2], **options)
    assert np.array_equal(same, known)
    other = predict_tiles(key, replace(pack, bands=read), split, split.test[:2], **options)
    assert not np.array_equal(other, known)


@pytest.mark.parametrize("key", BASELINES)
def test_channels_that_are_not_chosen_change_no_map(pack: Pack, split: Split, key: str) -> None:
    chosen = (
        ["s1asc:VV", "s1dsc:VV"]
        if BASELINES[key].channels[0].endswith("VV")
        else ["s1asc:VH", "s1dsc:VH"]
    )
    if BASELINES[key].dual:
        chosen = ["s1asc:VV", "s1asc:VH"]
    bands = {orbit: values.copy() for orbit, values in pack.bands.items()}
    for orbit, values in bands.items():
        for place, name in enumerate(("VV", "VH")):
            if f"{orbit}:{name}" not in chosen:
                values[:, :, place] = 3
    changed = replace(pack, bands=bands, dem=np.zeros_like(pack.dem))
    if "slope" not in BASELINES[key].always:
        changed = replace(changed, slope=np.zeros_like(pack.slope))
    known, same = (
        predict_tiles(key, one, split, split.test[:2], channels=chosen) for one in (pack, changed)
    )
    assert np.array_equal(same, known)


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_labels_of_val_and_test_never_reach_a_fit(pack: Pack, split: Split, key: str) -> None:
    def flip(tiles: Sequence[str]) -> Pack:
        mask = pack.mask.copy()
        mask[pack.rows(tiles)] ^= 1
        return replace(pack, mask=mask)

    tiles = (split.val[0], split.test[0])
    known = predict_tiles(key, pack, split, tiles)
    held_out = flip([*split.val, *split.test])
    assert np.array_equal(predict_tiles(key, held_out, split, tiles), known)
    assert not np.array_equal(predict_tiles(key, flip(split.train), split, tiles), known)


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_values_of_val_and_test_never_reach_a_fit(pack: Pack, split: Split, key: str) -> None:
    kept = split.val[0]
    bands = {orbit: values.copy() for orbit, values in pack.bands.items()}
    for values in bands.values():
        values[pack.rows([*split.val[1:], *split.test])] = 7
    known = predict_tiles(key, pack, split, [kept])
    assert np.array_equal(predict_tiles(key, replace(pack, bands=bands), split, [kept]), known)


@pytest.mark.parametrize("key", LEARNED_BASELINES)
def test_same_seed_gives_the_same_probabilities(pack: Pack, split: Split, key: str) -> None:
    tiles = split.val[:1]
    first, again, other = (predict_tiles(key, pack, split, tiles, seed) for seed in (42, 42, 123))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("key", PIXEL_LEARNERS)
def test_probabilities_keep_the_share_of_landslides(pack: Pack, split: Split, key: str) -> None:
    share = pack.mask[pack.rows(split.train)].mean()
    assert predict_tiles(key, pack, split, split.train).mean() == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize("key", BASELINES)
def test_predictions_are_in_the_order_of_the_tiles(pack: Pack, split: Split, key: str) -> None:
    predict = make_predictor(make_config(key, pack, split), pack, split)(pack)
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
    # DIST-S1 at its narrowest, since its context with despeckling and large pixels is the whole tile.
    narrow = {**BASELINES[key].first, "despeckle": False, "pixel_m": 10}
    options = {"params": narrow} if key == "dist_s1" else {}
    found = predict_tiles(key, gaps, split, [tile], **options)[0]
    assert np.isfinite(found).all()
    if is_deterministic(key):
        assert (found[:4] == (0 if key == "stacked_log_ratio" else 0.5)).all()  # unknown change
        first = (
            50 + make_config(key, pack, split, **options)["context_px"]
        )  # rows 40 to 49 lack data
        assert first < TILE_PX - 20
        whole = predict_tiles(key, pack, split, [tile], **options)[0]
        atol = 1e-3 if key == "dist_s1" else 1e-6  # half precision
        np.testing.assert_allclose(found[first:], whole[first:], atol=atol)


@pytest.mark.parametrize("key", PIXEL_LEARNERS)
def test_channel_without_any_data_is_named_in_the_log(
    pack: Pack, split: Split, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    asc = pack.bands["s1asc"].copy()
    asc[:, :, 1] = np.nan
    empty = replace(pack, bands={**pack.bands, "s1asc": asc})
    found = predict_tiles(key, empty, split, split.test[:1])
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
        found = predict_tiles(key, single, split, tiles)
        assert (found.std() > 1e-6) == (key != "tile_means")  # one value per tile
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
    for key in LEARNED_BASELINES:
        with pytest.raises(
            ValueError,
            match=r"needs landslide and background pixels .* got 0 landslide pixels .* 'blocks'",
        ):
            predict_tiles(key, bare, split, split.test)


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
    for key in PIXEL_LEARNERS:
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


@pytest.mark.parametrize("key", ["log_ratio_vv", "logistic_regression"])
def test_a_search_reads_no_test_tile_and_no_tile_of_another_fold(
    pack: Pack, split: Split, key: str, tmp_path: Path
) -> None:
    outside = sorted({*pack.tile_ids} - {*split.train, *split.val})
    rows = pack.rows(outside)
    bands = {orbit: values.copy() for orbit, values in pack.bands.items()}
    mask = pack.mask.copy()
    mask[rows] ^= 1
    for values in bands.values():
        values[rows] = np.nan
    found = [
        Bench(key, one, split, SAR_CHANNELS, "even", 4).search(2, 42, tmp_path / name)
        for name, one in (("a", pack), ("b", replace(pack, bands=bands, mask=mask)))
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_the_winner_on_val_is_measured_and_the_tried_samples_are_kept(
    pack: Pack, split: Split, tmp_path: Path
) -> None:
    bench = Bench("log_ratio_vv", pack, split, SAR_CHANNELS, "even", 4)
    tried = bench.search(3, 42, tmp_path / "journals")
    best = max(one.val_pr_auc for one in tried)
    config = bench.config(0, **make_run(tried))
    trial = bench.measure(config, tried, tmp_path / "trial")
    written = json.loads((tmp_path / "trial" / "search.json").read_text())["tried"]
    assert [one["val_pr_auc"] for one in written] == [one.val_pr_auc for one in tried]
    assert {"params": config["params"], "val_pr_auc": best} in written
    assert config["search_trials"] == 3
    assert trial.read("config") == config
    assert best == pytest.approx(score_on_val("log_ratio_vv", pack, split, **_reads(config)))
    alone = run_baseline(config, pack, split, tmp_path / "alone")
    assert _scores(alone) == _scores(trial)


def _reads(config: dict[str, object]) -> dict[str, object]:
    return {name: config[name] for name in ("steps", "timesteps", "params")}


def _scores(trial: TrialFolder) -> dict[str, float]:
    return {name: value for name, value in trial.read("test").items() if "seconds" not in name}


def test_seeds_of_one_bench_give_what_each_gives_alone(pack: Pack, split: Split) -> None:
    params = make_config("gradient_boosting_windows", pack, split)["params"]
    reads = (SAR_CHANNELS, "even", 4)
    bench = Bench("gradient_boosting_windows", pack, split, *reads, seeds=(42, 123))
    maps = []
    for seed in (42, 123):
        config = bench.config(seed, params)
        maps.append(bench.bind(config)(pack)(split.val[:1]))
        assert np.array_equal(maps[-1], make_predictor(config, pack, split)(pack)(split.val[:1]))
    assert not np.array_equal(*maps)
