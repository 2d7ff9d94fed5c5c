"""Sentinel-1 orbits over Hokkaido, the twin's acquisition dates and their seasons."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from data.tiles import ACQUISITIONS
from data.tiles.regions import DEFAULT_REGION, read_regions

EVENT_DATE = date.fromisoformat(str(read_regions()[DEFAULT_REGION].event)[:10])

_REPEAT = timedelta(days=12)  # of one satellite (ESA, Sentinel-1 user handbook)
_FIRST, _LAST = date(2018, 2, 20), date(2019, 3, 6)


@dataclass(frozen=True)
class Orbit:
    """One orbit direction.

    Attributes:
        name: Name in file names.
        satellite: Value of the files' attribute.
        look_deg: Look direction of the radar, clockwise from north.
        pass_date: Date of one pass.
        offset_db: Mean brightness relative to the other direction, from the real tiles' statistics.
    """

    name: str
    satellite: str
    look_deg: float
    pass_date: date
    offset_db: float


# Sentinel-1B, relative orbits 68 and 46; incidence over the tiles about 38.5 and 39.5 degrees.
ORBIT_BY_NAME = {
    "s1asc": Orbit("s1asc", "s1-asc", 78.0, date(2018, 9, 1), 0.11),
    "s1dsc": Orbit("s1dsc", "s1-dsc", 282.0, date(2018, 8, 30), 0.0),
}


class Season(NamedTuple):
    """Degree of leaf cover, frost and wet snow on a date, each from 0 to 1."""

    leaf: float
    frost: float
    wet: float


def list_dates(orbit: Orbit) -> list[date]:
    """Choose 15 acquisitions over the year around the event.

    The last pass before and the first pass after the event are always included. The dates are the same for all tiles:
    the real pipeline picks dates around the event on annotated tiles only, from which a network could infer the label.
    """
    passes = [orbit.pass_date + k * _REPEAT for k in range(-40, 40)]
    passes = [day for day in passes if _FIRST <= day <= _LAST]
    edges = np.linspace(passes[0].toordinal(), passes[-1].toordinal(), ACQUISITIONS + 1)
    chosen = {passes[i] for i in np.searchsorted([day.toordinal() for day in passes], edges[:-1])}
    around_event = {
        max(day for day in passes if day < EVENT_DATE),
        min(day for day in passes if day > EVENT_DATE),
    }
    spare = sorted(chosen - around_event)
    dates = around_event | set(spare[max(0, len(chosen | around_event) - ACQUISITIONS) :])
    rest = [day for day in passes if day not in dates]
    return sorted(dates | set(rest[: ACQUISITIONS - len(dates)]))


def describe_season(day: date) -> Season:
    """Return the season in south-west Hokkaido: leaves May to October, frost December to March."""
    n = day.timetuple().tm_yday
    return Season(
        leaf=_rise(n - 138, 6) * _rise(298 - n, 7),
        frost=max(_rise(n - 345, 6), _rise(75 - n, 6)),
        wet=float(np.exp(-(((n - 92) / 13) ** 2))),
    )


def _rise(days: float, width_days: float) -> float:
    return float(1 / (1 + np.exp(-days / width_days)))
