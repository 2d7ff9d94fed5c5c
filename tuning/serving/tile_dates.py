"""The dates of a tile as a served model's input: the time of the event, and the acquisitions to read around it.

This module becomes part of every logged model, which loads without this project, so it repeats `data.tiles.events`,
`data.tiles.tracks`, `data.tiles.common_dates` and `data.scene.base.choose_steps`; a test compares them.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tuning.serving.tile_rules import TileInputError, refuse

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
AROUND_EVENT = ("event", "common")
REPEAT_DAYS = 6  # between passes of one track of Sentinel-1, with both satellites


def parse_event(text: object) -> np.datetime64:
    """Return a time in UTC, datetime64[s], from ``2018-09-05T18:08``; a day alone means its end."""
    try:
        time = np.datetime64(str(text).strip().removesuffix("Z"))
        if np.datetime_data(time)[0] not in ("D", "h", "m", "s"):
            raise ValueError(text)
    except ValueError as error:
        raise ValueError(
            f"An event must look like 2018-09-05 or 2018-09-05T18:08 (UTC), but got {text!r}. Correct it."
        ) from error
    is_day = np.datetime_data(time)[0] == "D"
    start: np.datetime64 = (time + 1 if is_day else time).astype("datetime64[s]")
    return start - np.timedelta64(1, "s") if is_day else start


def find_event(
    event_date: str, region: str, known: Mapping[str, str], given: np.datetime64 | None, path: Path
) -> np.datetime64:
    """Return the time of the event of a tile's landslides.

    Args:
        event_date: The file's attribute; empty on tiles without landslides. Of several days the last one counts.
        region: The region in the file's name.
        known: Times of events by region, stored with the model.
        given: The caller's own time, which comes before the others.
        path: The file, for the message.

    Raises:
        TileInputError: If no event is known.
    """
    if given is not None:
        return given
    stored = parse_event(known[region]) if region in known else None
    days = []
    for word in DAY.findall(event_date):
        with suppress(ValueError):  # 2018-13-45
            days.append(np.datetime64(word, "D"))
    if days and (stored is None or stored.astype("datetime64[D]") != max(days)):
        return parse_event(max(days))
    if stored is None:
        raise TileInputError(
            f"A tile needs the time of its event, but got no event_date in {path}, and the model knows none of "
            f'{region!r}. Pass it: params={{"event": "2018-09-05T18:08"}} (UTC).',
            "no-event",
        )
    return stored


def read_times(variable: Any, path: Path) -> np.ndarray:
    """Return the acquisition times of an open file's ``time``, shape ``(T,)``, datetime64[s], ascending."""
    import netCDF4

    calendar = getattr(variable, "calendar", "standard")
    try:
        dates: Any = netCDF4.num2date(
            variable[:], variable.units, calendar, only_use_cftime_datetimes=False
        )
        times = np.array([date.isoformat() for date in dates], "datetime64[s]")
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise refuse("time-not-dates", "time must be dates", error, path) from error
    if np.isnat(times).any():
        raise refuse("time-not-dates", "time must be dates", "NaT", path)
    if (np.diff(times) < np.timedelta64(0)).any():
        raise refuse("time-unsorted", "time must be ascending", times, path)
    return times


def choose_input_steps(
    times: np.ndarray,
    steps: str,
    count: int,
    event: np.datetime64,
    path: Path,
    *,
    by_track: bool,
    offsets: Sequence[int] = (),
) -> list[int]:
    """Choose the acquisitions that a network compares, and check that they lie on both sides of the event.

    Args:
        times: Acquisition times of one modality, shape ``(T,)``, ascending.
        steps: ``event``: nearest to the event, of one track where possible; ``common``: at the days of *offsets* if the
            tile has all of them, else as for ``event``; otherwise evenly over the series.
        count: Number of acquisitions.
        event: Time of the event, UTC.
        path: The file, for the message.
        by_track: Whether tracks matter: for Sentinel-1.
        offsets: Days from the event to each acquisition that the network learnt from, stored with the model.

    Returns:
        *count* ascending indices.
    """
    if steps in AROUND_EVENT:
        chosen = choose_learnt_steps(times, count, event, offsets, by_track=by_track)
    else:
        chosen = [int(step) for step in np.linspace(0, len(times) - 1, count).round()]
    if not times[chosen[0]] <= event < times[chosen[-1]]:
        got = ", ".join(np.datetime_as_string(times[chosen], "D"))
        raise TileInputError(
            f"A landslide map needs acquisitions before and after the event ({event}), but got {got} in {path}. "
            'Choose another tile, or pass another event: params={"event": …}.',
            "event-outside",
        )
    return chosen


def choose_learnt_steps(
    times: np.ndarray,
    count: int,
    event: np.datetime64,
    offsets: Sequence[int],
    *,
    by_track: bool = True,
) -> list[int]:
    """Choose *count* acquisitions as `data.tiles.common_dates.choose_learnt_steps` explains."""
    days, wanted = (
        times.astype("datetime64[D]"),
        event.astype("datetime64[D]") + np.array(offsets, int),
    )
    if len(offsets) == count and np.isin(wanted, days).all():
        return [int(step) for step in np.searchsorted(days, wanted)]
    return choose_event_steps(times, count, event, by_track=by_track)


def find_tracks(times: np.ndarray) -> np.ndarray:
    """Return the track of each acquisition, shape ``(T,)``, numbered in the order of their first dates."""
    phases = times.astype("datetime64[D]").astype(np.int64) % REPEAT_DAYS
    _, first, track = np.unique(phases, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first)))[track]


def find_repeats(times: np.ndarray) -> np.ndarray:
    """Return which acquisitions, shape ``(T,)``, repeat the one before: their time is the same."""
    return np.concatenate([[False], np.diff(times) == np.timedelta64(0)])


def rank_tracks(times: np.ndarray, event: np.datetime64) -> list[int]:
    """Return the tracks with acquisitions on both sides of the event, the one with the shortest pair first."""
    tracks, after = find_tracks(times), times > event
    spans = {}
    for track in range(tracks.max(initial=-1) + 1):
        before, later = times[(tracks == track) & ~after], times[(tracks == track) & after]
        if len(before) and len(later):
            spans[track] = later[0] - before[-1]
    return sorted(spans, key=lambda track: spans[track])


def choose_event_steps(
    times: np.ndarray, count: int, event: np.datetime64, *, by_track: bool = True
) -> list[int]:
    """Choose *count* acquisitions around the event, as `data.tiles.tracks.choose_event_steps` explains."""
    repeats, tracks = find_repeats(times), find_tracks(times)
    ranked = rank_tracks(times, event) if by_track else []
    usable = [*np.flatnonzero(~repeats), *np.flatnonzero(repeats)]
    usable = sorted(usable[: max(count, int((~repeats).sum()))])
    first = int(np.searchsorted(times, event, side="right"))  # first acquisition after the event

    def order(step: int) -> tuple[bool, bool, int]:
        other = bool(ranked) and tracks[step] != ranked[0]
        return bool(repeats[step]), other, step if step >= first else -step

    before = sorted((step for step in usable if step < first), key=order)
    after = sorted((step for step in usable if step >= first), key=order)
    take = min(len(after), max((count + 1) // 2, count - len(before)))
    return sorted(int(step) for step in (*before[: count - take], *after[:take]))
