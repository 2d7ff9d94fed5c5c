"""OPERA RTC-S1 from a stand-in of NASA's repository, asked by asf_search itself."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from shapely.geometry import Polygon, box

from data.search import asf, connection
from data.search.area import read_area
from data.search.asf import AsfSource
from data.search.connection import SourceError
from data.search.items import find_problem
from data.search.passes import group_passes
from tests.support.scripted_server import Reply, Request, ScriptedServer, scripted
from tests.support.stac_items import make_granule

AREA = box(141.5, 42.5, 142.5, 43.5)
START, END = datetime(2018, 8, 1, tzinfo=UTC), datetime(2018, 10, 1, tzinfo=UTC)


class Repository:
    """The answers of CMR: pages of 250 granules, the next one by a header."""

    def __init__(self) -> None:
        self.granules: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Reply:
        first = int(request.headers.get("cmr-search-after", 0))
        page = self.granules[first : first + 250]
        last = first + len(page)
        more = {"CMR-Search-After": str(last)} if last < len(self.granules) else {}
        return Reply({"hits": len(self.granules), "items": page}, headers=more)


@pytest.fixture
def repository() -> Repository:
    return Repository()


@pytest.fixture
def server(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.0)
    monkeypatch.setenv(asf.TOKEN, "a-token")
    with scripted(repository) as found:
        monkeypatch.setenv(asf.VARIABLE, found.url)
        yield found


def _ask(server: ScriptedServer) -> dict[str, str]:
    return dict(parse_qsl(server.requests[-1].body))


def test_bursts_are_items_with_track_direction_and_layers(
    repository: Repository, server: ScriptedServer
) -> None:
    granule = make_granule("2018-09-06T08:35:10", (141, 42, 142, 43))
    repository.granules = [granule]
    (item,) = AsfSource().search(AREA, START, END)
    name = granule["umm"]["GranuleUR"]
    assert item.id == name
    assert find_problem(item) is None
    assert item.assets["VV"].href.endswith(f"/{name}/{name}_VV.tif")
    assert item.assets["VH"].href.endswith(f"/{name}/{name}_VH.tif")
    assert item.properties["sat:orbit_state"] == "ascending"
    assert item.properties["sat:relative_orbit"] == 68
    assert item.properties["platform"] == "sentinel-1a"
    assert item.properties["processing:datetime"] == "2024-01-06T03:55:31Z"
    assert item.bbox == [141, 42, 142, 43]


def test_repository_is_asked_for_opera_rtc_in_a_box_and_a_range_of_times(
    repository: Repository, server: ScriptedServer
) -> None:
    assert list(AsfSource().search(AREA, START, END)) == []
    asked = _ask(server)
    assert server.requests[0].path == "/search/granules.umm_json"
    assert asked["bounding_box"] == "141.5,42.5,142.5,43.5"
    assert asked["temporal"] == "2018-08-01T00:00:00Z,2018-10-01T00:00:00Z,"
    assert asked["shortName"] == "OPERA_L2_RTC-S1_V1"
    assert server.requests[0].body.count("shortName") == 1


def test_search_across_the_antimeridian_asks_on_both_sides(
    repository: Repository, server: ScriptedServer
) -> None:
    jumps = Polygon([(179, -18), (-179, -18), (-179, -15), (179, -15)])
    repository.granules = [make_granule("2018-09-06T17:40:10", jumps)]
    (item,) = AsfSource().search(read_area((179.5, -17, -179.5, -16), None), START, END)
    assert item.bbox == [179, -18, 181, -15]
    boxes = [dict(parse_qsl(one.body))["bounding_box"] for one in server.requests]
    assert boxes == ["179.5,-17.0,180.0,-16.0", "-180.0,-17.0,-179.5,-16.0"]


def test_all_pages_are_read(repository: Repository, server: ScriptedServer) -> None:
    repository.granules = [
        make_granule("2018-09-06T08:35:10", (141, 42, 142, 43), burst=f"T068-{number:06d}-IW1")
        for number in range(260)
    ]
    assert len(list(AsfSource().search(AREA, START, END))) == 260
    assert len(server.requests) == 2


def test_bursts_of_a_pass_are_one_acquisition_and_the_newest_version_counts(
    repository: Repository, server: ScriptedServer
) -> None:
    west, east = (141, 42, 142.1, 44), (142, 42, 143, 44)
    repository.granules = [
        make_granule("2018-09-06T08:35:10", west, burst="T068-145234-IW1"),
        make_granule("2018-09-06T08:35:11", east, burst="T068-145234-IW2"),
        make_granule(
            "2018-09-06T08:35:11", east, burst="T068-145234-IW2", made="2026-01-01T00:00:00"
        ),
    ]
    passes, notes = group_passes(AsfSource().search(AREA, START, END), AREA)
    (one,) = passes
    assert one.coverage == 1
    assert [item.id[28:31] for item in one.items] == ["IW1", "IW2"]
    assert "20260101T000000Z" in one.items[1].id
    assert "1 image is left out, processed again later" in notes[0]


def test_burst_without_vh_is_left_out_by_name(
    repository: Repository, server: ScriptedServer
) -> None:
    repository.granules = [
        make_granule("2018-09-06T08:35:10", (141, 42, 142, 43), polarisations=["VV"])
    ]
    passes, notes = group_passes(AsfSource().search(AREA, START, END), AREA)
    assert passes == []
    assert notes[0].startswith("1 image is left out, lacking VH: OPERA_L2_RTC-S1_T068-145234-IW2_")


def test_busy_repository_is_asked_again(repository: Repository, server: ScriptedServer) -> None:
    repository.granules = [make_granule("2018-09-06T08:35:10", (141, 42, 142, 43))]
    server.next = [Reply("busy", 429, {"Retry-After": "0"}), Reply(status=None)]
    assert len(list(AsfSource().search(AREA, START, END))) == 1
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"errors": ["The time range is invalid"]}, 400),
        Reply("<html>portal</html>"),
        Reply({}),
    ],
)
def test_answer_that_is_no_list_is_an_error(server: ScriptedServer, reply: Reply) -> None:
    server.next = [reply]
    with pytest.raises(
        SourceError, match=rf"The catalogue must answer, but got: .* from {server.url}"
    ):
        list(AsfSource().search(AREA, START, END))


def test_failed_search_is_reported_to_nobody(server: ScriptedServer) -> None:
    import asf_search

    server.next = [Reply({"errors": ["no"]}, 400)]
    with pytest.raises(SourceError):
        list(AsfSource().search(AREA, START, END))
    assert asf_search.REPORT_ERRORS is False


def test_repository_that_promises_more_than_it_has_is_left(
    repository: Repository, server: ScriptedServer
) -> None:
    server.script = lambda request: Reply(  # type: ignore[assignment]
        {"hits": 10, "items": []}, headers={"CMR-Search-After": "x"}
    )
    assert list(AsfSource().search(AREA, START, END)) == []
    assert len(server.requests) == 1


def test_token_is_sent_to_the_hosts_of_earthdata_only(server: ScriptedServer) -> None:
    source = AsfSource()
    login = {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": "a-token"}
    assert source.environment() == login
    assert source.environment(f"{asf.HOSTS[0]}") == {}  # no address
    assert source.environment("https://cumulus.asf.earthdatacloud.nasa.gov/a_VV.tif") == login
    assert source.environment("https://elevationeuwest.blob.core.windows.net/a/b.tif") == {}
    assert source.environment("https://notearthdata.nasa.gov.example.org/a.tif") == {}
    assert source.environment("https://evilearthdata.nasa.gov/a.tif") == {}


def test_netrc_is_a_login_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine urs.earthdata.nasa.gov login me password secret\n")
    file.chmod(0o600)
    monkeypatch.delenv(asf.TOKEN, raising=False)
    monkeypatch.setenv("NETRC", str(file))
    options = AsfSource().environment()
    assert options["GDAL_HTTP_NETRC_FILE"] == str(file)
    assert options["GDAL_HTTP_COOKIEJAR"] == options["GDAL_HTTP_COOKIEFILE"]


@pytest.mark.parametrize("content", [None, "machine example.org login me password secret\n"])
def test_missing_login_is_refused_before_the_search(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "netrc"
    if content:
        file.write_text(content)
        file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    monkeypatch.setenv(asf.TOKEN, " ")
    with pytest.raises(
        SourceError,
        match=r"must have an Earthdata login, but got neither EARTHDATA_TOKEN nor one for urs",
    ):
        AsfSource()


def test_damaged_netrc_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine\n")
    monkeypatch.setenv("NETRC", str(file))
    monkeypatch.delenv(asf.TOKEN, raising=False)
    with pytest.raises(
        SourceError, match=r"The netrc file must be readable, but got: .*Mend it, or set"
    ):
        AsfSource()
