"""The catalogues that can be searched, by the word of ``--source``.

All give items alike: normalised STAC items of gamma nought in linear power, assets ``VV`` and ``VH``, and of heights,
asset ``DEM`` (see :mod:`data.search.items`). So one loader reads them all.

Earth Search (Element 84) is not offered: its version 1 lists ``sentinel-1-grd`` only, ground range amplitudes without
terrain correction, and no RTC collection.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pystac
from shapely.geometry.base import BaseGeometry

from data.io.errors import hide_password, unknown_name
from data.io.safe_json import refused_error
from data.search.asf import AsfSource
from data.search.folder import FolderSource
from data.search.planetary import PlanetarySource
from data.search.stac import StacSource

WORDS = ("planetary", "asf", "stac:URL", "folder:PATH")
EARTH_SEARCH = (
    "Earth Search has Sentinel-1 only as GRD (ground range amplitudes, not terrain-corrected), which cannot be mapped. "
    "Take --source planetary or asf."
)


class Source(Protocol):
    """A catalogue of Sentinel-1 RTC images."""

    @property
    def word(self) -> str:
        """What ``--source`` calls it."""
        ...

    @property
    def address(self) -> str:
        """Its address or folder."""
        ...

    def search(self, area: BaseGeometry, start: datetime, end: datetime) -> Iterator[pystac.Item]:
        """Find the images of an area.

        Args:
            area: From :func:`data.search.area.read_area`.
            start: First time, UTC.
            end: Last time, UTC.

        Yields:
            Normalised items in any order; their footprints lie beside the area. Images that lack something are among them.

        Raises:
            SourceError: If the catalogue does not answer, or has no such images at all.
        """
        ...

    def search_heights(self, area: BaseGeometry) -> Iterator[pystac.Item]:
        """Find the heights of an area: items with the asset ``DEM`` in m; none if the catalogue has none.

        Raises:
            SourceError: If the catalogue does not answer.
        """
        ...

    def sign(self, href: str) -> str:
        """Return the address to read an asset from, just before it is read: what was signed before may have expired.

        Raises:
            SourceError: If the catalogue does not sign it.
        """
        ...

    def environment(self, href: str = "") -> dict[str, str]:
        """Return GDAL's options for reading an asset, such as those of a login.

        Args:
            href: The asset's address, signed or not: a login must not be sent to another host. Empty for the images.
        """
        ...


SOURCES: dict[str, Callable[[str], Source]] = {
    "planetary": lambda rest: PlanetarySource(),
    "asf": lambda rest: AsfSource(),
    "stac": StacSource,
    "folder": lambda rest: FolderSource(Path(rest)),
}
_NEED_MORE = {"stac": "stac:https://…", "folder": "folder:PATH"}


def open_source(word: str) -> Source:
    """Return the catalogue that ``--source`` names; a folder's path alone will do.

    Raises:
        ValueError: If there is no such word, or it lacks its address or has one too many.
        FileNotFoundError: If there is no such folder.
        SourceError: If a login or a package is missing.
    """
    kind, colon, rest = word.partition(":")
    if kind.lower() in ("earthsearch", "earth-search"):
        raise refused_error(
            "--source must have terrain-corrected images", word, "--source", EARTH_SEARCH
        )
    if kind in SOURCES and bool(colon) == (kind in _NEED_MORE) and (rest or not colon):
        if hide_password(rest) != rest:
            rule = "A catalogue's address must hold no keys, since it is stored with the scene"
            raise refused_error(rule, hide_password(word, "***@"), "--source", "Take them out.")
        return SOURCES[kind](rest)
    if kind in _NEED_MORE:
        remedy = f"Give {_NEED_MORE[kind]}."
        raise refused_error(f"--source {kind} must have an address", word, "--source", remedy)
    if word and Path(word).is_dir():
        return FolderSource(Path(word))
    raise ValueError(unknown_name("--source", word, WORDS))
