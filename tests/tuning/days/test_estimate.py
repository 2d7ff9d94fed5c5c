"""Models over days after the event: curves are steps, intervals those of the statistics, and folds count alike."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.replays import make_replay
from tuning.days.estimate import estimate_days
from tuning.days.reduce import ReplayedModel, reduce_replay
from tuning.days.result import AP, BY_SIZE, F1, RECALL, DaysResult
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.blocks import SamplingUnits, make_units
from tuning.statistics.estimate import estimate_all

DAYS = (0, 4, 10, 22)
TILES = tuple(f"hokkaido_{number}" for number in range(12))
GRID = np.array([(3840.0 * k, 0.0) for k in range(12)])  # each tile a block of its own


def units_of(folds: Sequence[str]) -> SamplingUnits:
    return make_units(GRID[: len(folds)], folds, ["hokkaido"] * len(folds), block_tiles=1)


def rise(at: int, spread: float = 0.0, tiles: int = 12, days: Sequence[int] = DAYS) -> np.ndarray:
    """Return shares found on each day: a tenth before the place *at*, most of it from there on, shape ``(D, N)``."""
    share = np.where(np.arange(len(days)) >= at, 0.8, 0.1)[:, None]
    return np.clip(share * (1 + spread * np.linspace(-1, 1, tiles)), 0, 1)


def estimate(seeds: Sequence[np.ndarray], kind: str = "network", label: str = "UNet") -> DaysResult:
    runs = [[reduce_replay(make_replay(DAYS, found, TILES))] for found in seeds]
    return estimate_days([ReplayedModel(label, kind, True, runs)], units_of([""] * 12))[0]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_model_that_improves_on_one_day_reaches_its_plateau_just_then(at: int) -> None:
    result = estimate([rise(at, 0.2), rise(at, 0.1)])
    reached = result.to_plateau
    assert (reached.days, reached.low, reached.high) == (DAYS[at],) * 3
    assert result.describe() == (
        f"UNet reaches 90% of its average precision with all acquisitions ({result.ap.mean[-1]:.3f}) after {DAYS[at]} days "
        f"({DAYS[at]} to {DAYS[at]})."
    )


def test_a_day_that_almost_reaches_the_share_widens_the_interval() -> None:
    found = np.stack([np.full(12, share) for share in (0.1, 0.68, 0.73, 0.8)])
    found *= 1 + 0.25 * np.random.default_rng(1).standard_normal((4, 12))
    reached = estimate([np.clip(found, 0, 1)]).to_plateau
    assert reached.low < reached.high
    assert reached.low <= reached.days <= reached.high


def test_bands_are_the_intervals_that_the_statistics_give_each_day() -> None:
    seeds = [rise(2, 0.3), rise(2, 0.1), rise(1, 0.2)]
    result = estimate(seeds)
    for day in range(len(DAYS)):
        sums = np.stack([make_replay(DAYS, found, TILES).tiles[day] for found in seeds])
        wanted = estimate_all({"UNet": sums}, pooled_ap, units_of([""] * 12), {"UNet": "network"})
        ends = [getattr(result.ap, end)[day] for end in ("mean", "low", "high")]
        expected = wanted["UNet"]
        assert ends == pytest.approx([expected.mean, expected.low, expected.high], abs=1e-9)


def test_scores_at_the_threshold_follow_found_pixels_and_landslides() -> None:
    result = estimate([rise(1)])
    assert result.scores[RECALL].mean == pytest.approx([0.1, 0.8, 0.8, 0.8])
    for name in BY_SIZE:
        assert (result.scores[name].mean == result.scores[RECALL].mean).all()
    assert result.scores[F1].mean == pytest.approx([2 * 0.1 / 1.1, *[2 * 0.8 / 1.8] * 3])
    assert result.mapped_km2 == pytest.approx(np.array([0.1, *[0.8] * 3]) * result.labelled_km2)
    assert result.labelled_km2 == pytest.approx(12 * 400 * 1e-4)


def test_folds_with_calendars_of_their_own_are_averaged_step_by_step() -> None:
    first = make_replay((0, 5), rise(1, tiles=6, days=(0, 5)), TILES[:6], [[0, 0], [1, 0]])
    second = make_replay((0, 9), rise(1, tiles=6, days=(0, 9)), TILES[6:], [[0, 0], [2, 2]])
    model = ReplayedModel("UNet", "network", True, [[reduce_replay(r) for r in (first, second)]])
    units = units_of(["a"] * 6 + ["b"] * 6)
    (result,) = estimate_days([model], units)
    assert result.days.tolist() == [0, 5, 9]
    before, after = first.pr_auc
    assert result.ap.mean == pytest.approx([before, (before + after) / 2, after])
    assert result.acquisitions["s1asc"].tolist() == [0, 0.5, 1.5]
    assert result.acquisitions["s1dsc"].tolist() == [0, 0, 1]


def test_a_model_of_one_orbit_has_the_calendar_of_all_models() -> None:
    both = [[reduce_replay(make_replay(DAYS, rise(1), TILES))]]
    alone = make_replay((0, 10), rise(1, days=(0, 10)), TILES, [[0], [1]], ("s1dsc",))
    results = estimate_days(
        [
            ReplayedModel("LogRatioVV_dsc", "fixed", False, [[reduce_replay(alone)]]),
            ReplayedModel("UNet", "network", True, both),
        ],
        units_of([""] * 12),
    )
    assert [one.days.tolist() for one in results] == [list(DAYS)] * 2
    assert results[0].ap.mean[1] == results[0].ap.mean[0] < results[0].ap.mean[2]
    assert results[0].to_plateau.days == 10
    assert set(results[0].acquisitions) == {"s1asc", "s1dsc"}


def test_models_of_other_tiles_are_refused() -> None:
    runs = [[reduce_replay(make_replay(DAYS, rise(1, tiles=6), TILES[:6]))]]
    with pytest.raises(ValueError, match=r"fold, \[12\], but got \[6\] of 'UNet'\. Compare"):
        estimate_days([ReplayedModel("UNet", "network", True, runs)], units_of([""] * 12))


def test_a_size_without_landslides_has_no_recall_and_hides_no_other_score() -> None:
    replay = make_replay(DAYS, rise(1, 0.2), TILES)
    replay.landslides[:, :, 0] = 0
    model = ReplayedModel("UNet", "network", True, [[reduce_replay(replay)]])
    (result,) = estimate_days([model], units_of([""] * 12))
    assert np.isnan(result.scores[BY_SIZE[0]].mean).all()
    assert np.isfinite(result.scores[BY_SIZE[1]].mean).all()
    assert np.isfinite(result.scores[AP].low).all()


def test_a_model_that_needs_no_image_is_said_not_to_read_the_change() -> None:
    assert (
        estimate([rise(0)])
        .describe()
        .endswith("without any image after the event: it does not read the change.")
    )
