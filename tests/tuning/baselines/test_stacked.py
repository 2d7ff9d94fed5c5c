import numpy as np
import pytest

from data.pack import Pack
from data.pack.log_ratio import Series
from data.splits import Split
from tests.support.baseline_scores import predict_tiles
from tuning.baselines.baselines import BASELINES
from tuning.baselines.stacked import measure_density, measure_medians, median_db


def test_medians_ignore_gaps_and_outliers() -> None:
    layers = np.array([[1.0, 1], [9, np.nan], [2, 3], [np.nan, np.nan]], np.float32)[:, None]
    assert median_db(layers).tolist() == [[2, 2]]
    assert np.isnan(median_db(layers[3:])).all()
    assert np.isnan(median_db(layers[:0])).all()
    series = Series(layers[:3], layers[:3] + 4)
    assert measure_medians(series).tolist() == [[4, 4]]


def test_density_is_the_share_within_the_radius(rng: np.random.Generator) -> None:
    strong, known = rng.random((20, 20)) < 0.3, rng.random((20, 20)) < 0.8
    y, x = np.mgrid[:20, :20]
    near = (y - 3) ** 2 + (x - 17) ** 2 <= 4
    found = measure_density(strong, known, 2)
    assert found[3, 17] == pytest.approx((strong & known & near).sum() / (known & near).sum())
    assert found.min() >= 0
    assert found.max() <= 1
    assert not measure_density(strong, np.zeros_like(known), 2).any()


def test_flat_ground_has_no_density(pack: Pack, split: Split) -> None:
    first = dict(BASELINES["stacked_log_ratio"].first)
    tiles = split.test
    everywhere, steep = (
        predict_tiles("stacked_log_ratio", pack, split, tiles, params=first | {"min_slope": limit})
        for limit in (0.0, 10.0)
    )
    slope = pack.slope[pack.rows(tiles)]
    assert everywhere[slope < 10].any()
    assert not steep[slope < 10].any()
    assert steep[slope >= 10].any()


def test_the_other_polarisation_is_no_choice_where_it_is_missing(pack: Pack, split: Split) -> None:
    first = dict(BASELINES["stacked_log_ratio"].first)
    maps = [
        predict_tiles(
            "stacked_log_ratio",
            pack,
            split,
            split.test[:1],
            channels=["s1asc:VV"],
            params=first | {"polarisation": name},
        )
        for name in ("VV", "VH")
    ]
    assert np.array_equal(*maps)
