"""The Alaska Satellite Facility: OPERA RTC-S1, terrain-corrected bursts at 30 m, of the land between 60 S and 84 N.

Follows asf_search 14 (``search_generator``), which asks NASA's Common Metadata Repository (``/search/granules.umm_json``,
UMM-G), and the OPERA RTC-S1 product specification (JPL D-108758): a product is one burst; ``…_VV.tif`` and ``…_VH.tif``
hold gamma nought as linear power. The mask of shadow and layover beside them is not read.

The images are read with an Earthdata login: a token in EARTHDATA_TOKEN, or user and password for urs.earthdata.nasa.gov
in a netrc file. ASF has no heights; they are those of Planetary Computer's catalogue, which needs no login and is searched
as any other (the same tiles lie in an open bucket on AWS, without a catalogue of STAC).

Environment:
    EARTHDATA_TOKEN: A token of https://urs.earthdata.nasa.gov.
    NETRC: The netrc file, if it is not ``~/.netrc``.
    LANDSLIDE_CMR: Another repository in place of https://cmr.earthdata.nasa.gov.
"""

import netrc
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pystac
from pystac.utils import str_to_datetime
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from data.command.account import private_folder
from data.search.area import list_boxes
from data.search.connection import (
    LimitedAdapter,
    SourceError,
    missing_extra,
    raise_answer,
    source_error,
)
from data.search.items import BANDS, normalise_image
from data.search.planetary import PlanetarySource
from data.search.stac import MAX_ITEMS

ADDRESS = "https://cmr.earthdata.nasa.gov"
VARIABLE = "LANDSLIDE_CMR"
TOKEN = "EARTHDATA_TOKEN"  # noqa: S105 - the name of a variable
LOGIN_HOST = "urs.earthdata.nasa.gov"
DATASET, LEVEL = "OPERA-S1", "RTC"
# The login is sent to these hosts only: Azure refuses an address with a token of its own and another login.
HOSTS = ("earthdata.nasa.gov", "earthdatacloud.nasa.gov", "asf.alaska.edu")
PAGE_AGAIN = (429,)  # asf_search itself asks again after 5xx


class AsfSource:
    """OPERA RTC-S1 at the Alaska Satellite Facility.

    Raises:
        SourceError: If there is no Earthdata login.
    """

    word = "asf"

    def __init__(self) -> None:
        self.address = (os.environ.get(VARIABLE) or ADDRESS).rstrip("/")
        self._login = _find_login()
        self._heights = PlanetarySource()

    def search(self, area: BaseGeometry, start: datetime, end: datetime) -> Iterator[pystac.Item]:
        """Find bursts; see :class:`data.search.sources.Source`."""
        seen: set[str] = set()
        for product in self._ask(area, start, end):
            item = _make_item(product)
            found = None if item.id in seen else normalise_image(item, area)
            if found is not None:
                seen.add(item.id)
                yield found

    def search_heights(self, area: BaseGeometry) -> Iterator[pystac.Item]:
        """Find heights in Planetary Computer's catalogue."""
        yield from self._heights.search_heights(area)

    def sign(self, href: str) -> str:
        """Sign addresses of heights; those of images are unchanged."""
        return self._heights.sign(href)

    def environment(self, href: str = "") -> dict[str, str]:
        """Return the options of the Earthdata login, for its own hosts and where :data:`VARIABLE` leads."""
        host = urlparse(href).hostname or ""
        own = urlparse(self.address).hostname
        known = any(f".{host}".endswith(f".{name}") for name in (*HOSTS, own))
        return dict(self._login) if known or not href else {}

    @cached_property
    def _session(self) -> Any:
        """How asf_search asks: with limits of time, and at another address if one is set."""
        try:
            import asf_search
        except ImportError as error:
            raise missing_extra("asf-search", error) from error
        # Otherwise a failed search, with its area, is sent to ASF, without a limit of time.
        asf_search.REPORT_ERRORS = False
        session = asf_search.ASFSession()
        # asf_search takes a session with the headers of its own for its own, and leaves it out.
        session.headers["Client-Id"] = f"landslide-benchmark {session.headers['Client-Id']}"
        session.mount("https://", LimitedAdapter(PAGE_AGAIN, (ADDRESS, self.address)))
        return session

    def _ask(self, area: BaseGeometry, start: datetime, end: datetime) -> Iterator[Any]:
        """Search the repository page by page, once on each side of the antimeridian."""
        session = self._session
        from asf_search import search_generator

        count = 0
        for bounds in list_boxes(area):
            try:
                pages = search_generator(
                    dataset=DATASET,
                    processingLevel=LEVEL,
                    intersectsWith=box(*bounds).wkt,
                    start=start,
                    end=end,
                    session=session,
                )
                for page in pages:
                    count += len(page)
                    if not page:  # one that promises more than it has would be asked without end
                        break
                    if count > MAX_ITEMS:
                        rule = "A search must find fewer bursts"
                        remedy = "Give a smaller area, or fewer acquisitions."
                        raise source_error(rule, f"more than {MAX_ITEMS:,}", self.address, remedy)
                    yield from page
            except Exception as error:  # noqa: BLE001 - of requests, of JSON, of asf_search
                raise_answer(error, self.address)


def _make_item(product: Any) -> pystac.Item:
    """Make a STAC item of a burst from asf_search's product."""
    found = product.properties
    name = str(found["fileID"])
    geometry = product.geometry if product.geometry.get("coordinates") else None
    start = str_to_datetime(str(found["startTime"])).astimezone(UTC)
    item = pystac.Item(
        id=name,
        geometry=geometry,
        bbox=None if geometry is None else list(shape(geometry).bounds),
        datetime=start,
        properties={
            "platform": str(found.get("platform") or "").lower(),
            "sat:orbit_state": str(found.get("flightDirection") or "").lower(),
            "sat:relative_orbit": found.get("pathNumber"),
            "sat:absolute_orbit": found.get("orbit"),
            "sar:product_type": "RTC",
        },
        collection="OPERA_L2_RTC-S1_V1",
    )
    for layer in BANDS:
        for href in product.find_urls(extension=".tif", pattern=f"_{layer}\\.tif$"):
            item.add_asset(layer, pystac.Asset(href, media_type=pystac.MediaType.COG))
    return item


def _find_login() -> dict[str, str]:
    """Return GDAL's options for an Earthdata login.

    GDAL does not send a token on to another host when it is redirected, as it would with a header of our own.

    Raises:
        SourceError: If there is none.
    """
    if token := os.environ.get(TOKEN, "").strip():
        return {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": token}
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if _has_login(file):
        cookies = str(private_folder() / "earthdata-cookies.txt")
        return {
            "GDAL_HTTP_NETRC": "YES",
            "GDAL_HTTP_NETRC_FILE": str(file),
            "GDAL_HTTP_COOKIEFILE": cookies,
            "GDAL_HTTP_COOKIEJAR": cookies,
        }
    raise SourceError(
        f"--source asf must have an Earthdata login, but got neither {TOKEN} nor one for {LOGIN_HOST} in {file}. Make a "
        f"free account at https://{LOGIN_HOST}, generate a token there, and set {TOKEN}=…"
    )


def _has_login(file: Path) -> bool:
    """Return whether a netrc file has a login for Earthdata.

    Raises:
        SourceError: If it cannot be read.
    """
    if not file.is_file():
        return False
    try:
        return netrc.netrc(str(file)).authenticators(LOGIN_HOST) is not None
    except (netrc.NetrcParseError, OSError) as error:
        rule, remedy = "The netrc file must be readable", f"Mend it, or set {TOKEN}."
        raise source_error(rule, error, str(file), remedy) from error
