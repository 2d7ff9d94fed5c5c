"""The search: which acquisitions there are around an event, and whether they are enough for a map.

The window is as long as the wanted acquisitions take, 12 days each, with some more for those that are missing: the plan
of observation leaves passes out, and some are never processed. A side that has too few is searched further, up to two
years.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pystac
from shapely.geometry.base import BaseGeometry

from data.io.safe_json import refused_error
from data.search.acquisitions import Acquisition, Found
from data.search.connection import SourceError
from data.search.items import SYNTHETIC
from data.search.notes import (
    describe_direction,
    describe_missing_side,
    describe_nothing,
    describe_track,
)
from data.search.passes import group_passes
from data.search.sources import Source
from data.search.tracks import Track, rank_tracks
from data.tiles.map_dates import CYCLE_DAYS
from data.tiles.rules import ORBITS

LEAST_SLACK, MOST_SLACK = 6, 24  # days, for missing passes
WIDER = (1, 3)  # times the window
LONGEST_DAYS = 730
LONG_DAYS = 48  # four cycles: an orbit direction without passes in this time is not planned there
FIRST_IMAGE = np.datetime64("2014-10-03")  # of Sentinel-1A

_DAY = np.timedelta64(1, "D")
_SECOND = np.timedelta64(1, "s")


class NoAcquisitionsError(Exception):
    """A place and time without the acquisitions that a map needs; the message says what there is, and when there may be more."""


def find_acquisitions(
    source: Source,
    area: BaseGeometry,
    event: np.datetime64,
    *,
    before: int,
    after: int,
    now: np.datetime64 | None = None,
) -> Found:
    """Find the acquisitions to load: per orbit direction those of one track that are nearest the event.

    Args:
        source: The catalogue.
        area: From :func:`data.search.area.read_area`.
        event: Time of the event, UTC; an acquisition at this time is before it.
        before: Wanted acquisitions before the event, 1 or more.
        after: Wanted acquisitions after it, 1 or more.
        now: The present, UTC; by default the machine's clock.

    Returns:
        Orbit directions that have at least one acquisition on each side of the event, with notes on all that is missing.

    Raises:
        ValueError: If the event is in the future or before Sentinel-1, or a wanted number is below 1.
        NoAcquisitionsError: If no orbit direction has an acquisition on each side of the event.
        SourceError: If the catalogue does not answer.
    """
    present = np.datetime64(datetime.now(UTC).replace(tzinfo=None)) if now is None else now
    event, present = event.astype("datetime64[ns]"), present.astype("datetime64[ns]")
    _check(event, present, before, after)
    images = _Images(source, area)
    passes: list[Acquisition] = []
    left_out: list[str] = []
    ranked: dict[str, list[Track]] = {}
    for factor in WIDER:
        images.search(event - factor * _span(before), min(present, event + factor * _span(after)))
        passes, left_out = group_passes(images.found, area)
        ranked = {
            orbit: rank_tracks([one for one in passes if one.orbit == orbit], event, before, after)
            for orbit in ORBITS
        }
        if passes and all(
            _is_enough(tracks, event, present, before, after) for tracks in ranked.values()
        ):
            break
    if not passes:
        raise NoAcquisitionsError(describe_nothing(source, images.start, images.end, left_out))
    return _conclude(source, area, event, ranked, left_out, (before, after), present)


def _conclude(
    source: Source,
    area: BaseGeometry,
    event: np.datetime64,
    ranked: dict[str, list[Track]],
    left_out: list[str],
    wanted: tuple[int, int],
    now: np.datetime64,
) -> Found:
    """Take the best track of each orbit direction that can be mapped, and say what is missing."""
    usable = {
        orbit: tracks for orbit, tracks in ranked.items() if tracks and tracks[0].has_both_sides
    }
    missing = [
        describe_direction(orbit, tracks, event, now)
        for orbit, tracks in ranked.items()
        if orbit not in usable
    ]
    if not usable:
        raise NoAcquisitionsError(describe_missing_side(ranked, event, now, left_out))
    notes = [
        note
        for orbit, tracks in usable.items()
        for note in describe_track(orbit, tracks, event, wanted, now)
    ]
    heights, remarks = _find_heights(source, area)
    chosen = {orbit: tracks[0].chosen for orbit, tracks in usable.items()}
    items = [item for passes in chosen.values() for one in passes for item in one.items]
    return Found(
        area=area,
        event=event,
        source=source.word,
        address=source.address,
        acquisitions=chosen,
        heights=heights,
        notes=(*notes, *missing, *left_out, *remarks),
        synthetic=any(item.properties.get(SYNTHETIC) for item in (*items, *heights)),
    )


class _Images:
    """The images that were found so far, and the window that was searched."""

    def __init__(self, source: Source, area: BaseGeometry) -> None:
        self.source, self.area = source, area
        self.start: np.datetime64[Any] = np.datetime64("NaT", "ns")
        self.end: np.datetime64[Any] = self.start
        self._items: dict[str, pystac.Item] = {}

    @property
    def found(self) -> Sequence[pystac.Item]:
        return tuple(self._items.values())

    def search(self, start: np.datetime64, end: np.datetime64) -> None:
        """Search what was not searched yet of a window."""
        if np.isnat(self.start):
            stretches = [(start, end)]
        else:
            stretches = [(start, self.start + -_SECOND), (self.end + _SECOND, end)]
        for first, last in stretches:
            if first <= last:
                for item in self.source.search(self.area, _to_time(first), _to_time(last)):
                    self._items[f"{item.collection_id}/{item.id}"] = item
        self.start = start if np.isnat(self.start) else min(start, self.start)
        self.end = end if np.isnat(self.end) else max(end, self.end)


def _check(event: np.datetime64, now: np.datetime64, before: int, after: int) -> None:
    if event > now:
        got = f"{_show(event)}, when it is {_show(now)} now"
        remedy = "Give the time of the event in UTC, after it happened."
        raise refused_error("The event must lie in the past", got, "--event", remedy)
    if event < FIRST_IMAGE:
        rule = f"The event must be after Sentinel-1's first image of {FIRST_IMAGE}"
        raise refused_error(rule, _show(event), "--event", "Earlier ones cannot be mapped.")
    for name, count in (("--before", before), ("--after", after)):
        if count < 1:
            remedy = "A map compares acquisitions of both sides."
            raise refused_error(f"{name} must be 1 or more", count, name, remedy)


def _span(count: int) -> np.timedelta64:
    """Return how long some passes of one satellite take, with slack for missing ones, bounded."""
    days = CYCLE_DAYS * count
    slack = int(np.clip(days // 4, LEAST_SLACK, MOST_SLACK))
    return min(days + slack, LONGEST_DAYS // WIDER[-1]) * _DAY


def _is_enough(
    tracks: Sequence[Track], event: np.datetime64, now: np.datetime64, before: int, after: int
) -> bool:
    """Return whether a wider window would bring nothing: there are enough passes, or time has not brought more yet."""
    if not tracks:  # most places are not seen in both orbit directions
        return bool(_span(before) >= LONG_DAYS * _DAY)
    found = tracks[0]
    all_after = now <= event + _span(after)
    return len(found.before) >= before and (len(found.after) >= after or bool(all_after))


def _find_heights(
    source: Source, area: BaseGeometry
) -> tuple[tuple[pystac.Item, ...], tuple[str, ...]]:
    """Find heights; a map needs them only for networks that read them, so a failure is a note."""
    try:
        found = tuple(source.search_heights(area))
    except SourceError as error:
        return (), (f"There are no heights: {error}",)
    if found:
        return found, ()
    remark = (
        f"There are no heights in {source.address}: networks that read DEM or slope cannot map this scene, and shadow and "
        "layover are not known."
    )
    return (), (remark,)


def _to_time(time: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(time.astype("datetime64[s]"))).replace(tzinfo=UTC)


def _show(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, 'm').replace('T', ' ')} UTC"
