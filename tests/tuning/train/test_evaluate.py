"""Test tiles are measured once more as event-free series: what is found there is counted, without any label."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.io.safe_arrays import ArraySpec, read_arrays
from data.pack import Pack
from data.splits import Split
from data.tiles import TILE_PX
from tuning.metrics.histogram import BINS
from tuning.train.evaluate import (
    Bind,
    PredictTiles,
    measure_predictions,
    summarise_placebo,
)
from tuning.trial.folder import TrialFolder

COUNTS = {"tile_ids": ArraySpec("str", (None,)), "counts": ArraySpec("int64", (None, 3))}
KM2 = 1.28**2  # of a tile
SPOTS = ((3, 3), (60, 60), (100, 20))  # corners of found squares of 5 x 5 px


def measured(folder: Path) -> TrialFolder:
    """Return a trial's folder whose threshold on val is 0.5."""
    trial, counts = TrialFolder(folder), np.zeros((2, BINS), np.int64)
    counts[0, 0], counts[1, BINS // 2] = 90, 10
    trial.write_counts("val", counts)
    return trial


def bind_spots(before: np.datetime64) -> Bind:
    """Return a model that finds three squares on each tile if all its images are before a time, else nothing."""

    def bind(pack: Pack) -> PredictTiles:
        def predict(ids: Sequence[str]) -> np.ndarray:
            probs = np.full((len(ids), TILE_PX, TILE_PX), 0.1, np.float32)
            early = pack.times[pack.rows(ids)].max(axis=(1, 2)) <= before
            for row, column in SPOTS:
                probs[early, row : row + 5, column : column + 5] = 0.9
            return probs

        return predict

    return bind


def test_placebo_counts_what_is_found_before_the_event(
    pack: Pack, split: Split, tmp_path: Path
) -> None:
    trial = measured(tmp_path)
    measure_predictions(trial, pack, split, bind_spots(pack.events[0]))
    assert trial.read("placebo") == {
        "alarms_per_km2": pytest.approx(3 / KM2),
        "area_share": pytest.approx(75 / TILE_PX**2),
        "tiles_left_out": 0,
    }
    arrays = read_arrays(tmp_path / "placebo.npz", COUNTS)
    assert list(arrays["tile_ids"]) == list(split.test)
    assert arrays["counts"].tolist() == [[TILE_PX**2, 3, 75]] * len(split.test)
    scores = trial.read("test")
    assert (scores["tp"], scores["fp"]) == (0, 0)  # nothing is found on the whole series


def test_labels_never_reach_the_placebo(pack: Pack, split: Split, tmp_path: Path) -> None:
    found = []
    for name, mask in (("a", pack.mask), ("b", 1 - np.array(pack.mask))):
        trial = measured(tmp_path / name)
        bind = bind_spots(pack.events[0])
        measure_predictions(trial, replace(pack, mask=mask), split, bind)
        found.append(trial.read("placebo"))
    assert found[0] == found[1]


def test_tile_with_too_few_early_images_is_left_out_and_counted(
    pack: Pack, split: Split, tmp_path: Path
) -> None:
    events = np.array(pack.events)
    events[pack.rows(split.test[:1])] = pack.times[pack.rows(split.test[:1]), 0, 0]
    trial = measured(tmp_path)
    measure_predictions(trial, replace(pack, events=events), split, bind_spots(pack.events[0]))
    assert trial.read("placebo")["tiles_left_out"] == 1
    arrays = read_arrays(tmp_path / "placebo.npz", COUNTS)
    assert list(arrays["tile_ids"]) == list(split.test[1:])


def test_without_an_early_image_no_rate_is_made_up(
    pack: Pack, split: Split, tmp_path: Path
) -> None:
    never = np.full_like(pack.events, np.datetime64("2000-01-01"))
    trial = measured(tmp_path)
    measure_predictions(trial, replace(pack, events=never), split, bind_spots(pack.events[0]))
    assert trial.read("placebo") == {"tiles_left_out": len(split.test)}
    assert read_arrays(tmp_path / "placebo.npz", COUNTS)["counts"].shape == (0, 3)


def test_rates_are_per_square_kilometre_and_share_of_pixels() -> None:
    assert summarise_placebo(np.array([20_000, 4, 100]), 2) == {
        "alarms_per_km2": 2.0,
        "area_share": 0.005,
        "tiles_left_out": 2,
    }
