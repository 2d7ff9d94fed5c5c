"""The catalogue of the data set's inventories: event, coordinate system and place of each region.

A region is data, not code: everything that differs between regions comes from a tile's own attributes, and from
``regions.csv`` where the attributes are silent. A region that the catalogue lacks works too.
"""

import csv
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from data.command import choices
from data.io.errors import unknown_name

DEFAULT_REGION, ALL_REGIONS = choices.DEFAULT_REGION, choices.ALL_REGIONS
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:]+Z?)?", re.ASCII)


@dataclass(frozen=True)
class Region:
    """One row of ``regions.csv``.

    Attributes:
        name: As in file names, such as ``usa_puertorico``.
        event: Time of the event in UTC; the end of its day where only the day is known; None where it is unknown, or
            where the inventory covers several events.
        crs: Coordinate systems of its tiles, such as ``EPSG:32654``; empty if unknown.
        place: For display.
        trigger: For display, such as ``earthquake Mw 6.6``.
        tiles: Tiles of Sentinel-1 ascending and descending in the data set's S12LS-LD split.
        source: Where event and coordinate system come from.
    """

    name: str
    event: np.datetime64 | None
    crs: tuple[str, ...]
    place: str
    trigger: str
    tiles: tuple[int, int]
    source: str


@cache
def read_regions() -> dict[str, Region]:
    """Return the data set's inventories by name, in the order of the file."""
    with choices.REGIONS_FILE.open(newline="", encoding="utf-8") as lines:
        return {row["name"]: _make_region(row) for row in csv.DictReader(lines)}


def _make_region(row: dict[str, str]) -> Region:
    return Region(
        name=row["name"],
        event=parse_time(row["event_utc"]) if row["event_utc"] else None,
        crs=tuple(row["crs"].split()),
        place=row["place"],
        trigger=row["trigger"],
        tiles=(int(row["s1asc_tiles"] or 0), int(row["s1dsc_tiles"] or 0)),
        source=row["source"],
    )


def parse_time(text: str) -> np.datetime64:
    """Return a time in UTC from ``2018-09-05T18:08``; a day alone means its end.

    The files' acquisitions are dated to midnight, so an acquisition on the day of the event counts as before it.

    Raises:
        ValueError: If it is neither a day nor a time.
    """
    try:  # numpy also knows words such as "now", and shifts of time zones
        time = np.datetime64(
            text.strip().removesuffix("Z") if _TIME.fullmatch(text.strip()) else ""
        )
        unit = np.datetime_data(time)[0]
    except ValueError:
        unit = ""
    if unit not in ("D", "h", "m", "s"):
        raise ValueError(
            f"A time must look like 2018-09-05 or 2018-09-05T18:08 (UTC), but got {text!r}. Correct it."
        )
    if unit == "D":
        time = (time + np.timedelta64(1, "D")).astype("datetime64[s]") - np.timedelta64(1, "s")
    seconds: np.datetime64 = time.astype("datetime64[s]")
    return seconds


def choose_regions(words: Iterable[str], available: Collection[str]) -> tuple[str, ...]:
    """Expand region names.

    Args:
        words: Names, or ``all``.
        available: Regions of the data.

    Returns:
        The regions without duplicates, sorted.

    Raises:
        ValueError: If a name is not among the available regions.
    """
    chosen: set[str] = set()
    for word in words:
        if word == ALL_REGIONS:
            chosen.update(available)
        elif word not in available:
            raise ValueError(unknown_name("region", word, [*sorted(available), ALL_REGIONS]))
        else:
            chosen.add(word)
    return tuple(sorted(chosen))


def format_regions(names: Iterable[str]) -> str:
    """Return region names with their places where known, for display."""
    known = read_regions()
    return ", ".join(f"{n} ({known[n].place})" if n in known else n for n in sorted(set(names)))
