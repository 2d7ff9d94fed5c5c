"""An asset on a server is tried again after errors of the moment, and named with its reason if it stays unreadable."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyproj
import pytest

from data.assemble import network, reader
from data.assemble.blocks import Block
from data.assemble.grid import make_grid
from data.assemble.load import load_block
from data.assemble.reader import AssetError, StoppedError
from tests.support.asset_server import AssetServer, serve_assets
from tests.support.scene_assets import (
    NORTH,
    WEST,
    PlainSource,
    find_area,
    find_one_pass,
    make_frame,
    make_power,
)

AREA = find_area(120, 140, 30, 40)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AssetServer]:
    monkeypatch.setattr(reader, "WAITS_S", (0.01, 0.02, 0.05))
    monkeypatch.setattr(network, "RETRIES", 1)
    monkeypatch.setattr(network, "RETRY_DELAY_S", 0.01)
    with serve_assets(tmp_path) as one:
        yield one


def load(server: AssetServer, source: PlainSource | None = None, name: str = "a") -> np.ndarray:
    item = make_frame(server.folder, name, address=server.address)
    return load_item(item, source or PlainSource())


def load_item(item: object, source: PlainSource, stop: threading.Event | None = None) -> np.ndarray:
    found = find_one_pass(AREA, item)  # type: ignore[arg-type]
    loaded = load_block(
        found, source, Block("s1asc", 0, 0, 0), make_grid(AREA), stop or threading.Event()
    )
    return loaded["VV"]


@pytest.mark.parametrize("fault", [429, 500, 503, "drop"])
def test_an_error_of_the_moment_is_tried_again(server: AssetServer, fault: int | str) -> None:
    server.faults["/a_vv.tif"] = [fault] * 3  # more than GDAL alone tries
    assert np.isfinite(load(server)).all()
    assert server.faults["/a_vv.tif"] == []


def test_a_connection_that_dies_within_a_file_is_tried_again(server: AssetServer) -> None:
    heads: list[str] = []

    def break_off(path: str) -> None:
        heads.append(path)
        if heads.count("/a_vv.tif") == 3:  # after the length and the header
            server.faults[path] = [503] * 4

    server.before = break_off
    assert np.isfinite(load(server)).all()
    assert server.faults["/a_vv.tif"] == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (503, r"An asset must be readable, but got HTTP 503 for http://127.*/a_vv.tif\. The same command continues, now or when the server is well again; if it stays so, take another --source\."),
        ("drop", r"got CURL error: Empty reply from server for http.*/a_vv.tif\. The same command continues"),
        (404, r"got HTTP 404 for http.*/a_vv.tif\. Get it again from its source, or take it out of the catalogue\. The same command continues\."),
        (403, r"got HTTP 403 for http.*/a_vv.tif\. Check the account or the key of the catalogue\."),
    ],
)  # fmt: skip
def test_an_asset_that_stays_away_is_named_with_its_reason(
    server: AssetServer, fault: int | str, message: str
) -> None:
    server.faults["/a_vv.tif"] = [fault] * 100
    with pytest.raises(AssetError, match=message):
        load(server)
    tries = server.count("/a_vv.tif", "HEAD")
    assert tries == {404: 1, 403: 2}.get(fault, tries)  # type: ignore[call-overload]
    server.faults.clear()
    assert np.isfinite(load(server)).all()  # GDAL has forgotten that it was away


def test_an_expired_token_is_replaced_once(server: AssetServer) -> None:
    class Renewing(PlainSource):
        def sign(self, href: str) -> str:
            return f"{super().sign(href)}?token={len(self.signed)}"

    server.faults["/a_vv.tif"] = [403]
    source = Renewing()
    assert np.isfinite(load(server, source)).all()
    tokens = {path for _, path, _ in server.requests if path.startswith("/a_vv.tif")}
    assert tokens == {"/a_vv.tif?token=1", "/a_vv.tif?token=2"}


def test_a_signature_is_neither_shown_nor_logged(
    server: AssetServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Signing(PlainSource):
        def sign(self, href: str) -> str:
            return f"{href}?se=2026&sig=SECRET"

    server.faults["/a_vv.tif"] = [404]
    with caplog.at_level(logging.DEBUG), pytest.raises(AssetError) as caught:
        load(server, Signing())
    assert "SECRET" not in str(caught.value) + caplog.text


@pytest.mark.parametrize("remote", [True, False])
@pytest.mark.parametrize("crs", ["EPSG:32654", "EPSG:32653"])
@pytest.mark.parametrize("damage", ["truncated", "overwritten", "no GeoTIFF"])
def test_a_damaged_asset_is_an_error_that_names_it(
    server: AssetServer, damage: str, crs: str, remote: bool
) -> None:
    """Whether its pixels are copied or resampled: never are they missing without a word."""
    power = np.tile(make_power(300, 300), (4, 4))
    west, north = find_corner(crs)
    address = server.address if remote else ""
    item = make_frame(server.folder, "a", power, address, crs=crs, west=west, north=north)
    file = server.folder / "a_vv.tif"
    content = file.read_bytes()
    half = len(content) // 2
    changed = {
        "truncated": content[: len(content) * 3 // 4],
        "overwritten": content[:half] + b"\0" * (len(content) - half),
        "no GeoTIFF": b"<html>please log in</html>" * 100,
    }[damage]
    file.write_bytes(changed)
    reason = (
        "a file that is no GeoTIFF" if damage == "no GeoTIFF" else "a truncated or damaged file"
    )
    with pytest.raises(AssetError, match=rf"must be readable, but got {reason}.* for .*/a_vv\.tif"):
        load_whole(item)


def find_corner(crs: str) -> tuple[float, float]:
    """Return a frame's corner in another zone, a little beyond the corner in the area's own."""
    to_other = pyproj.Transformer.from_crs("EPSG:32654", crs, always_xy=True)
    west, north = to_other.transform(WEST, NORTH)
    return (WEST, NORTH) if crs == "EPSG:32654" else (round(west, -1) - 200, round(north, -1) + 200)


def load_whole(item: object) -> None:
    area = find_area(1100, 1100, 30, 30)
    found = find_one_pass(area, item)  # type: ignore[arg-type]
    load_block(found, PlainSource(), Block("s1asc", 0, 0, 0), make_grid(area), threading.Event())


def test_a_file_that_is_gone_from_a_folder_is_named(tmp_path: Path) -> None:
    item = make_frame(tmp_path, "a")
    (tmp_path / "a_vh.tif").unlink()
    with pytest.raises(AssetError, match=r"but got no such file for .*/a_vh\.tif\. Get it again"):
        load_item(item, PlainSource())


def test_reading_ends_when_something_else_failed(server: AssetServer) -> None:
    item = make_frame(server.folder, "a", address=server.address)
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        load_item(item, PlainSource(), stop)
    assert server.requests == []


def test_options_of_the_source_win_and_depend_on_the_address(server: AssetServer) -> None:
    class Login(PlainSource):
        def environment(self, href: str = "") -> dict[str, str]:
            return {"GDAL_HTTP_HEADERS": "X-Key: 1"} if "vv" in href else {}

    assert np.isfinite(load(server, Login())).all()
    assert {key for path, key in server.keys if "vv" in path} == {"1"}
    assert {key for path, key in server.keys if "vh" in path} == {""}
    assert network.make_options({"GDAL_HTTP_MAX_RETRY": "9"})["GDAL_HTTP_MAX_RETRY"] == "9"
