"""The publisher's choice of dates for real tiles, applied to the twin's orbits, where annotated tiles are known.

The rule is that of `select_images` in the data set's own tool (repository PaulH97/Sen12Landslides, commit fc138ce,
src/preprocess/modules/patch_module.py), for images of equal quality.
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import numpy as np

from data.check.leak_features import DateTable
from data.tiles import ACQUISITIONS
from data.twin.orbits import Acquisition, list_passes
from data.twin.regions import HOKKAIDO, Site

ORBITS = tuple(HOKKAIDO.orbits)
EVENT = np.datetime64("2018-09-05T18:08", "s")


def choose_published(days: Sequence[date], event: date | None) -> list[date]:
    """Choose 15 dates as the publisher does.

    1. The span is cut into 15 equal intervals; the first image of each is taken.
    2. For annotated tiles, the last image before the event and the first one after it are added.
    3. Of too many, the earliest go, but those around the event stay; of too few, the earliest others are added.
    4. If there are still too few, the last image is repeated.

    Args:
        days: All passes, ascending.
        event: Day of the event; None for a tile without landslides.
    """
    numbers = np.array([day.toordinal() for day in days])
    edges = np.linspace(numbers[0], numbers[-1], ACQUISITIONS + 1)
    first = np.searchsorted(numbers, edges)
    chosen = {int(a) for a, b in pairwise(first) if a < b}
    kept: set[int] = set()
    if event is not None:
        kept = {
            max(index for index, day in enumerate(days) if day < event),
            min(index for index, day in enumerate(days) if day > event),
        }
    chosen |= kept
    surplus = max(0, len(chosen) - ACQUISITIONS)
    chosen -= set(sorted(chosen - kept)[:surplus])
    spare = [index for index in range(len(days)) if index not in chosen]
    chosen |= set(spare[: ACQUISITIONS - len(chosen)])
    found = [days[index] for index in sorted(chosen)]
    return found + found[-1:] * (ACQUISITIONS - len(found))


def list_published(orbit: str, annotated: bool) -> list[Acquisition]:
    """Return a tile's acquisitions on one of the twin's orbits by the publisher's rule."""
    passes = {
        each.day: each for each in list_passes(HOKKAIDO.orbits[orbit].tracks[0], HOKKAIDO.calendar)
    }
    days = choose_published(sorted(passes), HOKKAIDO.calendar.event if annotated else None)
    return [passes[day] for day in days]


def make_table(
    sites: Sequence[Site], dates: Sequence[Sequence[Sequence[Acquisition]]]
) -> DateTable:
    """Return the table of some tiles' acquisitions, one list for each tile and orbit."""
    times = np.array([[[each.day for each in series] for series in tile] for tile in dates])
    return DateTable(
        times=times.astype("datetime64[s]"),
        modalities=ORBITS,
        events=np.full(len(sites), EVENT),
        annotated=np.array([site.annotated_px > 0 for site in sites]),
        corners=np.array([site.corner_m for site in sites], np.float64),
        regions=("hokkaido",) * len(sites),
    )
