"""A scene of found acquisitions opens as it is, holds their pixels, and says where they come from."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from data.assemble import report as report_module
from data.assemble.partial import find_partial
from data.assemble.write_scene import write_scene
from data.io.disk import FullDiskError
from data.io.safe_json import RefusedError
from data.scene.base import InputSpec
from data.scene.cube import Cube
from data.scene.open import open_scene
from data.scene.windows import Span, Window
from data.search.acquisitions import Acquisition, Found
from tests.support.asset_server import serve_assets
from tests.support.scene_assets import (
    CRS,
    DAYS,
    EVENT,
    PlainSource,
    find_area,
    make_found,
    make_frame,
    make_item,
    make_pass,
    make_power,
    write_cog,
)

AREA = find_area(120, 140, 20, 30)
CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH", "DEM")


def make_passes(folder: Path, address: str = "") -> list[Acquisition]:
    passes = []
    for number, day in enumerate(DAYS):
        for orbit, track in (("s1asc", 46), ("s1dsc", 68)):
            power = make_power(200, 200, number + track)
            frame = make_frame(folder, f"{orbit}{number}", power, address)
            passes.append(make_pass([frame], day, orbit, track))
    return passes


def make_heights(folder: Path) -> list[object]:
    heights = np.tile(np.arange(200, dtype=np.float32), (200, 1))
    return [make_item("dem", {"DEM": write_cog(folder / "dem.tif", heights)})]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    folder = tmp_path / "assets"
    return make_found(make_passes(folder), AREA, make_heights(folder))  # type: ignore[arg-type]


def test_a_scene_opens_without_a_further_word(tmp_path: Path, found: Found) -> None:
    path = tmp_path / "scene.zarr"
    write_scene(found, PlainSource(), path)
    scene = open_scene(path, InputSpec(CHANNELS, 3, "event"))
    assert isinstance(scene, Cube)
    assert scene.events == (EVENT,)
    assert (scene.synthetic, scene.has_heights) == (False, True)
    assert not any("taken for" in note or "converted" in note for note in scene.notes)
    assert [str(t)[:19] for t in scene.dates["s1dsc"][0].chosen] == list(DAYS)
    whole = Window(
        Span(0, np.ones(scene.grid.height, np.float32)),
        Span(0, np.ones(scene.grid.width, np.float32)),
    )
    data = scene.read(whole)
    assert data is not None
    assert data.valid.all()
    raw = xr.open_dataset(path, group="s1dsc", engine="zarr", consolidated=False)
    wanted = raw["VH"].values.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(data.x[:, 3], np.clip(wanted, -50, 0))
    np.testing.assert_array_equal(data.relief, raw["DEM"].values)


def test_simulated_pixels_stay_marked(tmp_path: Path) -> None:
    passes = make_passes(tmp_path / "assets")
    path = tmp_path / "scene.zarr"
    report = write_scene(make_found(passes, AREA, synthetic=True), PlainSource(), path)
    scene = open_scene(path, InputSpec(CHANNELS[:4], 3, "event"))
    assert (scene.synthetic, report.synthetic, report.has_heights) == (True, True, False)


def test_a_scene_follows_the_conventions(tmp_path: Path, found: Found) -> None:
    path = tmp_path / "scene.zarr"
    write_scene(found, PlainSource(), path)
    root = zarr.open_group(path, mode="r")
    assert root.metadata.zarr_format == 3
    assert root.attrs["Conventions"] == "CF-1.11"
    assert root.attrs["event_date"] == "2018-09-05T18:08:00"
    opened = xr.open_dataset(
        path, group="s1asc", engine="zarr", consolidated=False, decode_coords="all"
    )
    assert "spatial_ref" in opened.coords  # found as the grid mapping
    assert opened["VV"].dims == ("time", "y", "x")
    assert opened["VV"].dtype == np.float32
    assert opened["VV"].attrs["units"] == "dB"
    assert opened["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert opened.attrs["crs"] == CRS
    assert opened.attrs["platform"] == "sentinel-1b"
    assert opened.attrs["sat:relative_orbit"] == 46
    west, step, _, north, _, down = map(float, opened["spatial_ref"].attrs["GeoTransform"].split())
    assert (opened["x"].values[0], opened["y"].values[0]) == (west + 5, north - 5)
    assert (step, down) == (10, -10)
    assert [str(time)[:19] for time in opened["time"].values] == list(DAYS)


def test_chunks_are_of_one_acquisition(tmp_path: Path) -> None:
    power = make_power(600, 600)
    passes = [make_pass([make_frame(tmp_path, "a", power)], day) for day in DAYS]
    found = make_found(passes, find_area(560, 560, 20, 20))
    report = write_scene(found, PlainSource(), tmp_path / "scene.zarr")
    group = zarr.open_group(tmp_path / "scene.zarr", mode="r")
    assert group["s1asc/VV"].chunks == (1, 512, 512)  # type: ignore[union-attr]
    assert (report.chunks, report.chunks_before) == (3 * 2 * 4, 0)


def test_a_report_has_what_a_scene_took_and_holds(tmp_path: Path, found: Found) -> None:
    report = write_scene(found, PlainSource(), tmp_path / "scene.zarr")
    assert report.dates["s1asc"] == tuple(np.datetime64(day) for day in DAYS)
    assert report.tracks == {"s1asc": (46,), "s1dsc": (68,)}
    assert report.area_km2 == report.shape[0] * report.shape[1] / 1e4
    assert report.seconds_load > 0
    assert report.crs == CRS
    assert report.event == EVENT
    text = r"scene\.zarr: 1\.\d km2 in EPSG:32654, 3 acquisitions of s1asc \(track 46\), 3 acquisitions of s1dsc \(track 68\)"
    import re

    assert re.search(text, str(report))


def test_bytes_of_servers_are_counted_and_assets_named_with_their_etags(tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    with serve_assets(folder) as server:
        found = make_found(make_passes(folder, server.address), AREA)
        source = PlainSource(prefix="")
        report = write_scene(found, source, tmp_path / "scene.zarr")
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert report.bytes_read > 0.2 * sum(sizes.values())
    assert report.notes == ()
    group = zarr.open_group(tmp_path / "scene.zarr", mode="r")
    stored = [group[orbit].attrs["acquisitions"] for orbit in ("s1asc", "s1dsc")]
    assets = [item[band] for series in stored for one in series for item in one["items"] for band in ("VV", "VH")]  # type: ignore[union-attr, index, call-overload] # fmt: skip
    assert len(assets) == len(sizes)
    for asset in assets:
        name = asset["address"].rpartition("/")[2]
        assert asset["address"] == f"{server.address}/{name}"
        assert asset["etag"] == f'"{sizes[name]:x}"'


def test_a_server_without_etags_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    with serve_assets(folder) as server:
        server.etags = False
        found = make_found(make_passes(folder, server.address)[:2], AREA)
        report = write_scene(found, PlainSource(), tmp_path / "scene.zarr")
    assert report.notes[0].startswith(
        "4 of 4 assets have no ETag, so a later version of them cannot"
    )


def test_tokens_are_not_stored(tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    with serve_assets(folder) as server:
        passes = make_passes(folder, server.address)[:1]
        for asset in passes[0].items[0].assets.values():
            asset.href += "?se=2026&sig=SECRET"
        write_scene(make_found(passes, AREA), PlainSource(), tmp_path / "scene.zarr")
    texts = [file.read_text() for file in (tmp_path / "scene.zarr").rglob("zarr.json")]
    assert not any("SECRET" in text for text in texts)
    assert any(f"{server.address}/s1asc0_vv.tif" in text for text in texts)


def test_a_disk_without_room_is_refused_before_anything_is_written(
    tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "_SPARE_BYTES", 1 << 60)
    message = r"The disk of .*scene.zarr must have room for the scene: .* TB, but has .* free\. Free space there, choose another --to"
    with pytest.raises(FullDiskError, match=message):
        write_scene(found, PlainSource(), tmp_path / "scene.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["assets"]
    monkeypatch.setattr(report_module, "_SPARE_BYTES", 0)
    monkeypatch.setattr(report_module, "count_free_files", lambda _: 3)
    with pytest.raises(FullDiskError, match=r"room for the scene: 13 files, but takes only 3 more"):
        write_scene(found, PlainSource(), tmp_path / "scene.zarr")


def test_the_work_is_told_before_it_begins(
    tmp_path: Path, found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        write_scene(found, PlainSource(), tmp_path / "scene.zarr")
    assert "1.7 km2 (120 x 140 px of 10 m in EPSG:32654), 3 acquisitions of s1asc, 3 acquisitions" in caplog.text  # fmt: skip
    assert "13 chunks of 512 x 512 px, about" in caplog.text
    assert not find_partial(tmp_path / "scene.zarr").exists()


def test_nothing_found_is_no_scene(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"A scene needs acquisitions, but got none in a folder"):
        write_scene(make_found([], AREA), PlainSource(), tmp_path / "scene.zarr")
    assert list(tmp_path.iterdir()) == []
