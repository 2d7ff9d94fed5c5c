"""Sentinel-1 orbits over a region: tracks, the dates of a tile's acquisitions, and their seasons."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from data.tiles import ACQUISITIONS

_REPEAT = timedelta(days=12)  # of one satellite (ESA, Sentinel-1 user handbook)


@dataclass(frozen=True, order=True)
class Track:
    """One relative orbit of one satellite.

    Attributes:
        look_deg: Look direction of the radar, clockwise from north.
        pass_date: Date of one pass.
        offset_db: Mean brightness relative to the other tracks: another incidence angle.
    """

    look_deg: float
    pass_date: date
    offset_db: float = 0.0


@dataclass(frozen=True)
class Orbit:
    """One orbit direction.

    Attributes:
        name: Name in file names.
        satellite: Value of the files' attribute.
        tracks: The first one sees all tiles; any others interleave with it.
        mixed: Share of the tiles whose dates are of all tracks.
    """

    name: str
    satellite: str
    tracks: tuple[Track, ...]
    mixed: float = 0.0


@dataclass(frozen=True)
class Calendar:
    """When a region's tiles are observed, and its seasons.

    Attributes:
        event: Day of the event, in UTC.
        first: First possible acquisition.
        last: Last possible acquisition.
        varied: Whether the lists of dates differ between tiles.
        repeated: Share of the tiles whose list ends with up to two repeats of the last image.
        leaf: Days of the year when leaves come and fall.
        frost: Days of the year when frost begins and ends.
        frozen: Degree of frost in winter, from 0 to 1.
        wet_snow: Day of the year with the most wet snow, and the length of that season in days.
    """

    event: date
    first: date
    last: date
    varied: bool = False
    repeated: float = 0.0
    leaf: tuple[float, float] = (138, 298)
    frost: tuple[float, float] = (345, 75)
    frozen: float = 1.0
    wet_snow: tuple[float, float] = (92, 13)


class Acquisition(NamedTuple):
    """A date of a tile's series, and the track that it is of."""

    day: date
    track: Track


class Season(NamedTuple):
    """Degree of leaf cover, frost and wet snow on a date, each from 0 to 1."""

    leaf: float
    frost: float
    wet: float


def list_acquisitions(
    orbit: Orbit, calendar: Calendar, rng: np.random.Generator
) -> list[Acquisition]:
    """Choose a tile's 15 acquisitions over the year around the event, sorted by date.

    The last pass before and the first pass after the event are always included, and nothing depends on the tile's
    landslides: the real pipeline picks dates around the event on annotated tiles only, from which a network could infer
    the label. Where images are missing, the last one is repeated, as the real pipeline does.

    Args:
        orbit: The orbit direction.
        calendar: The region's.
        rng: Generator of this tile and orbit.
    """
    mixed, repeats, shift = rng.random(3)
    tracks = orbit.tracks if mixed < orbit.mixed else orbit.tracks[:1]
    passes = sorted(each for track in tracks for each in list_passes(track, calendar))
    missing = 1 + int(2 * repeats / calendar.repeated) if repeats < calendar.repeated else 0
    chosen = _spread(passes, calendar.event, ACQUISITIONS - missing, shift * calendar.varied)
    return chosen + missing * chosen[-1:]


def list_passes(track: Track, calendar: Calendar) -> list[Acquisition]:
    """Return all passes of a track between the calendar's first and last day, sorted by date."""
    days = [track.pass_date + k * _REPEAT for k in range(-80, 80)]
    return [
        Acquisition(day, track)
        for day in days
        if calendar.first <= day <= calendar.last and day != calendar.event
    ]


def _spread(passes: list[Acquisition], event: date, count: int, shift: float) -> list[Acquisition]:
    """Choose *count* passes at even intervals, moved by a part of an interval, with those around the event."""
    days = [each.day.toordinal() for each in passes]
    edges = np.linspace(days[0], days[-1], count + 1)
    edges = edges + shift * (edges[1] - edges[0])
    even = {passes[min(i, len(passes) - 1)] for i in np.searchsorted(days, edges[:-1])}
    around_event = {
        max(each for each in passes if each.day < event),
        min(each for each in passes if each.day > event),
    }
    spare = sorted(even - around_event)
    chosen = around_event | set(spare[max(0, len(even | around_event) - count) :])
    rest = [each for each in passes if each not in chosen]
    return sorted(chosen | set(rest[: count - len(chosen)]))


def describe_season(day: date, calendar: Calendar) -> Season:
    """Return the season of a date."""
    n = day.timetuple().tm_yday
    (comes, falls), (begins, ends) = calendar.leaf, calendar.frost
    top, length = calendar.wet_snow
    return Season(
        leaf=_rise(n - comes, 6) * _rise(falls - n, 7),
        frost=calendar.frozen * max(_rise(n - begins, 6), _rise(ends - n, 6)),
        wet=float(np.exp(-(((n - top) / length) ** 2))),
    )


def _rise(days: float, width_days: float) -> float:
    return float(1 / (1 + np.exp(-days / width_days)))
