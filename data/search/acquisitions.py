"""What a search finds: the passes of Sentinel-1 over an area around an event, as STAC items that can be loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from shapely.geometry.base import BaseGeometry

from data.search.extra import INSTALL

try:
    import pystac
except ImportError as error:  # the first module of this package that all others import
    raise ImportError(
        f"The search for acquisitions needs packages of an extra. Install it: {INSTALL}."
    ) from error


@dataclass(frozen=True)
class Acquisition:
    """One pass of a satellite over an area: its frames or bursts.

    Attributes:
        orbit: ``s1asc`` or ``s1dsc``.
        track: Relative orbit, 1 to 175.
        time: Start of the first frame, UTC.
        platform: Such as ``sentinel-1a``.
        items: Frames or bursts, in order of their times; each has the assets ``VV`` and ``VH``, gamma nought as linear power.
        coverage: Share of the area that their footprints cover, 0 to 1.
    """

    orbit: str
    track: int
    time: np.datetime64
    platform: str
    items: tuple[pystac.Item, ...]
    coverage: float


@dataclass(frozen=True)
class Found:
    """The acquisitions to load.

    Attributes:
        area: The area in longitude and latitude, WGS 84; beyond the antimeridian longitudes go on past 180.
        event: Time of the event, UTC.
        source: Word of the catalogue, such as ``planetary``.
        address: Address of the catalogue.
        acquisitions: By orbit, ascending in time; only orbits of which there are some.
        heights: Items of a height model, each with the asset ``DEM`` in m.
        notes: What the user should know, a sentence each.
        synthetic: Whether the catalogue says that its pixels are simulated.
    """

    area: BaseGeometry
    event: np.datetime64
    source: str
    address: str
    acquisitions: Mapping[str, tuple[Acquisition, ...]]
    heights: tuple[pystac.Item, ...] = ()
    notes: tuple[str, ...] = field(default=())
    synthetic: bool = False
