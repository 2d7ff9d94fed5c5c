"""The time of the event that a tile's landslides belong to.

In this order: the time that the user gives (``--event``), the file's own ``event_date``, the catalogue's time of the
region, the most frequent ``event_date`` of the region's other tiles. Tiles without landslides have no ``event_date``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from data.tiles.regions import parse_time, read_regions

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NO_EVENT = np.datetime64("NaT", "s")


def read_event_date(text: str, region: str) -> np.datetime64 | None:
    """Return the event of a file's attribute ``event_date``.

    Args:
        text: Such as ``2018-09-05``; empty on tiles without landslides. Of several days the last one counts, so that
            every landslide is there in the acquisitions after it.
        region: Of the tile; where the day is the catalogue's, the catalogue's time of day is used.

    Returns:
        Time in UTC, datetime64[s]; None if the attribute names no day.
    """
    if not (days := find_days(text)):
        return None
    known = read_regions().get(region)
    event = known.event if known else None
    if event is not None and event.astype("datetime64[D]") == max(days):
        return event
    return parse_time(str(max(days)))


def find_days(text: str) -> list[np.datetime64]:
    """Return the days that an attribute names, in its order; what is no day of the calendar is left out."""
    days = []
    for word in _DAY.findall(text):
        with suppress(ValueError):  # 2018-13-45: a finding of find_region_warnings
            days.append(np.datetime64(word, "D"))
    return days


def fill_events(
    own: np.ndarray, regions: Sequence[str], given: Mapping[str, np.datetime64] | None = None
) -> np.ndarray:
    """Return the event of every tile.

    Args:
        own: Event of each file's own attribute, shape ``(N,)``, datetime64[s]; NaT = none.
        regions: Region of each tile, N names.
        given: The user's times by region; ``""`` stands for every region.

    Returns:
        Shape ``(N,)``, datetime64[s].

    Raises:
        ValueError: If a region's event is unknown.
    """
    events, names = own.astype("datetime64[s]"), np.array(regions)
    given = given or {}
    for region in sorted(set(regions)):
        rows = names == region
        if region in given or "" in given:
            events[rows] = given.get(region, given.get(""))
            continue
        missing = rows & np.isnat(events)
        if missing.any():
            events[missing] = find_region_event(region, own[rows])
    return events


def check_given_events(
    given: Mapping[str, np.datetime64], times: np.ndarray, regions: Sequence[str]
) -> None:
    """Check that a region has acquisitions before and after the time that the user gives for it.

    Args:
        given: Times by region; ``""`` stands for every region.
        times: Acquisition times of every tile, shape ``(N, ...)``.
        regions: Region of each tile, N names.

    Raises:
        ValueError: If all acquisitions of a region are on one side: nothing could be compared over the event.
    """
    names = np.array(regions)
    for region in sorted(set(regions)):
        event, dates = given.get(region, given.get("")), times[names == region]
        if event is not None and not dates.min() <= event < dates.max():
            span = " to ".join(np.datetime_as_string([dates.min(), dates.max()], "D"))
            raise ValueError(
                f"--event must lie within the acquisitions of {region} ({span}), but got {event}. Correct it, or give "
                f"{region} its own time with --event {region}=TIME."
            )


def find_region_event(region: str, own: np.ndarray) -> np.datetime64:
    """Return the event of a region's tiles without ``event_date``: the catalogue's, else the most frequent one.

    Args:
        region: Such as ``hokkaido``.
        own: Events of the region's tiles, shape ``(N,)``; NaT = none.

    Raises:
        ValueError: If neither the catalogue nor any tile has one.
    """
    known = read_regions().get(region)
    if known is not None and known.event is not None:
        return known.event
    days, counts = np.unique(own[~np.isnat(own)], return_counts=True)
    if not days.size:
        raise ValueError(
            f"A region needs the time of its event, but got no event_date in the {len(own)} tiles of {region!r}, "
            f"which the catalogue does not know either. Give it with --event {region}=2018-09-05T18:08."
        )
    return np.datetime64(days[np.argmax(counts)], "s")


def parse_events(words: Iterable[str], regions: Sequence[str]) -> dict[str, np.datetime64]:
    """Return the times that a user gives with ``--event``, by region.

    Args:
        words: ``TIME`` for every region, or ``REGION=TIME``.
        regions: The regions that are used.

    Raises:
        ValueError: If a time is invalid, a region is not used, or one is given twice.
    """
    given: dict[str, np.datetime64] = {}
    for word in words:
        region, _, text = word.rpartition("=")
        if region and region not in regions:
            raise ValueError(
                f"--event must name a region that is used ({', '.join(regions)}), but got {region!r}. Correct it."
            )
        if region in given:
            raise ValueError(
                f"--event must be given once per region, but got {word!r} again. Keep one of them."
            )
        given[region] = parse_time(text)
    return given
