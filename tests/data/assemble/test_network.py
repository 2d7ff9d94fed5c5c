"""What GDAL is told and asked about servers, without a secret in what is stored."""

from pathlib import Path

import pytest
import rasterio

from data.assemble import network
from data.assemble.network import (
    count_received,
    forget,
    is_remote,
    make_options,
    read_etag,
    strip_tokens,
)
from tests.support.asset_server import serve_assets
from tests.support.scene_assets import make_power, write_cog


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://x.net/a/vv.tif?st=1&se=2&sig=ab%3D", "https://x.net/a/vv.tif"),
        ("https://x.net/vv.tif?X-Amz-Signature=12&X-Amz-Credential=me", "https://x.net/vv.tif"),
        ("https://me:word@x.net/vv.tif", "https://x.net/vv.tif"),
        ("https://x.net/get?file=vv.tif", "https://x.net/get?file=vv.tif"),
        ("/data/vv.tif", "/data/vv.tif"),
    ],
)
def test_tokens_are_stripped_and_the_rest_of_an_address_is_kept(address: str, shown: str) -> None:
    assert strip_tokens(address) == shown


def test_an_address_that_failed_is_asked_anew_only_once_it_is_forgotten(tmp_path: Path) -> None:
    """The reason for `forget`: GDAL remembers a failure."""
    with (
        serve_assets(tmp_path) as server,
        rasterio.Env(**make_options({"GDAL_HTTP_MAX_RETRY": "0"})),
    ):
        address = f"{server.address}/a.tif"
        write_cog(tmp_path / "a.tif", make_power(200, 200))
        server.faults["/a.tif"] = [503]
        for _ in range(2):
            with pytest.raises(rasterio.errors.RasterioIOError):
                rasterio.open(address)
        assert len(server.requests) == 1
        forget(address)
        before = count_received()
        with rasterio.open(address) as raster:
            assert raster.read(1).shape == (200, 200)
        assert count_received() - before > 0.3 * (tmp_path / "a.tif").stat().st_size


def test_an_etag_is_as_the_server_sends_it(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"abc")
    with (
        serve_assets(tmp_path) as server,
        rasterio.Env(**make_options({"GDAL_HTTP_MAX_RETRY": "0"})),
    ):
        assert read_etag(f"{server.address}/a.tif") == '"3"'
        assert read_etag(f"{server.address}/nosuch.tif") is None
        server.etags = False
        assert read_etag(f"{server.address}/a.tif") == ""


def test_without_gdals_functions_nothing_is_known_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "_library", lambda: None)
    assert (count_received(), read_etag("http://127.0.0.1:9/a.tif")) == (0, None)
    forget("http://127.0.0.1:9/a.tif")


def test_a_path_is_no_address_of_a_server() -> None:
    assert is_remote("https://x.net/a.tif")
    assert not is_remote("/data/a.tif")
