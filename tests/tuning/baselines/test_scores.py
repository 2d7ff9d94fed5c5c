import numpy as np
import pytest

from tuning.baselines.deviation.scores import combine_dates, point, scale_deviations

SERIES = np.array([1.0, np.nan, 4.0, -2.0])[:, None, None]


@pytest.mark.parametrize(
    ("how", "expected"), [("mean", 1), ("median", 1), ("weakest", -2), ("strongest", 4)]
)
def test_dates_without_data_are_ignored(how: str, expected: float) -> None:
    assert combine_dates(SERIES, how)[0, 0] == expected
    for nothing in (SERIES[:0], SERIES[1:2]):
        assert np.isnan(combine_dates(nothing, how)[0, 0])


def test_direction_says_which_change_counts() -> None:
    found = {how: point(np.array([2.0, -3.0]), how).tolist() for how in ("rise", "fall", "any")}
    assert found == {"rise": [2, -3], "fall": [-2, 3], "any": [2, 3]}


def test_scores_keep_the_order_of_all_deviations() -> None:
    found = scale_deviations(np.array([-1e4, -3.5, 0, 3.5, 100, 1e4, np.nan]))
    assert found.dtype == np.float32
    assert found[[1, 2, 3, 6]].tolist() == [0.25, 0.5, 0.75, 0.5]
    assert (np.diff(found[:6]) > 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
