"""Which track of an orbit direction to take, and which of its passes: those nearest the event, on both sides of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.search.acquisitions import Acquisition

WHOLE = 0.99  # a pass that covers as much covers the area
HALF = 0.5  # a pass with less than this share of what the best one covers is taken last


@dataclass(frozen=True)
class Track:
    """A track, and the passes of it that would be taken.

    Attributes:
        number: Relative orbit.
        before: Passes at or before the event, ascending in time.
        after: Passes after it.
        passes: All passes that were found, ascending in time.
        score: Mean coverage on each side, 0 to 1 each, where a missing pass covers nothing; then their mean.
    """

    number: int
    before: tuple[Acquisition, ...]
    after: tuple[Acquisition, ...]
    passes: tuple[Acquisition, ...]
    score: float

    @property
    def chosen(self) -> tuple[Acquisition, ...]:
        """The passes that would be taken, ascending in time."""
        return (*self.before, *self.after)

    @property
    def has_both_sides(self) -> bool:
        """Whether there are passes before and after the event."""
        return bool(self.before and self.after)

    @property
    def coverage(self) -> float:
        """Mean coverage of the passes that would be taken, 0 to 1."""
        return float(np.mean([one.coverage for one in self.chosen]))


def rank_tracks(
    passes: Sequence[Acquisition], event: np.datetime64, before: int, after: int
) -> list[Track]:
    """Rank the tracks of one orbit direction, the best first.

    A track with passes on both sides of the event comes first, then the one with the highest score, then the one whose first
    pass after the event is the earliest.

    Args:
        passes: Passes of one orbit direction, ascending in time.
        event: Time of the event, UTC; a pass at this time is before it.
        before: Wanted passes before the event.
        after: Wanted passes after it.
    """
    by_track: dict[int, list[Acquisition]] = defaultdict(list)
    for one in passes:
        by_track[one.track].append(one)
    tracks = [_make(track, found, event, before, after) for track, found in by_track.items()]
    never = np.datetime64("9999-01-01", "ns")

    def order(track: Track) -> tuple[bool, float, np.datetime64, int]:
        first = track.after[0].time if track.after else never
        return not track.has_both_sides, -round(track.score, 2), first, track.number

    return sorted(tracks, key=order)


def _make(
    number: int, passes: list[Acquisition], event: np.datetime64, before: int, after: int
) -> Track:
    best = max(one.coverage for one in passes)
    sides = []
    for late, count in ((False, before), (True, after)):
        side = [one for one in passes if (one.time > event) == late]
        ranked = sorted(side, key=lambda one: (one.coverage < HALF * best, abs(one.time - event)))
        sides.append(tuple(sorted(ranked[:count], key=lambda one: one.time)))
    score = np.mean(
        [
            sum(one.coverage for one in side) / count
            for side, count in zip(sides, (before, after), strict=True)
        ]
    )
    return Track(number, sides[0], sides[1], tuple(passes), float(score))
