"""A STAC API on loopback, asked by the real client."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from shapely.geometry import box

from data.search import connection, stac
from data.search.area import read_area
from data.search.connection import SourceError
from data.search.stac import StacSource, is_rtc_name
from tests.support.scripted_server import Reply, Request, ScriptedServer, scripted
from tests.support.stac_items import make_collection, make_heights_item, make_rtc_item

AREA = box(141.5, 42.5, 142.5, 43.5)
START, END = datetime(2018, 8, 1, tzinfo=UTC), datetime(2018, 10, 1, tzinfo=UTC)
CLASSES = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
]


class Api:
    """The answers of an API with some items, two a page."""

    def __init__(self, *items: dict[str, Any], collections: Any = None) -> None:
        self.items = items
        names = ("sentinel-1-rtc", "cop-dem-glo-30", "naip") if collections is None else collections
        self.collections = {name: make_collection(name) for name in names}
        self.url = ""

    def __call__(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        if path == "/":
            return Reply(self._root())
        if path == "/collections":
            return Reply({"collections": list(self.collections.values()), "links": []})
        if path.startswith("/collections/"):
            found = self.collections.get(path.rpartition("/")[2])
            return Reply(found or {"code": "NotFound"}, 200 if found else 404)
        return self._search(json.loads(request.body))

    def _root(self) -> dict[str, Any]:
        links = [
            {"rel": "search", "href": f"{self.url}/search", "method": "POST"},
            {"rel": "data", "href": f"{self.url}/collections"},
        ]
        return {
            "type": "Catalog",
            "id": "api",
            "stac_version": "1.0.0",
            "description": "test",
            "conformsTo": CLASSES,
            "links": links,
        }

    def _search(self, asked: dict[str, Any]) -> Reply:
        bounds = box(*asked["bbox"])
        first = asked.get("token", 0)
        found = [
            item
            for item in self.items
            if item["collection"] in asked["collections"] and box(*item["bbox"]).intersects(bounds)
        ]
        more = {"rel": "next", "href": f"{self.url}/search", "method": "POST"}
        more["body"] = {**asked, "token": first + 2}  # type: ignore[assignment]
        links = [more] if first + 2 < len(found) else []
        return Reply(
            {"type": "FeatureCollection", "features": found[first : first + 2], "links": links}
        )


@pytest.fixture
def serve(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.0)
    open_servers = []

    def start(api: Api) -> ScriptedServer:
        context = scripted(api)
        server = context.__enter__()
        open_servers.append(context)
        api.url = server.url
        return server

    yield start
    for context in open_servers:
        context.__exit__(None, None, None)


def _names(source: StacSource, area: Any = AREA) -> list[str]:
    return [item.id for item in source.search(area, START, END)]


FRAMES = [
    make_rtc_item(f"2018-09-{day:02d}T08:35:{second}", (141, south, 143, south + 1))
    for day in (6, 18)
    for second, south in (("10", 42), ("35", 43))
]


def test_all_pages_of_the_rtc_collection_are_read(serve: Any) -> None:
    server = serve(Api(*FRAMES, make_heights_item(42, 141)))
    assert _names(StacSource(server.url)) == [item["id"] for item in FRAMES]
    asked = [json.loads(one.body) for one in server.requests if one.path == "/search"]
    assert len(asked) == 2
    assert asked[0]["collections"] == ["sentinel-1-rtc"]
    assert asked[0]["bbox"] == [141.5, 42.5, 142.5, 43.5]
    assert asked[0]["datetime"] == "2018-08-01T00:00:00Z/2018-10-01T00:00:00Z"


def test_items_are_normalised(serve: Any) -> None:
    server = serve(Api(FRAMES[0]))
    (item,) = StacSource(server.url).search(AREA, START, END)
    assert sorted(item.assets) == ["VH", "VV"]
    assert item.assets["VV"].href == FRAMES[0]["assets"]["vv"]["href"]
    assert item.properties["platform"] == "sentinel-1a"
    assert item.properties["sat:relative_orbit"] == 68


def test_search_across_the_antimeridian_asks_on_both_sides_and_yields_each_item_once(
    serve: Any,
) -> None:
    fiji = make_rtc_item("2018-09-06T17:40:10", (178, -18, 182, -15))
    fiji["bbox"] = [-180, -18, 180, -15]  # as catalogues write it
    server = serve(Api(fiji))
    area = read_area((179.5, -17, -179.5, -16), None)
    (item,) = StacSource(server.url).search(area, START, END)
    assert item.bbox == [178, -18, 182, -15]
    asked = [json.loads(one.body)["bbox"] for one in server.requests if one.path == "/search"]
    assert asked == [[179.5, -17, 180, -16], [-180, -17, -179.5, -16]]


def test_heights_are_of_the_same_catalogue(serve: Any) -> None:
    server = serve(Api(*FRAMES, make_heights_item(42, 141), make_heights_item(50, 141)))
    (item,) = StacSource(server.url).search_heights(AREA)
    assert (item.id, sorted(item.assets)) == ("Copernicus_DSM_COG_10_N42_00_E141_00_DEM", ["DEM"])


def test_catalogue_without_heights_has_none(serve: Any) -> None:
    server = serve(Api(*FRAMES, collections=["sentinel-1-rtc"]))
    assert list(StacSource(server.url).search_heights(AREA)) == []


def test_named_collection_is_searched(serve: Any) -> None:
    server = serve(Api({**FRAMES[0], "collection": "gamma"}, collections=["gamma", "naip"]))
    source = StacSource(f"{server.url}/collections/gamma")
    assert _names(source) == [FRAMES[0]["id"]]
    assert source.address == server.url


def test_unknown_collection_is_an_error_with_the_list(serve: Any) -> None:
    server = serve(Api(collections=["naip", "sentinel-1-grd"]))
    remedy = rf"Name the collection with stac:{server.url}/collections/NAME"
    with pytest.raises(
        SourceError,
        match=rf"a collection of Sentinel-1 RTC, but got: naip, sentinel-1-grd, from .*{remedy}",
    ):
        _names(StacSource(server.url))
    with pytest.raises(SourceError, match=r"must have the collection rtc, but got: naip"):
        _names(StacSource(f"{server.url}/collections/rtc"))


def test_busy_and_dead_connections_are_asked_again(serve: Any) -> None:
    server = serve(Api(*FRAMES))
    source = StacSource(server.url)
    server.next = [Reply("busy", 429, {"Retry-After": "0"}), Reply("down", 503), Reply(status=None)]
    assert len(_names(source)) == 4
    assert [one.path for one in server.requests[:4]] == ["/"] * 4


def test_catalogue_that_stays_busy_is_an_error_with_its_status(serve: Any) -> None:
    server = serve(Api(*FRAMES))
    server.next = [Reply("slow down", 429, {"Retry-After": "0"})] * 20
    with pytest.raises(
        SourceError,
        match=r"must answer, but got: status 429 \(slow down\), from .* wait some minutes",
    ):
        _names(StacSource(server.url))
    assert len(server.requests) == 1 + connection.TRIES


@pytest.mark.parametrize(("status", "remedy"), [(401, "login or key"), (404, "Check the address")])
def test_refusal_is_an_error_with_its_remedy(serve: Any, status: int, remedy: str) -> None:
    server = serve(Api(*FRAMES))
    server.next = [Reply("<html><b>no</b></html>", status)]
    with pytest.raises(SourceError, match=rf"status {status} \( *no *\).*{remedy}"):
        _names(StacSource(server.url))


@pytest.mark.parametrize("content", ["<html>portal</html>", "[]", '{"type": "Catalog"}'])
def test_answer_that_is_no_catalogue_is_an_error(serve: Any, content: str) -> None:
    server = serve(Api())
    server.next = [Reply(content)]
    with pytest.raises(
        SourceError, match=rf"The catalogue must answer, but got: .* from {server.url}"
    ):
        _names(StacSource(server.url))


def test_address_where_nobody_listens_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.0)
    with pytest.raises(SourceError, match=r"refused.*Check the address and the network"):
        _names(StacSource("http://127.0.0.1:9"))


def test_search_that_finds_too_much_is_refused(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stac, "MAX_ITEMS", 3)
    with pytest.raises(
        SourceError, match=r"must find fewer images, but got: more than 3.*smaller area"
    ):
        _names(StacSource(serve(Api(*FRAMES)).url))


def test_static_catalogue_is_read_once() -> None:
    items = {f"/{item['id']}.json": {**item, "collection": None} for item in FRAMES}
    root = {
        "type": "Catalog",
        "id": "static",
        "stac_version": "1.0.0",
        "description": "test",
        "links": [{"rel": "item", "href": f".{path}"} for path in items],
    }
    with scripted(lambda one: Reply(items.get(one.path, root))) as server:
        source = StacSource(f"{server.url}/catalog.json")
        assert len(_names(source)) == len(_names(source)) == len(FRAMES)
        assert list(source.search_heights(AREA)) == []
        assert len(server.requests) == 1 + len(FRAMES)


@pytest.mark.parametrize("href", ["/etc/passwd", "file:///a.tif", "<VRTDataset/>", "/vsizip/a.zip"])
def test_remote_catalogue_has_no_file_of_this_machine_read(serve: Any, href: str) -> None:
    item = make_rtc_item("2018-09-06T08:35:10", (141, 42, 143, 43), hrefs={"vv": href})
    (found,) = StacSource(serve(Api(item)).url).search(AREA, START, END)
    assert list(found.assets) == ["VH"]


def test_address_is_http() -> None:
    with pytest.raises(ValueError, match="must be http or https, but got ftp://example"):
        StacSource("ftp://example.org")


@pytest.mark.parametrize(
    ("name", "is_rtc"),
    [
        ("sentinel-1-rtc", True),
        ("s1_rtc", True),
        ("ga_s1_nrb_iw_vv_vh_0", True),
        ("sentinel-1-grd", False),
        ("landsat-rtc", False),
    ],
)
def test_collections_of_rtc_are_known_by_their_names(name: str, is_rtc: bool) -> None:
    assert is_rtc_name(name) is is_rtc
