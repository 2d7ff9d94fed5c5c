"""What the name of a Sentinel-1 product says, and what follows from it: satellite, times, track and orbit direction.

Names, from the producers' own documents:
    ESA ``S1A_IW_GRDH_1SDV_20180906T083510_20180906T083535_023570_02911E_CF51`` (absolute orbit after the times;
    Planetary Computer drops the last word and appends ``_rtc``);
    OPERA RTC-S1 ``OPERA_L2_RTC-S1_T046-097519-IW2_20180906T083510Z_20240106T035531Z_S1A_30_v1.0`` (burst with its track,
    times of acquisition and of processing, spacing in m);
    ASF HyP3 RTC ``S1A_IW_20180906T083510_DVP_RTC10_G_gpuned_B8D9`` (``g`` gamma or ``s`` sigma nought; ``p`` power,
    ``a`` amplitude or ``d`` dB).

References:
    Sentinel-1 product specification, S1-RS-MDA-52-7441; OPERA RTC-S1 product specification, JPL D-108758; HyP3 RTC
    product guide. Tracks of absolute orbits: ESA SentiWiki, Sentinel-1 mission.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from data.tiles.rules import ORBITS

REPEAT_ORBITS = 175
MAX_LATITUDE = 70  # nearer to the poles the local time says little about the direction

_ESA = re.compile(r"(S1[A-D])_\w\w_(\w{4})_\w{4}_(\d{8}T\d{6})_(\d{8}T\d{6})_(\d{6})_[0-9A-F]{6}")
_OPERA = re.compile(
    r"OPERA_L2_RTC-S1_(T(\d{3})-\d{6}-IW\d)_(\d{8}T\d{6})Z_(\d{8}T\d{6})Z_(S1[A-D])_\d+_v[\d.]+"
)
_HYP3 = re.compile(r"(S1[A-D])_\w\w_(\d{8}T\d{6})_\w{3}_RTC\d+_\w_([gs])([pad])\w{4}_[0-9A-F]{4}")
_FIRST_ORBITS = {"S1A": 73, "S1B": 27, "S1D": 42}
# Sentinel-1C was moved in its orbit in June 2026; in between, the track is not told.
_S1C = ((datetime(2026, 6, 9, tzinfo=UTC), 172), (datetime(2026, 6, 24, tzinfo=UTC), None))
_S1C_NOW = 99


@dataclass(frozen=True)
class Product:
    """What a name says; None = nothing.

    Attributes:
        name: The part of the name that was understood.
        platform: Such as ``sentinel-1a``.
        start: Start of acquisition, UTC.
        track: Relative orbit.
        made: Time of processing, UTC.
        burst: Such as ``T046-097519-IW2``.
        quantity: What a HyP3 product holds: ``gp`` gamma nought in power, ``sd`` sigma nought in dB, …
    """

    name: str
    platform: str
    start: datetime
    track: int | None = None
    made: datetime | None = None
    burst: str = ""
    quantity: str = ""


def read_granule(text: str) -> Product | None:
    """Read the first name of ESA in a text, such as that of the granule that a product was made from; None if there is none."""
    if match := _ESA.search(text):
        satellite, _, start, _, orbit = match.groups()
        track = track_of(satellite, int(orbit), _time(start))
        return Product(match[0], _platform(satellite), _time(start), track)
    return None


def read_product(text: str) -> Product | None:
    """Read the first product's name in a text; None if there is none."""
    if match := _OPERA.search(text):
        burst, track, start, made, satellite = match.groups()
        return Product(match[0], _platform(satellite), _time(start), int(track), _time(made), burst)
    if match := _HYP3.search(text):
        satellite, start, *quantity = match.groups()
        return Product(match[0], _platform(satellite), _time(start), quantity="".join(quantity))
    return read_granule(text)


def track_of(satellite: str, absolute_orbit: int, time: datetime) -> int | None:
    """Return the track (relative orbit) of an absolute orbit; None if it is not known.

    Args:
        satellite: ``S1A``, or a platform such as ``sentinel-1a``.
        absolute_orbit: Number of the orbit since launch.
        time: Time of acquisition, UTC.
    """
    word = f"S1{satellite[-1].upper()}"
    first = _FIRST_ORBITS.get(word)
    if word == "S1C":
        first = next((orbit for end, orbit in _S1C if time < end), _S1C_NOW)
    return None if first is None else (absolute_orbit - first) % REPEAT_ORBITS + 1


def direction_of(time: datetime, longitude: float, latitude: float) -> str | None:
    """Return the orbit direction of an acquisition from the local time; None near the poles.

    Sentinel-1 flies along the line between day and night: it crosses the equator northwards at 18:00 local mean solar
    time, southwards at 6:00 (Torres et al. 2012, doi 10.1016/j.rse.2011.05.028).

    Returns:
        ``s1asc`` or ``s1dsc``.
    """
    if abs(latitude) > MAX_LATITUDE:
        return None
    hours = (time.hour + time.minute / 60 + longitude / 15) % 24
    return ORBITS[0] if hours >= 12 else ORBITS[1]


def _platform(satellite: str) -> str:
    return f"sentinel-1{satellite[-1].lower()}"


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
