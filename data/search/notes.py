"""Sentences on what a search found: the track that was chosen, what is missing, and when there may be more."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from data.search.acquisitions import Acquisition
from data.search.items import STATES
from data.search.sources import Source
from data.search.tracks import WHOLE, Track
from data.tiles.map_dates import find_next_pass

SHOWN = 4


def describe_track(
    orbit: str,
    tracks: Sequence[Track],
    event: np.datetime64,
    wanted: tuple[int, int],
    now: np.datetime64,
) -> Iterator[str]:
    """Yield sentences on the track that was chosen, which is the first, and on what it lacks."""
    best = tracks[0]
    others = ", ".join(f"track {one.number} {_percent(one.coverage)}" for one in tracks[1:])
    yield (
        f"{_name(orbit)}: track {best.number} with {_count(len(best.before))} before and {len(best.after)} after the event, "
        f"which cover {_percent(best.coverage)} of the area" + (f" ({others})." if others else ".")
    )
    partial = [one for one in best.chosen if one.coverage < WHOLE]
    if partial:
        yield f"{_name(orbit)}: only a part of the area is seen on {_list(partial)}."
    if len(best.before) < wanted[0]:
        yield (
            f"{_name(orbit)}: there {_are(len(best.before))} before the event, where {wanted[0]} were asked for. It can be "
            "mapped now: a network repeats the earliest one."
        )
    if len(best.after) < wanted[1]:
        yield (
            f"{_name(orbit)}: there {_are(len(best.after))} after the event, where {wanted[1]} were asked for. "
            f"{_say_next(best.passes, event, now)} It can be mapped now with a network that learnt from as few: by default "
            "from 1 or more."
        )


def describe_direction(
    orbit: str, tracks: Sequence[Track], event: np.datetime64, now: np.datetime64
) -> str:
    """Return a sentence on an orbit direction that cannot be mapped."""
    if not tracks:
        return f"{_name(orbit)}: there are no acquisitions of this orbit direction."
    best = tracks[0]
    side = "before" if not best.before else "after"
    text = (
        f"{_name(orbit)}: it cannot be mapped, since there are no acquisitions {side} the event; there "
        f"{_are(len(best.chosen))} of track {best.number} on the other side ({_list(best.chosen)})."
    )
    return text if side == "before" else f"{text} {_say_next(best.passes, event, now)}"


def describe_missing_side(
    ranked: Mapping[str, Sequence[Track]],
    event: np.datetime64,
    now: np.datetime64,
    left_out: Sequence[str],
) -> str:
    """Return the text of the error where no orbit direction has acquisitions on both sides of the event."""
    texts = [describe_direction(orbit, tracks, event, now) for orbit, tracks in ranked.items()]
    late = any(track.before for tracks in ranked.values() for track in tracks)
    remedy = (
        "Run the command again after the next pass, or take another --source: some have images sooner."
        if late
        else "Take another --source: not all have all images."
    )
    return " ".join(
        [
            "This place cannot be mapped yet: there must be acquisitions before and after the event on one track.",
            *texts,
            *left_out,
            remedy,
        ]
    )


def describe_nothing(
    source: Source, start: np.datetime64, end: np.datetime64, left_out: Sequence[str]
) -> str:
    """Return the text of the error where there is no usable acquisition at all."""
    rule = (
        f"There must be acquisitions of Sentinel-1 RTC over the area, but {source.address} has none from {_day(start)} to "
        f"{_day(end)} that can be used."
    )
    remedy = (
        "Check the order of --bbox and the year of --event, or take another --source: Planetary Computer and OPERA RTC-S1 "
        "do not have all places and years."
    )
    return " ".join([rule, *left_out, remedy])


def _say_next(passes: Sequence[Acquisition], event: np.datetime64, now: np.datetime64) -> str:
    """Return a sentence on the next pass of a track: as often as it was found, at most every 12 days."""
    times = np.array([one.time for one in passes])
    due = find_next_pass(times, event)
    if np.datetime64(due) < now.astype("datetime64[D]"):
        return f"The next pass was due about {due}; images come up to some days later, and some passes are left out."
    return f"The next pass is due about {due}."


def _name(orbit: str) -> str:
    return STATES[orbit].capitalize()


def _are(count: int) -> str:
    return f"is {count} acquisition" if count == 1 else f"are {count} acquisitions"


def _count(count: int) -> str:
    return f"{count} acquisition" + ("" if count == 1 else "s")


def _list(passes: Sequence[Acquisition]) -> str:
    """List the first days of passes with their coverage."""
    shown = [f"{_day(one.time)} {_percent(one.coverage)}" for one in passes[:SHOWN]]
    more = f" and {len(passes) - SHOWN} more" if len(passes) > SHOWN else ""
    return ", ".join(shown) + more


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _day(time: np.datetime64) -> str:
    return str(time.astype("datetime64[D]"))
