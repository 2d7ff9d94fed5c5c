"""Dates that all tiles of a region share, so that tiles with and without landslides read the same ones.

The publisher of the real tiles picks the images around the event for annotated tiles alone. Of the dates that every tile has,
those nearest to the event can be read from any tile, so no label can be read from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.tiles.tracks import choose_event_steps

NEARLY = 0.95  # share of the tiles that must have a date where too few dates are in all of them


@dataclass(frozen=True)
class SharedDates:
    """Dates that tiles of a region share in one modality.

    Attributes:
        days: Ascending, shape ``(D,)``, datetime64[D].
        before: How many of them are before the event; an acquisition at its time is before it.
    """

    days: np.ndarray
    before: int

    def suffice(self, count: int) -> bool:
        """Whether *count* of them can be read, from both sides of the event if *count* is 2 or more."""
        both = 0 < self.before < len(self.days)
        return len(self.days) >= count and (both or count < 2)


def find_shared_dates(times: np.ndarray, event: np.datetime64, share: float = 1.0) -> SharedDates:
    """Return the dates that a share of the tiles has.

    Args:
        times: Acquisition times of one modality, shape ``(N, T)``, UTC.
        event: Time of the region's event, UTC.
        share: Smallest share of the tiles, from 0 to 1.
    """
    every = times.astype("datetime64[D]")
    rows = [np.unique(series) for series in every]  # repeated images count once
    days, counts = np.unique(np.concatenate(rows), return_counts=True)
    days = days[counts >= share * len(times)]
    latest = [times[every == day].max() for day in days]
    return SharedDates(days, sum(time <= event for time in latest))


def choose_common_days(
    times: np.ndarray, count: int, event: np.datetime64, *, by_track: bool = True
) -> np.ndarray | SharedDates:
    """Choose the dates that every tile reads: of those that all share, the nearest to the event.

    Half of them are before the event and the rest after it, of one track where possible, as
    :func:`data.tiles.tracks.choose_event_steps` explains. Where the dates that all tiles share are too few, those count that
    95 % of the tiles have.

    Args:
        times: Acquisition times of one modality of a region's tiles, shape ``(N, T)``, UTC.
        count: Number of acquisitions.
        event: Time of the region's event, UTC.
        by_track: Whether tracks matter: for Sentinel-1.

    Returns:
        Ascending days, shape ``(count,)``, datetime64[D]; the shared dates instead if they do not suffice.
    """
    for share in (1.0, NEARLY):
        shared = find_shared_dates(times, event, share)
        if shared.suffice(count):
            noon = shared.days.astype("datetime64[s]")
            # A day is on the side of the event on which its acquisitions are.
            moved = event if shared.before == (noon <= event).sum() else noon[shared.before] - 1
            return shared.days[choose_event_steps(noon, count, moved, by_track=by_track)]
    return shared


def choose_common_steps(
    times: np.ndarray, days: np.ndarray, event: np.datetime64, *, by_track: bool = True
) -> list[int]:
    """Return the acquisitions of a series at some days; where it lacks one of them, those nearest to the event.

    Args:
        times: Acquisition times of one series, shape ``(T,)``, ascending.
        days: Days of :func:`choose_common_days`, shape ``(count,)``, datetime64[D].
        event: Time of the event, UTC.
        by_track: Whether tracks matter: for Sentinel-1.

    Returns:
        Ascending indices, one per day.
    """
    steps = np.searchsorted(times.astype("datetime64[D]"), days)
    found = steps < len(times)
    if found.all() and (times[steps].astype("datetime64[D]") == days).all():
        return [int(step) for step in steps]
    return choose_event_steps(times, len(days), event, by_track=by_track)


def choose_learnt_steps(
    times: np.ndarray,
    count: int,
    event: np.datetime64,
    offsets: Sequence[int],
    *,
    by_track: bool = True,
) -> list[int]:
    """Choose the acquisitions of a scene, whose neighbours are not known, for a network that learnt from common dates.

    Args:
        times: Acquisition times of one series, shape ``(T,)``, ascending; T is *count* or more.
        count: Number of acquisitions.
        event: Time of the scene's event, UTC.
        offsets: Days from the event to each acquisition that the network learnt from; empty if none are known.
        by_track: Whether tracks matter: for Sentinel-1.

    Returns:
        Ascending indices: at these days if the series has them all, as in the region of training; otherwise those nearest to
        the event, as :func:`data.tiles.tracks.choose_event_steps` explains.
    """
    if len(offsets) != count:
        return choose_event_steps(times, count, event, by_track=by_track)
    days = event.astype("datetime64[D]") + np.array(offsets, int)
    return choose_common_steps(times, days, event, by_track=by_track)
