import numpy as np

from data.values.event_days import average_days, count_days

EVENT = np.datetime64("2018-09-05T18:08:00", "s")


def test_days_are_negative_before_the_event_and_unknown_for_repeats() -> None:
    times = EVENT + np.array([-12, 0, 6, 6, 18]) * np.timedelta64(86_400, "s")
    days = count_days(times, EVENT)
    assert days.dtype == np.float32
    np.testing.assert_array_equal(days, np.array([-12, 0, 6, np.nan, 18], np.float32))


def test_days_of_each_tile_count_from_its_own_event() -> None:
    times = np.broadcast_to(EVENT, (2, 3, 1))
    events = np.array([EVENT, EVENT + np.timedelta64(12, "h")])
    days = count_days(times, events[:, None, None])
    assert days[:, :, 0].tolist() == [[0, 0, 0], [-0.5, -0.5, -0.5]]


def test_days_are_averaged_over_the_orbits_that_have_an_image() -> None:
    days = np.array([[-4.0, -2.0], [np.nan, 3.0], [np.nan, np.nan], [8.0, 6.0]])
    np.testing.assert_array_equal(average_days(days), [-3, 3, np.nan, 7])
    present = np.array([[True, False], [True, True], [True, True], [False, False]])
    np.testing.assert_array_equal(average_days(days, present), [-4, 3, np.nan, np.nan])
