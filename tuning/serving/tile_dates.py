"""The dates of a tile as a served model's input: the time of the event, and the acquisitions to read around it.

This module becomes part of every logged model, which loads without this project, so it repeats `data.tiles.events`; a test
compares them.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from data.tiles.map_dates import DatesError, LearntDates, choose_map_steps
from tuning.serving.tile_rules import TileInputError, refuse

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


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


def check_repeats(bands: Mapping[str, np.ndarray], times: np.ndarray, path: Path) -> None:
    """Refuse two images with one time, unless they are the same: the publisher repeats the last one to fill up."""
    for step in np.flatnonzero(np.diff(times) == np.timedelta64(0)):
        for values in bands.values():
            if not np.array_equal(values[step], values[step + 1], equal_nan=True):
                rule = "Two acquisitions with the same time must be the same image"
                raise refuse("time-duplicate", rule, f"two images of {times[step]}", path)


def choose_input_steps(
    times: np.ndarray,
    steps: str,
    count: int,
    event: np.datetime64,
    path: Path,
    learnt: LearntDates,
    *,
    by_track: bool,
) -> list[int]:
    """Choose the acquisitions that a network compares, as `data.tiles.map_dates` explains.

    Args:
        times: Acquisition times of one modality, shape ``(T,)``, ascending.
        steps: How the network chooses acquisitions.
        count: Number of acquisitions.
        event: Time of the event, UTC.
        path: The file, for the message.
        learnt: What the network learnt from, stored with the model.
        by_track: Whether tracks matter: for Sentinel-1.

    Returns:
        *count* indices that do not descend.

    Raises:
        TileInputError: If the acquisitions are not on both sides of the event, or others than those learnt from.
    """
    try:
        chosen = choose_map_steps(times, steps, count, event, learnt, by_track=by_track)
        reason = (
            "" if times[chosen[0]] <= event < times[chosen[-1]] else "none is on one side of it"
        )
    except DatesError as error:
        chosen, reason = list(range(len(times))), str(error)
    if reason:
        got = ", ".join(np.datetime_as_string(times[chosen], "D"))
        raise TileInputError(
            f"A landslide map needs acquisitions before and after the event ({event}), but got {got} in {path}: {reason}. "
            'Choose another tile, or pass another event: params={"event": …}.',
            "event-outside",
        )
    return chosen


def place_steps(steps: Sequence[int], length: int) -> list[int]:
    """Return an acquisition for each of *length* dates, with *steps* at the evenly spread ones, which a network selects."""
    read = list(range(length))
    for place, step in zip(find_places(len(steps), length), steps, strict=True):
        read[place] = step
    return read


def find_places(count: int, length: int) -> list[int]:
    """Return *count* evenly spread places of *length*, the first and the last included."""
    return [int(place) for place in np.linspace(0, length - 1, count).round()]
