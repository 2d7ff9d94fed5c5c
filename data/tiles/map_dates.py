"""Which acquisitions of a scene a trained network reads: those that its training would choose, or what there is of them.

Soon after an event a place has fewer images than the network's train tiles have. A network that learnt from cut series (see
`data.pack.augmentation`) maps it from the images that there are: the last one takes the places of those to come.

This module and those that it imports become part of every logged model, so they need only NumPy.
"""

from dataclasses import dataclass

import numpy as np

from data.tiles.common_dates import choose_learnt_steps
from data.tiles.tracks import choose_event_steps, choose_window_steps, find_tracks, rank_steps
from data.values.window import is_around_event, is_window, parse_window

CYCLE_DAYS = 12  # between passes of one satellite of Sentinel-1 over a place on one track
SLACK_DAYS = 2 * CYCLE_DAYS
MOST_RATIO = 2  # of the days from the event to an acquisition, in a scene and in training


class DatesError(ValueError):
    """A scene lacks acquisitions that a network needs; the message says which, and when there may be another one."""


@dataclass(frozen=True)
class LearntDates:
    """The acquisitions of one modality that a network learnt from.

    Attributes:
        days: Days from the event to each of them, ascending, negative before the event: the median over train tiles.
            Empty if they are not known.
        after: How many of them are after the event; None if it is not known.
        least_after: Fewest acquisitions after the event from which it learnt to map.
    """

    days: tuple[int, ...] = ()
    after: int | None = None
    least_after: int = 1


def choose_map_steps(
    times: np.ndarray,
    steps: str,
    count: int,
    event: np.datetime64,
    learnt: LearntDates,
    *,
    by_track: bool,
) -> list[int]:
    """Choose the acquisitions of a scene that a network reads.

    They are those that training would choose, if as many of them are after the event. Otherwise the places before and after the
    event are filled separately: with the acquisitions at the days that are nearest to those of training (``even``), or with
    those nearest to the event, of one track where possible. What is missing on a side is replaced by the acquisition of that
    side that is farthest from the event.

    Args:
        times: Acquisition times of one series, UTC, shape ``(T,)``, ascending.
        steps: One of ``data.pack.channels.STEPS``, or a window.
        count: Number of acquisitions that the network reads.
        event: Time of the event, UTC; an acquisition at this time is before it.
        learnt: What the network learnt from.
        by_track: Whether tracks matter: for Sentinel-1.

    Returns:
        *count* indices that do not descend.

    Raises:
        DatesError: If there are too few acquisitions before or after the event, or they are at other distances from it than
            in training.
    """
    usual = _choose_usual(times, steps, count, event, learnt, by_track)
    if learnt.after is None or len(learnt.days) != count:
        return usual
    late = times > event
    if is_window(steps):  # fills its sides itself
        _check_counts(times, event, learnt)
    elif not usual or late[usual].sum() != learnt.after:
        _check_counts(times, event, learnt)
        usual = _fill_sides(times, steps, event, learnt, by_track)
    _check_distances(times[usual], event, learnt)
    return usual


def _choose_usual(
    times: np.ndarray,
    steps: str,
    count: int,
    event: np.datetime64,
    learnt: LearntDates,
    by_track: bool,
) -> list[int]:
    """Choose as in training; nothing if there are fewer acquisitions than the network reads."""
    if is_window(steps):
        window = parse_window(steps)
        sides = (window.pre or 0, window.post or 0)
        return choose_window_steps(times, *sides, event, by_track=by_track)
    if len(times) < count:
        return []
    if steps == "event":
        return choose_event_steps(times, count, event, by_track=by_track)
    if steps == "common":
        return choose_learnt_steps(times, count, event, learnt.days, by_track=by_track)
    return [int(step) for step in np.linspace(0, len(times) - 1, count).round()]


def _check_counts(times: np.ndarray, event: np.datetime64, learnt: LearntDates) -> None:
    late = times[times > event]
    if len(late) == len(times):
        raise DatesError("there is none before it")
    count = len(np.unique(late))
    if count < learnt.least_after:
        raise DatesError(
            f"there {'is' if count == 1 else 'are'} {count} after it, where the network learnt from {learnt.least_after} or "
            f"more. The next pass is due about {find_next_pass(times, event)}"
        )


def find_next_pass(times: np.ndarray, event: np.datetime64) -> str:
    """Return the day of the next pass after a series: on the track of its last acquisition, as often as the series has it.

    Args:
        times: Acquisition times, shape ``(T,)``, ascending, one or more.
        event: Time of the event: a pass before it would not help.
    """
    days = np.unique(times.astype("datetime64[D]"))
    tracks = find_tracks(days)
    gaps = np.diff(days[tracks == tracks[-1]]).astype(int)
    step = np.timedelta64(min([CYCLE_DAYS, *gaps.tolist()]), "D")
    due = days[-1] + step
    while due <= event.astype("datetime64[D]"):
        due += step
    return _day(due)


def _fill_sides(
    times: np.ndarray, steps: str, event: np.datetime64, learnt: LearntDates, by_track: bool
) -> list[int]:
    """Fill the places before and after the event, each from its own side."""
    after = learnt.after or 0
    places = {False: learnt.days[: len(learnt.days) - after], True: learnt.days[-after:]}
    offsets = (times.astype("datetime64[D]") - event.astype("datetime64[D]")).astype(int)
    ranked = rank_steps(times, event, by_track=by_track)
    chosen: list[int] = []
    for late, days in places.items():
        side = [step for step in ranked if (times[step] > event) == late]
        if is_around_event(steps):
            found = sorted(side[: len(days)])
        else:
            found = sorted(min(side, key=lambda step: abs(offsets[step] - day)) for day in days)
        missing = len(days) - len(found)
        chosen += [*found, *missing * found[-1:]] if late else [*missing * found[:1], *found]
    return chosen


def _check_distances(times: np.ndarray, event: np.datetime64, learnt: LearntDates) -> None:
    """Refuse acquisitions more than twice as far from the event as in training, or less than half as far.

    Two cycles are allowed in any case. After the event, images nearer than in training are those of a cut series.
    """
    found = (times.astype("datetime64[D]") - event.astype("datetime64[D]")).astype(int)
    cut = learnt.least_after < (learnt.after or 0)
    for time, day, wanted in zip(times, found.tolist(), learnt.days, strict=True):
        far = MOST_RATIO * abs(wanted) + SLACK_DAYS
        near = 0 if cut and wanted > 0 else abs(wanted) / MOST_RATIO - SLACK_DAYS
        if not near <= abs(day) <= far:
            side = "after" if day > 0 else "before"
            raise DatesError(
                f"that of {_day(time)} is {abs(day)} days {side} it, where the network learnt from one of {abs(wanted)} days"
            )


def _day(time: np.datetime64) -> str:
    return str(time.astype("datetime64[D]"))
