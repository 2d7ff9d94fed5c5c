"""Tracks (relative orbits) of Sentinel-1 in a list of dates, and the acquisitions to compare over an event.

Sentinel-1 passes over a place on the same track every 12 days, and with a second satellite half-way every 6 days. Two
tracks that see the same place in the same direction are 5 or 7 days apart if they are neighbours, 2 or 10 days if one
lies between them (175 orbits in 12 days: the neighbour to the west comes 73 orbits later). So the day modulo 6 tells
tracks apart, and both satellites of a track fall together. On another track the sensor looks at another incidence
angle, and backscatter differs without any change on the ground.

Limits: dates alone are used, so a list that mixes ascending and descending passes, or a track whose pass falls around
midnight UTC, may be counted wrongly; a seventh neighbour falls together with the first.

Reference:
    Torres et al. (2012), GMES Sentinel-1 mission, doi 10.1016/j.rse.2011.05.028 (12-day repeat, 175 orbits, satellites
    180 degrees apart).
"""

import numpy as np

REPEAT_DAYS = 6  # between passes of a track, with both satellites


def find_tracks(times: np.ndarray) -> np.ndarray:
    """Return the track of each acquisition, numbered from 0 in the order of their first dates.

    Args:
        times: Acquisition times of one orbit direction in UTC, shape ``(T,)``.

    Returns:
        Shape ``(T,)``, int64.
    """
    phases = times.astype("datetime64[D]").astype(np.int64) % REPEAT_DAYS
    _, first, track = np.unique(phases, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first)))[track]


def find_repeats(times: np.ndarray) -> np.ndarray:
    """Return which acquisitions, shape ``(T,)``, repeat the one before: their time is the same.

    `data.tiles` refuses equal times with different images, so the image is the same as well.
    """
    return np.concatenate([[False], np.diff(times) == np.timedelta64(0)])


def rank_tracks(times: np.ndarray, event: np.datetime64) -> list[int]:
    """Return the tracks with acquisitions before and after an event, the one with the shortest pair first.

    Args:
        times: Acquisition times, shape ``(T,)``, ascending.
        event: Time of the event; an acquisition at this time is before it.

    Returns:
        Tracks of :func:`find_tracks`. The pair of a track is its last acquisition before the event and its first one after it.
    """
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
    """Choose acquisitions around an event: half of them before it, the rest after, of one track where possible.

    1. Repeated images are left out, unless fewer than *count* others exist.
    2. The track is the first of :func:`rank_tracks`; if no track has both sides, all acquisitions count alike.
    3. On each side the acquisitions of that track come first, then the others, each from the event outwards. An odd
       *count* has one more after the event. If one side has too few, the other side fills up.

    Args:
        times: Acquisition times of one series, shape ``(T,)``, ascending; T is *count* or more.
        count: Number of acquisitions.
        event: Time of the event, UTC.
        by_track: Whether tracks matter: for Sentinel-1, not for Sentinel-2, which looks down.

    Returns:
        Ascending indices, *count* of them.
    """
    repeats = find_repeats(times)
    usable = [*np.flatnonzero(~repeats), *np.flatnonzero(repeats)]
    usable = usable[: max(count, int((~repeats).sum()))]
    ranked = [step for step in rank_steps(times, event, by_track=by_track) if step in usable]
    before = [step for step in ranked if times[step] <= event]
    after = [step for step in ranked if times[step] > event]
    take = min(len(after), max((count + 1) // 2, count - len(before)))
    return sorted((*before[: count - take], *after[:take]))


def choose_window_steps(
    times: np.ndarray, before: int, after: int, event: np.datetime64, *, by_track: bool = True
) -> list[int]:
    """Choose a fixed number of acquisitions on each side of an event, in the order of :func:`rank_steps`.

    So the acquisitions of one side do not depend on how many are chosen on the other, and fewer of a side are among more.
    A side that has too few repeats its acquisition that is farthest from the event; a side without any, the nearest one of
    the other side. Repeats have no day and tell a network nothing new.

    Args:
        times: Acquisition times of one series, shape ``(T,)``, ascending.
        before: Number of acquisitions before the event, 1 or more; an acquisition at its time is before it.
        after: Number of acquisitions after it, 1 or more.
        event: Time of the event, UTC.
        by_track: Whether tracks matter: for Sentinel-1.

    Returns:
        Indices that do not descend, *before* and then *after* of them.
    """
    repeats = find_repeats(times)
    ranked = [s for s in rank_steps(times, event, by_track=by_track) if not repeats[s]]
    early = sorted([step for step in ranked if times[step] <= event][:before])
    late = sorted([step for step in ranked if times[step] > event][:after])
    first, last = (early or late)[0], (late or early)[-1]
    return [*(before - len(early)) * [first], *early, *late, *(after - len(late)) * [last]]


def rank_steps(times: np.ndarray, event: np.datetime64, *, by_track: bool = True) -> list[int]:
    """Return all acquisitions in the order in which they are chosen: repeats last, other tracks late, near the event first.

    Args:
        times: Acquisition times of one series, shape ``(T,)``, ascending.
        event: Time of the event, UTC.
        by_track: Whether the track of the first of :func:`rank_tracks` comes before the others.
    """
    repeats, tracks = find_repeats(times), find_tracks(times)
    ranked = rank_tracks(times, event) if by_track else []
    first = int(np.searchsorted(times, event, side="right"))  # first acquisition after the event

    def order(step: int) -> tuple[bool, bool, int]:
        other = bool(ranked) and tracks[step] != ranked[0]
        return bool(repeats[step]), other, step if step >= first else -step

    return sorted(range(len(times)), key=order)


def describe_tracks(times: np.ndarray, event: np.datetime64 | None = None) -> str:
    """Return a sentence on the tracks of a series, empty if it has one track.

    Args:
        times: Acquisition times of one orbit direction, shape ``(T,)``, ascending.
        event: Time of the event, if it is known: then the sentence says which pair of dates is compared.
    """
    counts = np.bincount(find_tracks(times))
    if len(counts) < 2:
        return ""
    sizes = ", ".join(map(str, counts[:-1])) + f" and {counts[-1]}"
    text = f"Dates span {len(counts)} tracks of {sizes} acquisitions"
    if event is None or not (times <= event).any() or not (times > event).any():
        return f"{text}."
    steps = choose_event_steps(times, 2, event)
    first = int(np.searchsorted(times, event, side="right"))
    pair = " and ".join(np.datetime_as_string(times[steps], "D"))
    if not rank_tracks(times, event):
        return f"{text}; none has dates on both sides of the event, so {pair} of two tracks are compared."
    if steps == [first - 1, first]:
        return f"{text}; {pair} of one track are the nearest to the event."
    return (
        f"{text}; the nearest to the event are of two tracks, so {pair} of one track are compared."
    )
