"""Soil moisture is carried over from date to date and shared by both orbits; rain is of one overpass."""

import numpy as np
import pytest

from data.twin.noise import Noise, NoiseWindow
from data.twin.weather import Weather

FIRST = 737_000  # an ordinal day


@pytest.fixture(scope="module")
def weather() -> Weather:
    return Weather(NoiseWindow(np.arange(0, 4096, 64), np.arange(0, 4096, 64)), Noise(2018))


def correlate(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    return float(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1])


@pytest.mark.parametrize(("days", "low", "high"), [(1, 0.9, 1), (12, 0.4, 0.8), (60, -0.2, 0.2)])
def test_moisture_is_carried_over_for_weeks(
    weather: Weather, days: int, low: float, high: float
) -> None:
    starts = range(FIRST, FIRST + 4000, 37)
    now = [weather.moisture(day) for day in starts]
    later = [weather.moisture(day + days) for day in starts]
    assert low < correlate(now, later) < high


def test_moisture_and_rain_are_standardised(weather: Weather) -> None:
    days = range(FIRST, FIRST + 4000, 37)
    for maps in ([weather.moisture(n) for n in days], [weather.rain(n, "s1asc") for n in days]):
        assert np.mean(maps) == pytest.approx(0, abs=0.2)
        assert np.std(maps) == pytest.approx(1, abs=0.15)


def test_rain_is_of_one_overpass(weather: Weather) -> None:
    days = range(FIRST, FIRST + 2000, 37)
    one = [weather.rain(day, "s1asc") for day in days]
    assert abs(correlate(one, [weather.rain(day + 12, "s1asc") for day in days])) < 0.3
    assert abs(correlate(one, [weather.rain(day, "s1dsc") for day in days])) < 0.3
