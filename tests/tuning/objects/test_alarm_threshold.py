"""The threshold with few acquisitions: no more false pixels and alarms on val than with all."""

import numpy as np

from tuning.metrics.curve import choose_threshold
from tuning.metrics.histogram import count_stored, edges, reach
from tuning.objects.alarm_threshold import FalseLimits, count_alarms, raise_threshold

SIDE = 16


def draw(values: dict[tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bins of squares of 3 px with given probabilities on 0.01, the mask of the first one, and their histogram."""
    bins = np.full((1, SIDE, SIDE), reach(0.01), np.uint16)
    mask = np.zeros((1, SIDE, SIDE), np.uint8)
    for place, ((row, column), value) in enumerate(values.items()):
        here = np.s_[0, row : row + 3, column : column + 3]
        bins[here] = reach(value)
        mask[here] |= place == 0
    return bins, mask, count_stored(bins, mask)


def test_an_alarm_is_a_found_object_that_touches_no_landslide() -> None:
    bins, mask, _ = draw({(0, 0): 0.9, (6, 6): 0.8, (12, 12): 0.4})
    assert [count_alarms(bins, mask, at) for at in (0.3, 0.5, 0.85)] == [2, 1, 0]


def test_a_threshold_with_few_acquisitions_has_no_more_alarms_than_with_all() -> None:
    bins, mask, counts = draw({(0, 0): 0.9, (6, 6): 0.5})
    limits = FalseLimits.measure(counts, bins, mask)
    assert (limits.threshold, limits.pixels, limits.alarms) == (choose_threshold(counts), 0, 0)
    worse, _, of_worse = draw({(0, 0): 0.6, (6, 6): 0.55, (12, 12): 0.5})
    chosen = limits.choose(of_worse, worse)
    assert count_alarms(worse, mask, chosen) == 0
    assert edges()[reach(0.55)] < chosen


def test_the_fewest_alarms_win_where_no_threshold_has_as_few_as_wanted() -> None:
    bins, mask, _ = draw({(0, 0): 0.9, (6, 6): 0.999, (12, 12): 0.6})
    raised = raise_threshold(bins, mask, 0.3, -1)
    assert count_alarms(bins, mask, raised) == min(
        count_alarms(bins, mask, at) for at in np.linspace(0.3, 0.93, 40)
    )
