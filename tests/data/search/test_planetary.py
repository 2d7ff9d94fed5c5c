"""Planetary Computer: its address, and addresses signed by its own package with a token from loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import planetary_computer.sas
import pytest
from planetary_computer.settings import Settings

from data.search import connection
from data.search.connection import SourceError
from data.search.planetary import ADDRESS, VARIABLE, PlanetarySource, sign_address
from tests.support.scripted_server import Reply, Request, ScriptedServer, scripted
from tests.support.stac_items import make_heights_item, make_rtc_item

VV = make_rtc_item("2018-09-06T08:35:10", (141, 42, 143, 43))["assets"]["vv"]["href"]
DEM = make_heights_item(42, 141)["assets"]["data"]["href"]


class Tokens:
    """The answers of the API for tokens, which expire after some minutes."""

    def __init__(self) -> None:
        self.minutes = 45.0

    def __call__(self, request: Request) -> Reply:
        end = datetime.now(UTC) + timedelta(minutes=self.minutes)
        return Reply({"msft:expiry": f"{end:%Y-%m-%dT%H:%M:%SZ}", "token": "se=later&sig=secret"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.0)
    monkeypatch.setattr(planetary_computer.sas, "TOKEN_CACHE", {})
    with scripted(Tokens()) as found:
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{found.url}/token")
        monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "a-key")
        Settings.get.cache_clear()
        yield found
    Settings.get.cache_clear()


def test_address_is_the_public_one_unless_a_variable_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert PlanetarySource().address == ADDRESS
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:8000/stac/")
    source = PlanetarySource()
    assert (source.word, source.address) == ("planetary", "http://127.0.0.1:8000/stac")


def test_each_container_has_one_token(server: ScriptedServer) -> None:
    source = PlanetarySource()
    assert [source.sign(href) for href in (VV, VV, DEM)] == [
        f"{href}?se=later&sig=secret" for href in (VV, VV, DEM)
    ]
    assert [one.path for one in server.requests] == [
        "/token/sentinel1euwestrtc/sentinel1-grd-rtc",
        "/token/elevationeuwest/copernicus-dem",
    ]
    assert server.requests[0].headers["ocp-apim-subscription-key"] == "a-key"


def test_token_that_expires_soon_is_renewed(server: ScriptedServer) -> None:
    server.script.minutes = 1.5  # type: ignore[attr-defined]
    sign_address(VV)
    sign_address(VV)
    assert len(server.requests) == 2


def test_threads_share_a_token(server: ScriptedServer) -> None:
    threads = [Thread(target=sign_address, args=(VV,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "href", ["https://example.org/vv.tif", "/folder/vv.tif", f"{VV}?st=1&sig=2"]
)
def test_other_addresses_are_unchanged(server: ScriptedServer, href: str) -> None:
    assert sign_address(href) == href


def test_busy_token_api_is_asked_again(server: ScriptedServer) -> None:
    server.next = [Reply("busy", 429, {"Retry-After": "0"}), Reply(status=None)]
    assert sign_address(VV).endswith("sig=secret")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply("no key", 401), r"status 401 .*login or key"),
        (Reply("<html>"), r"The catalogue must answer, but got: .*token/sentinel1euwestrtc/"),
        (Reply({"token": "x"}), r"The catalogue must answer, but got: .*token/sentinel1euwestrtc/"),
    ],
)
def test_refused_token_is_an_error(server: ScriptedServer, reply: Reply, message: str) -> None:
    server.next = [reply]
    with pytest.raises(SourceError, match=message):
        sign_address(VV)
