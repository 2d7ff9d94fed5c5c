"""NASA's Common Metadata Repository over a list of granules, as asf_search 14 asks it: one endpoint, pages by a header."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from shapely import Polygon, box

from tests.support.loopback_answers import Answer, Asked
from tests.support.loopback_stac import answer_json

Json = dict[str, Any]
PATH = "/search/granules.umm_json"
PASSED_OVER = {"provider", "page_size", "sort_key[]", "echo_collection_id[]"}


class Cmr:
    """The repository's answers.

    Attributes:
        granules: All granules (UMM-G).
        page: Most granules of a page, if the client asks for more.
    """

    def __init__(self, granules: Sequence[Json], page: int = 2000) -> None:
        self.page = page
        self.granules = sorted(granules, key=lambda one: _read_times(one)[1], reverse=True)

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        if asked.path != PATH:
            return answer_json({"errors": ["The path is not found"]}, 404)
        words = dict(parse_qsl(asked.body.decode())) or dict(asked.query)
        try:
            found = [one for one in self.granules if _fits(one, words)]
        except ValueError as error:
            return answer_json({"errors": [str(error)]}, 400)
        first = int(asked.headers.get("cmr-search-after", "0"))
        size = min(int(words.get("page_size", 10)), self.page)
        more = {"CMR-Search-After": str(first + size)} if first + size < len(found) else {}
        page = {"hits": len(found), "took": 1, "items": found[first : first + size]}
        return answer_json(page, 200, **{"CMR-Hits": str(len(found))}, **more)


def _fits(granule: Json, words: Mapping[str, str]) -> bool:
    """Return whether a granule is looked for; parameters that are unknown are refused, as CMR does."""
    known = {"shortName", "short_name", "bounding_box", "polygon", "temporal"} | PASSED_OVER
    unknown = {word for word in words if word not in known and not word.startswith("options[")}
    if unknown:
        raise ValueError(f"Parameter [{min(unknown)}] was not recognized.")
    name = words.get("shortName") or words.get("short_name")
    if name not in (None, granule["umm"]["CollectionReference"]["ShortName"]):
        return False
    if "temporal" in words:
        first, last, *_ = words["temporal"].split(",")
        start, end = _read_times(granule)
        if (last and start > _read_time(last)) or (first and end < _read_time(first)):
            return False
    area = _read_area(words)
    return area is None or area.intersects(_read_outline(granule))


def _read_area(words: Mapping[str, str]) -> Polygon | None:
    if "bounding_box" in words:
        return box(*map(float, words["bounding_box"].split(",")))
    if "polygon" in words:
        numbers = list(map(float, words["polygon"].split(",")))
        return Polygon(zip(numbers[::2], numbers[1::2], strict=True))
    return None


def _read_outline(granule: Json) -> Polygon:
    place = granule["umm"]["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]
    points = place["GPolygons"][0]["Boundary"]["Points"]
    return Polygon([(point["Longitude"], point["Latitude"]) for point in points])


def _read_times(granule: Json) -> tuple[datetime, datetime]:
    times = granule["umm"]["TemporalExtent"]["RangeDateTime"]
    return _read_time(times["BeginningDateTime"]), _read_time(times["EndingDateTime"])


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
