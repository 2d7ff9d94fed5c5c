"""From images to passes: the frames or bursts that a satellite took one after another on one track are one acquisition."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np
import pystac
import shapely
from shapely.geometry.base import BaseGeometry

from data.io.errors import list_first
from data.search.acquisitions import Acquisition
from data.search.items import STATES, find_problem, footprint_of, start_of

LONGEST_GAP = timedelta(minutes=10)  # within a pass; a whole orbit takes 98 minutes
SAME_TIME = timedelta(seconds=2)  # of a frame or burst that was processed twice
SAME_PLACE = 0.9  # share of both footprints together that each has
LEAST_COVERAGE = 0.001  # a pass that sees less of the area does not see it
SHOWN = 3

_ORBITS = {state: orbit for orbit, state in STATES.items()}


def group_passes(
    items: Iterable[pystac.Item], area: BaseGeometry
) -> tuple[list[Acquisition], list[str]]:
    """Group normalised images into passes.

    Images that cannot be used are left out, and of a frame that was processed twice all but the newest.

    Args:
        items: From :meth:`data.search.sources.Source.search`.
        area: The area that they were found for.

    Returns:
        The passes in order of time, and a sentence for each reason why images were left out.
    """
    usable, notes = _leave_out(items)
    series: dict[tuple[str, int, str], list[pystac.Item]] = defaultdict(list)
    for item in usable:
        properties = item.properties
        key = (
            _ORBITS[properties["sat:orbit_state"]],
            int(properties["sat:relative_orbit"]),
            str(properties["platform"]),
        )
        series[key].append(item)
    passes: list[Acquisition] = []
    older: list[str] = []
    for (orbit, track, platform), members in series.items():
        newest, left = _take_newest(members)
        older += left
        found = (_make(orbit, track, platform, one, area) for one in _split(newest))
        passes += [one for one in found if one.coverage >= LEAST_COVERAGE]
    if older:
        notes.append(_say(older, "processed again later"))
    return sorted(passes, key=lambda one: one.time), notes


def _leave_out(items: Iterable[pystac.Item]) -> tuple[list[pystac.Item], list[str]]:
    """Return the images that can be used, and a sentence for each reason why others cannot."""
    usable: list[pystac.Item] = []
    problems: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if problem := find_problem(item):
            problems[problem].append(item.id)
        else:
            usable.append(item)
    notes = [_say(names, problem) for problem, names in problems.items()]
    return usable, notes


def _say(names: Sequence[str], problem: str) -> str:
    images = f"{len(names):,} image{'s are' if len(names) > 1 else ' is'}"
    return f"{images} left out, {problem}: {list_first(sorted(names), SHOWN)}."


def _take_newest(items: list[pystac.Item]) -> tuple[list[pystac.Item], list[str]]:
    """Return each frame or burst once, as it was processed last, in order of time; and the names of the others."""
    taken: list[pystac.Item] = []
    older: list[str] = []
    at: dict[int, list[tuple[datetime, BaseGeometry]]] = defaultdict(
        list
    )  # by time in steps of SAME_TIME
    for item in sorted(items, key=_rank, reverse=True):
        one = (start_of(item), footprint_of(item))
        step = int(one[0].timestamp() // SAME_TIME.total_seconds())
        near = (other for place in (step - 1, step, step + 1) for other in at[place])
        if any(_is_same(one, other) for other in near):
            older.append(item.id)
        else:
            taken.append(item)
            at[step].append(one)
    return sorted(taken, key=lambda item: (start_of(item), item.id)), older


def _rank(item: pystac.Item) -> tuple[str, str]:
    """Return what is larger for an image that was processed later; the name decides where nothing else does."""
    return str(item.properties.get("processing:datetime", "")), item.id


def _is_same(one: tuple[datetime, BaseGeometry], other: tuple[datetime, BaseGeometry]) -> bool:
    """Return whether two images of a satellite, by start and footprint, are of the same frame or burst."""
    if abs(one[0] - other[0]) > SAME_TIME:
        return False
    shared = one[1].intersection(other[1]).area
    return bool(shared > 0 and shared >= SAME_PLACE * (one[1].area + other[1].area - shared))


def _split(items: list[pystac.Item]) -> list[list[pystac.Item]]:
    """Split the images of a track, in order of time, where they are far apart."""
    groups: list[list[pystac.Item]] = []
    for item in items:
        if groups and start_of(item) - start_of(groups[-1][-1]) <= LONGEST_GAP:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _make(
    orbit: str, track: int, platform: str, items: list[pystac.Item], area: BaseGeometry
) -> Acquisition:
    seen = shapely.union_all([footprint_of(item) for item in items])
    return Acquisition(
        orbit=orbit,
        track=track,
        time=np.datetime64(start_of(items[0]).replace(tzinfo=None), "ns"),
        platform=platform,
        items=tuple(items),
        coverage=min(1.0, seen.intersection(area).area / area.area),
    )
