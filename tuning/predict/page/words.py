"""Numbers, dates and places of a map as plain words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from data.tiles.regions import parse_time, read_regions

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_END_OF_DAY = "23:59:59"  # what a day without a time is stored as


def format_hectares(area_m2: float) -> str:
    """Format an area in hectares, such as ``1,234.5 ha``; small ones with two decimals."""
    hectares = area_m2 / 1e4
    return f"{hectares:,.1f} ha" if hectares >= 100 else f"{hectares:,.2f} ha"


def format_share(share: float) -> str:
    """Format a share as per cent; one that rounds to nothing is said to be under 0.1%."""
    return "under 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def format_days(days: float) -> str:
    """Format days from the event with their sign, such as ``+6`` or ``\N{MINUS SIGN}5.5``."""
    text = f"{abs(days):.1f}".removesuffix(".0")
    return f"{'+' if days > 0 else chr(0x2212)}{text}"


def format_date(text: str) -> str:
    """Format a time in UTC as ``5 September 2018, 18:08 UTC``, without the time where only the day is known.

    A text that is no time is returned as it is.
    """
    try:
        day, _, clock = str(parse_time(text)).partition("T")
    except ValueError:
        return text
    year, month, number = day.split("-")
    words = f"{int(number)} {_MONTHS[int(month) - 1]} {year}"
    return words if clock == _END_OF_DAY else f"{words}, {clock[:5]} UTC"


def format_event(text: str) -> str:
    """Name one event, or several joined by commas, such as ``the event of 5 September 2018, 18:08 UTC``."""
    times = [format_date(time) for time in text.split(", ") if time]
    if not times:
        return "the event"
    return f"the event{'s' * (len(times) > 1)} of {join(times)}"


def join(words: Sequence[str]) -> str:
    """Join words, the last two by ``and``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def count(number: int, noun: str) -> str:
    """Return a number and a noun, which gets its ``s`` unless the number is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_degrees(latitude: float, longitude: float) -> str:
    """Return a place such as ``42.76° N, 141.92° E``, nothing if it is not known."""
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return ""
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    return f"{abs(latitude):.2f}° {north}, {abs(longitude):.2f}° {east}"


def find_place(summary: Mapping[str, Any], crs: str) -> str:
    """Return the place of a map: the summary's own, else that of the inventory with the scene's event and coordinate system.

    Nothing if it is not known, or if the scene did not name its event, so that the model's was taken.
    """
    if named := summary.get("place"):
        return str(named)
    if any(str(note).startswith("The scene names no event") for note in summary.get("notes", ())):
        return ""
    for region in read_regions().values():
        if region.event is not None and str(region.event) == summary.get("event"):
            return region.place if crs in region.crs else ""
    return ""
