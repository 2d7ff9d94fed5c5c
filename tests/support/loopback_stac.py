"""A STAC API (1.0.0: core, collections, item search with pages) over a list of items, for a loopback server.

What a source makes of such items says `data.search.acquisitions`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shapely import box, union_all
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from tests.support.loopback_answers import Answer, Asked

Json = dict[str, Any]
CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
]
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
GEOJSON = {"Content-Type": "application/geo+json"}
KNOWN = {"bbox", "intersects", "datetime", "collections", "ids", "limit", "token"}


def answer_json(content: Any, status: int = 200, **headers: str) -> Answer:
    """Return a response with JSON."""
    kind = {"Content-Type": "application/json"}
    return Answer(json.dumps(content).encode(), status, kind | headers)


class StacApi:
    """A catalogue's answers.

    Attributes:
        root: Its address, without a slash at the end.
        collections: By id.
        items: All items.
        place: Returns where an asset's address leads for this catalogue's clients.
        page: Most items of a page.
    """

    def __init__(
        self,
        root: str,
        collections: Sequence[Json],
        items: Sequence[Json],
        place: Callable[[str], str] = str,
        page: int = 5,
    ) -> None:
        self.root, self.place, self.page = root, place, page
        self.collections = {one["id"]: one for one in collections}
        self.items = sorted(items, key=lambda item: _read_times(item)[0], reverse=True)

    def answer(self, asked: Asked, path: str) -> Answer:
        """Answer a request of a path below the root."""
        if path in ("", "/"):
            return answer_json(self._describe())
        if path == "/conformance":
            return answer_json({"conformsTo": CONFORMS})
        if path == "/collections":
            return answer_json({"collections": list(self.collections.values()), "links": []})
        if path.removeprefix("/collections/") in self.collections:
            return answer_json(self.collections[path.removeprefix("/collections/")])
        if path == "/search":
            return self._search(asked)
        return answer_json({"code": "NotFoundError", "description": f"no {path}"}, 404)

    def _describe(self) -> Json:
        links = [
            {"rel": "self", "href": self.root, "type": "application/json"},
            {"rel": "root", "href": self.root, "type": "application/json"},
            {"rel": "conformance", "href": f"{self.root}/conformance", "type": "application/json"},
            {"rel": "data", "href": f"{self.root}/collections", "type": "application/json"},
            *(
                {"rel": "search", "href": f"{self.root}/search", "method": method} | _TYPE
                for method in ("GET", "POST")
            ),
        ]
        return {
            "type": "Catalog",
            "id": "loopback",
            "title": "Loopback",
            "description": "A catalogue on the loopback interface, for tests",
            "stac_version": "1.0.0",
            "conformsTo": CONFORMS,
            "links": links,
        }

    def _search(self, asked: Asked) -> Answer:
        try:
            words = json.loads(asked.body) if asked.method == "POST" else _read_query(asked.query)
            found = [item for item in self.items if _fits(item, words)]
            first, limit = int(words.get("token") or 0), min(int(words.get("limit", 10)), self.page)
        except (KeyError, TypeError, ValueError) as error:
            return answer_json({"code": "InvalidParameter", "description": str(error)}, 400)
        links: list[Json] = [{"rel": "root", "href": self.root}]
        if first + limit < len(found):
            links.append(self._link_next(asked, words, first + limit))
        features = [self._show(item) for item in found[first : first + limit]]
        return answer_json({"type": "FeatureCollection", "features": features, "links": links})

    def _link_next(self, asked: Asked, words: Json, token: int) -> Json:
        link = {"rel": "next", "href": f"{self.root}/search", "method": asked.method} | _TYPE
        if asked.method == "POST":
            return link | {"body": words | {"token": str(token)}}
        query = "&".join(f"{key}={value}" for key, value in asked.query.items() if key != "token")
        return link | {"href": f"{self.root}/search?{query}&token={token}"}

    def _show(self, item: Json) -> Json:
        assets = {
            key: asset | {"href": self.place(asset["href"])}
            for key, asset in item["assets"].items()
        }
        links = [
            {"rel": "collection", "href": f"{self.root}/collections/{item['collection']}"},
            {"rel": "root", "href": self.root},
        ]
        return item | {"assets": assets, "links": links}


_TYPE = {"type": "application/geo+json"}


def _read_query(query: Mapping[str, str]) -> Json:
    """Return the words of a search by GET as those by POST."""
    words: Json = dict(query)
    if "bbox" in words:
        words["bbox"] = [float(number) for number in words["bbox"].split(",")]
    if "intersects" in words:
        words["intersects"] = json.loads(words["intersects"])
    for key in ("collections", "ids"):
        if key in words:
            words[key] = words[key].split(",")
    return words


def _fits(item: Json, words: Json) -> bool:
    if unknown := set(words) - KNOWN:
        raise ValueError(f"unknown parameters: {', '.join(sorted(unknown))}")
    if item["collection"] not in words.get("collections", [item["collection"]]):
        return False
    if item["id"] not in words.get("ids", [item["id"]]):
        return False
    first, last = _read_interval(words.get("datetime") or "../..")
    start, end = _read_times(item)
    if end < first or start > last:
        return False
    area = _read_area(words)
    return area is None or area.intersects(shape(item["geometry"]))


def _read_area(words: Json) -> BaseGeometry | None:
    if words.get("bbox") and words.get("intersects"):
        raise ValueError("bbox and intersects exclude each other")
    if words.get("intersects"):
        return shape(words["intersects"])
    if not words.get("bbox"):
        return None
    west, south, east, north = map(float, words["bbox"])
    if south > north or not all(-180 <= x <= 180 for x in (west, east)):
        raise ValueError(f"no bbox: {words['bbox']}")
    if west <= east:
        return box(west, south, east, north)
    return union_all([box(west, south, 180, north), box(-180, south, east, north)])


def _read_interval(text: str) -> tuple[datetime, datetime]:
    first, _, last = text.partition("/")
    last = last or first
    return (
        FIRST if first in ("", "..") else _read_time(first),
        LAST if last in ("", "..") else _read_time(last),
    )


def _read_times(item: Json) -> tuple[datetime, datetime]:
    known = item["properties"]
    moment = known["datetime"]
    return tuple(_read_time(known.get(key) or moment) for key in ("start_datetime", "end_datetime"))  # type: ignore[return-value]


def _read_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time
