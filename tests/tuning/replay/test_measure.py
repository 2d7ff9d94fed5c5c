"""Test tiles as they were on each day after the event: their maps, thresholds, scores and landslides."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.training import CPU, train_rows
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.metrics.curve import choose_threshold
from tuning.metrics.histogram import BINS
from tuning.replay.measure import Cut, PredictTiles, Whole, measure_replay
from tuning.replay.record import Replay, read_replay
from tuning.train.early import name_score
from tuning.train.evaluate import measure_test
from tuning.trial.folder import Config, TrialFolder

FOUR = ["s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"]


def replay_network(config: Config, pack: Pack, split: Split, folder: Path) -> Replay:
    """Train and measure a network with four acquisitions of each orbit; return its replay."""
    train_rows(config | {"replay": True, "steps": "event", "timesteps": 4}, pack, folder)
    measure_test(TrialFolder(folder), pack, split, CPU)
    return read_replay(folder / "replay.npz", pack.tile_ids)


@pytest.fixture(scope="module")
def trained(
    base_config: Config, pack: Pack, split: Split, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrialFolder, Replay]:
    folder = tmp_path_factory.mktemp("trial")
    return TrialFolder(folder), replay_network(base_config, pack, split, folder)


@pytest.fixture(scope="module")
def compared(
    pack: Pack, split: Split, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrialFolder, Replay]:
    folder = tmp_path_factory.mktemp("baseline")
    one = make_baseline_config("log_ratio_vv", split.name, pack.hash, steps="event", timesteps=4)
    trial = run_baseline(one | {"replay": True}, pack, split, folder)
    return trial, read_replay(folder / "replay.npz", pack.tile_ids)


@pytest.mark.parametrize("measured", ["trained", "compared"])
def test_the_last_day_has_exactly_the_test_scores(
    measured: str, request: pytest.FixtureRequest
) -> None:
    trial, replay = request.getfixturevalue(measured)
    scores = trial.read("test")
    assert replay.pr_auc[-1] == scores["pr_auc"]
    assert replay.thresholds[-1] == scores["threshold"]
    cases = replay.confusions[-1].sum(axis=0).tolist()
    assert cases == [scores[name] for name in ("tp", "fp", "fn", "tn")]
    assert replay.landslides[-1, ..., 1].sum() > 0


def test_a_day_with_one_acquisition_of_each_orbit_has_the_early_scores(
    trained: tuple[TrialFolder, Replay],
) -> None:
    trial, replay = trained
    early, day = trial.read("early"), np.flatnonzero((replay.acquisitions == 1).all(axis=1))
    assert len(day) == 1
    place = int(day[0])
    assert replay.pr_auc[place] == early[name_score("pr_auc", 1)]
    assert replay.thresholds[place] == early[name_score("threshold", 1)]
    tp, _, fn, _ = replay.confusions[place].sum(axis=0)
    assert tp / (tp + fn) == pytest.approx(early[name_score("recall", 1)])


def test_a_change_knows_nothing_before_the_first_acquisition(
    compared: tuple[TrialFolder, Replay],
) -> None:
    _, replay = compared
    tp, fp, fn, tn = replay.confusions[0].sum(axis=0)
    assert tp == fp == 0
    assert replay.pr_auc[0] == pytest.approx(fn / (fn + tn))
    assert replay.pr_auc[1] > 1.5 * replay.pr_auc[0]
    assert (replay.landslides[0, ..., 0] == 0).all()


def improve_at(pack: Pack, split: Split, orbit: int, count: int) -> Cut:
    """Return a model that is right where a tile has so many acquisitions of an orbit, else it finds nothing."""

    def bind(after: np.ndarray) -> PredictTiles:
        def predict(ids: Sequence[str]) -> np.ndarray:
            rows = pack.rows(ids)
            right = after[rows, orbit] >= count
            return np.where(right[:, None, None], pack.mask[rows], 0.0).astype(np.float32)

        return predict

    return Cut(tuple(FOUR), bind)


@pytest.mark.parametrize(("orbit", "count"), [(0, 1), (1, 2)])
def test_a_model_that_needs_an_acquisition_improves_on_its_day(
    pack: Pack, split: Split, orbit: int, count: int
) -> None:
    rows, val = pack.rows(split.test), np.zeros((2, BINS), np.int64)
    mask = pack.mask[pack.rows(split.val)]
    val[0, 0], val[1, BINS - 1] = (mask == 0).sum(), mask.sum()
    whole = Whole(val, (pack.mask[rows] * np.uint16(BINS - 1)).astype(np.uint16))
    cut = improve_at(pack, split, orbit, count)
    replay = measure_replay(pack, split, cut, whole, ("event", 4))
    days = np.ceil((pack.times[rows[0], orbit] - pack.events[rows[0]]) / np.timedelta64(1, "D"))
    needed = days[days > 0][count - 1]
    assert (replay.pr_auc[replay.days >= needed] == 1).all()
    assert (replay.pr_auc[replay.days < needed] < 0.5).all()
    found, every = replay.landslides.sum(axis=(1, 2))[..., 0], replay.landslides.sum(axis=(1, 2))
    assert (found[replay.days >= needed] == every[-1, 1]).all()
    assert choose_threshold(val) == replay.thresholds[-1]


def test_a_tile_is_mapped_again_only_on_the_days_of_its_own_acquisitions(
    pack: Pack, split: Split
) -> None:
    rows = pack.rows(split.test)
    times = pack.times.copy()
    times[rows[0]] += np.timedelta64(1, "D")  # a track of its own: other days than the others
    other, mapped = replace(pack, times=times), list[tuple[str, ...]]()

    def bind(after: np.ndarray) -> PredictTiles:
        def predict(ids: Sequence[str]) -> np.ndarray:
            mapped.append(tuple(ids))
            return np.zeros((len(ids), *pack.mask.shape[1:]), np.float32)

        return predict

    counts = np.zeros((2, BINS), np.int64)
    counts[:, 0] = 1
    whole = Whole(counts, np.zeros((len(rows), *pack.mask.shape[1:]), np.uint16))
    replay = measure_replay(other, split, Cut(tuple(FOUR), bind), whole, ("event", 4))
    of_test = [ids for ids in mapped if set(ids) <= set(split.test)]
    assert of_test[0] == split.test  # day 0
    assert all(split.test[0] not in ids or len(ids) == 1 for ids in of_test[1:])
    assert len(replay.days) == 9  # two days of each tile's four, and day 0
