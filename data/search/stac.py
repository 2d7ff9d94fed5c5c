"""Any STAC catalogue with Sentinel-1 RTC: an API with item search, or static files.

Follows STAC API 1.0.0 (item-search, with ``POST /search``, ``bbox``, ``datetime``, ``collections`` and pages by links of
the relation ``next``) through pystac-client 0.9, and static catalogues of STAC 1.0.0 and 1.1.0.
"""

import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pystac
from shapely.geometry.base import BaseGeometry

from data.io.errors import hide_password, list_first
from data.io.safe_json import refused_error
from data.search.area import list_boxes
from data.search.connection import make_stac_io, missing_extra, raise_answer, source_error
from data.search.items import HEIGHTS_COLLECTION, is_heights, normalise_heights, normalise_image

PAGE_ITEMS = 100
MAX_ITEMS = 20_000  # a year of bursts over 300 km; more is no search for one event
COLLECTIONS = "/collections/"
HTTP = ("http://", "https://")
REMOTE = (*HTTP, "s3://")

_SATELLITE = ("sentinel-1", "sentinel1", "sentinel_1", "s1_", "s1-", "_s1")
_CORRECTED = ("rtc", "nrb", "gamma0")
Normalise = Callable[[pystac.Item, BaseGeometry], pystac.Item | None]


class StacSource:
    """A STAC API or a static catalogue.

    Args:
        address: Address of the API or of the catalogue's file; ``…/collections/NAME`` names the collection to search.
        word: What ``--source`` calls it.
        collections: Collections to search; by default those named as Sentinel-1 RTC.
    """

    def __init__(self, address: str, word: str = "stac", collections: tuple[str, ...] = ()) -> None:
        if not address.startswith((*HTTP, "/")):
            remedy = "Give stac:https://… or folder:PATH."
            raise refused_error(
                "A catalogue's address must be http or https", address, "--source", remedy
            )
        root, _, name = address.partition(COLLECTIONS)
        self.word = word
        self.address = root.rstrip("/")
        self._collections = (name.strip("/"),) if name else collections

    def search(self, area: BaseGeometry, start: datetime, end: datetime) -> Iterator[pystac.Item]:
        """Find images; see :class:`data.search.sources.Source`."""
        found: Iterator[pystac.Item]
        if self._is_api:
            found = self._ask(area, self._chosen, (start, end))
        else:
            found = (item for item in self._all if not is_heights(item))
        for item in self._normalise(found, area, normalise_image):
            if _is_between(item, start, end):
                yield item

    def search_heights(self, area: BaseGeometry) -> Iterator[pystac.Item]:
        """Find heights; see :class:`data.search.sources.Source`."""
        found: Iterator[pystac.Item]
        if not self._is_api:
            found = (item for item in self._all if is_heights(item))
        elif self._has(HEIGHTS_COLLECTION):
            found = self._ask(area, (HEIGHTS_COLLECTION,), None)
        else:
            return
        yield from self._normalise(found, area, normalise_heights)

    def sign(self, href: str) -> str:
        """Return the address unchanged."""
        return href

    def environment(self, href: str = "") -> dict[str, str]:
        """Return no options: such a catalogue has no login."""
        return {}

    @cached_property
    def _client(self) -> Any:
        try:
            from pystac_client import Client
        except ImportError as error:
            raise missing_extra("pystac-client", error) from error
        try:
            with _quiet():
                return Client.open(self.address, stac_io=make_stac_io())
        except Exception as error:  # noqa: BLE001 - the library raises of all kinds
            raise_answer(error, self.address)

    @property
    def _is_api(self) -> bool:
        return bool(self._client.conforms_to("ITEM_SEARCH"))

    def _has(self, collection: str) -> bool:
        """Return whether the API has a collection."""
        try:
            with _quiet():
                return self._client.get_collection(collection) is not None
        except Exception as error:  # noqa: BLE001 - as above
            raise_answer(error, self.address)

    def _list_collections(self) -> tuple[str, ...]:
        try:
            with _quiet():
                return tuple(collection.id for collection in self._client.get_collections())
        except Exception as error:  # noqa: BLE001 - as above
            raise_answer(error, self.address)

    @cached_property
    def _chosen(self) -> tuple[str, ...]:
        """The collections to search.

        Raises:
            SourceError: If the API has none of that name, or none named as Sentinel-1 RTC.
        """
        if self._collections and all(map(self._has, self._collections)):
            return self._collections
        listed = self._list_collections()
        found = () if self._collections else tuple(filter(is_rtc_name, listed))
        if found:
            return found
        rule = "The catalogue must have a collection of Sentinel-1 RTC"
        if self._collections:
            rule = f"The catalogue must have the collection {self._collections[0]}"
        got = list_first(sorted(listed), 10) or "no collection"
        remedy = f"Name the collection with stac:{self.address}{COLLECTIONS}NAME, or take another --source."
        raise source_error(rule, got, hide_password(self.address), remedy)

    def _ask(
        self,
        area: BaseGeometry,
        collections: tuple[str, ...],
        times: tuple[datetime, datetime] | None,
    ) -> Iterator[pystac.Item]:
        """Search the API, once on each side of the antimeridian."""
        count = 0
        for bounds in list_boxes(area):
            try:
                with _quiet():
                    search = self._client.search(
                        collections=list(collections), bbox=bounds, datetime=times, limit=PAGE_ITEMS
                    )
                for item in search.items():
                    count += 1
                    self._check_count(count)
                    yield item
            except Exception as error:  # noqa: BLE001 - as above
                raise_answer(error, self.address)

    @cached_property
    def _all(self) -> tuple[pystac.Item, ...]:
        """All items of a static catalogue, each a file; read once."""
        found: list[pystac.Item] = []
        try:
            with _quiet():
                for item in pystac.Catalog.get_items(self._client, recursive=True):
                    found.append(item)
                    self._check_count(len(found))
        except Exception as error:  # noqa: BLE001 - as above
            raise_answer(error, self.address)
        return tuple(found)

    def _normalise(
        self, items: Iterator[pystac.Item], area: BaseGeometry, normalise: Normalise
    ) -> Iterator[pystac.Item]:
        """Yield normalised items of an area, each once: both halves of a search may find it."""
        seen: set[tuple[str | None, str]] = set()
        for item in items:
            key = (item.collection_id, item.id)
            found = None if key in seen else normalise(item, area)
            if found is not None:
                seen.add(key)
                self._drop_local(found)
                yield found

    def _drop_local(self, item: pystac.Item) -> None:
        """Leave out assets of a remote catalogue that are no remote files: it must not have files of this machine read."""
        if self.address.startswith(HTTP):
            for key, asset in tuple(item.assets.items()):
                if not asset.href.startswith(REMOTE):
                    del item.assets[key]

    def _check_count(self, count: int) -> None:
        if count > MAX_ITEMS:
            got = f"more than {MAX_ITEMS:,}"
            rule = "A search must find fewer images"
            raise source_error(
                rule, got, self.address, "Give a smaller area, or fewer acquisitions."
            )


def is_rtc_name(name: str) -> bool:
    """Return whether a collection's name says Sentinel-1 and terrain correction."""
    word = name.lower()
    return any(part in word for part in _SATELLITE) and any(part in word for part in _CORRECTED)


def _is_between(item: pystac.Item, start: datetime, end: datetime) -> bool:
    """Return whether an image's time is in a range; one without a time is."""
    time = item.datetime or item.common_metadata.start_datetime
    if time is None:
        return True
    return start <= (time.replace(tzinfo=UTC) if time.tzinfo is None else time) <= end


def _quiet() -> "warnings.catch_warnings[None]":
    """Silence pystac-client's remarks on what a catalogue does not declare."""
    return warnings.catch_warnings(action="ignore")
