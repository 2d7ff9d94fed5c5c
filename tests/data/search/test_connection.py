"""Connections have an end: limits of time, retries, and errors that say what was answered."""

import socket
from collections.abc import Iterator

import pytest
import requests
from shapely.geometry import box

from data.search import connection
from data.search.connection import (
    LimitedAdapter,
    SourceError,
    make_session,
    missing_extra,
    raise_answer,
    source_error,
)
from data.search.stac import StacSource
from tests.support.scripted_server import Reply, scripted


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that takes connections and never answers; limits of time of a fifth of a second."""
    monkeypatch.setattr(connection, "BACKOFF_S", 0.0)
    monkeypatch.setattr(connection, "READ_S", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_silent_server_is_left_after_the_limit_of_time(silent: str) -> None:
    with pytest.raises(requests.ConnectionError, match="timed out"):
        make_session().get(silent)


def test_silent_api_is_an_error(silent: str) -> None:
    with pytest.raises(SourceError, match=r"timed out.*Check the address and the network"):
        list(StacSource(silent).search_heights(box(0, 40, 1, 41)))


def test_retries_are_not_logged(silent: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with pytest.raises(requests.ConnectionError):
        make_session().get(silent)
    assert "Retrying" not in caplog.text


def test_wait_that_a_server_asks_for_is_bounded() -> None:
    retry = connection.make_retry()
    assert retry.retry_after_max == connection.LONGEST_WAIT_S
    assert retry.backoff_max == connection.LONGEST_WAIT_S


def test_moved_address_is_asked_elsewhere_and_others_where_they_are() -> None:
    with scripted(lambda request: Reply("here")) as server:
        session = requests.Session()
        session.mount("http://", LimitedAdapter(moved=("http://far.example.org", server.url)))
        assert session.get("http://far.example.org/a?b=1").text == "here"
        assert session.get(f"{server.url}/c").text == "here"
        assert [one.path for one in server.requests] == ["/a?b=1", "/c"]


def test_error_is_one_line_without_keys() -> None:
    error = source_error("It must answer", "two\nlines", "https://example.org", "Wait.")
    assert str(error) == "It must answer, but got: two lines, from https://example.org. Wait."
    with pytest.raises(SourceError) as caught:
        raise_answer(
            ValueError("https://example.org/a?sig=secret"), "https://me:secret@example.org"
        )
    assert "secret" not in str(caught.value)


def test_missing_package_names_the_extra() -> None:
    error = missing_extra("pystac-client", ImportError("No module named 'pystac_client'"))
    assert str(error).endswith(
        "pip install -c constraints.txt -e '.[scene]' in the folder of this project."
    )
