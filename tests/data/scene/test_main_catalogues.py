"""`python -m data.scene` from each catalogue: the scene holds what the satellites saw, of the right track, whole."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from data.scene.base import InputSpec
from data.scene.open import open_scene
from tests.support.forked_commands import Server
from tests.support.loopback_catalogue import BLOBS, CMR, CUMULUS, LoopbackCatalogue
from tests.support.loopback_places import ASCENDING_TRACK, NARROW_TRACK, WIDE_TRACK, list_nearest
from tests.support.loopback_products import find_file
from tests.support.loopback_scenes import (
    check_bursts,
    check_values,
    find_pixels,
    list_words,
    open_orbit,
    run,
    split_rows,
)

TRACKS = {"s1asc": ASCENDING_TRACK, "s1dsc": WIDE_TRACK}
# A pass whose first frame has no VH: it begins with the second one, 25 s later.
LACKS_VH, LACKING = np.datetime64("2023-11-10T20:58:45"), np.timedelta64(25, "s")


@pytest.fixture(scope="module")
def scene(
    served: LoopbackCatalogue, scene_commands: Server, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A scene of the plain STAC API."""
    served.calm()
    to = tmp_path_factory.mktemp("scenes") / "noto.zarr"
    answer = run(scene_commands, served, list_words(served, to))
    assert answer.code == 0, answer.said
    return to


def test_scene_of_a_stac_api_equals_what_the_satellites_saw(
    scene: Path, catalogue: LoopbackCatalogue
) -> None:
    place = catalogue.places["twin"]
    for orbit, track in TRACKS.items():
        dataset = open_orbit(scene, orbit)
        expected = [np.datetime64(one.time) for one in list_nearest(place, orbit, track, 8, 4)]
        found = dataset["time"].values.astype("M8[s]")
        assert (found - LACKING * (found == LACKS_VH)).tolist() == np.array(expected).tolist()
        whole = dataset.sel(time=dataset["time"] != LACKS_VH)
        check_values(place, whole, orbit, track)
        assert np.isfinite(whole["VV"].values).all()


def test_pass_without_one_polarisation_has_no_data_there_and_the_rest_of_it(
    scene: Path, catalogue: LoopbackCatalogue
) -> None:
    place = catalogue.places["twin"]
    (seen,) = [one for one in place.passes if one.time == (LACKS_VH - LACKING).item()]
    dataset = open_orbit(scene, "s1dsc").sel(time=LACKS_VH)
    rows, _ = find_pixels(place, dataset)
    north, south = split_rows(place, seen)
    for band in ("VV", "VH"):
        values = dataset[band].values
        assert np.isnan(values[rows < north.stop]).all()
        assert np.isfinite(values[rows >= south.start]).all()


def test_track_that_sees_the_whole_area_is_taken(scene: Path, catalogue: LoopbackCatalogue) -> None:
    attributes = zarr.open_group(scene, mode="r")["s1dsc"].attrs.asdict()
    text = str(attributes)
    assert str(WIDE_TRACK) in text
    place = catalogue.places["twin"]
    narrow = {one.time for one in place.list_passes("s1dsc", NARROW_TRACK)}
    found = set(open_orbit(scene, "s1dsc")["time"].values.astype("M8[s]").tolist())
    assert not narrow & found


def test_heights_are_those_of_the_place(scene: Path, catalogue: LoopbackCatalogue) -> None:
    place = catalogue.places["twin"]
    dataset = open_orbit(scene, "s1asc")
    rows, columns = find_pixels(place, dataset)
    difference = dataset["DEM"].values - place.heights[rows][:, columns]
    # Squares of an arc second, and back: slopes of up to 30 degrees over half a square.
    assert np.abs(difference).mean() < 3
    assert np.abs(difference).max() < 30
    assert (
        np.corrcoef(dataset["DEM"].values.ravel(), place.heights[rows][:, columns].ravel())[0, 1]
        > 0.99
    )


def test_scene_says_where_each_image_is_from(scene: Path, catalogue: LoopbackCatalogue) -> None:
    root = zarr.open_group(scene, mode="r")
    assert root.attrs["synthetic"]
    assert root.attrs["crs"] == f"EPSG:{catalogue.places['twin'].epsg}"
    assert str(root.attrs["event_date"]).startswith("2024-01-01T07:10")
    text = str(root["s1asc"].attrs.asdict())
    used = [name for name in _list_files(catalogue, "s1asc") if name in text]
    assert len(used) >= 12 * 2 * 2  # passes, frames, polarisations
    for name in used:
        content = (catalogue.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest()[:16] in text


def _list_files(catalogue: LoopbackCatalogue, orbit: str) -> list[str]:
    direction = {"s1asc": "ascending", "s1dsc": "descending"}[orbit]
    return [
        find_file(item["assets"][band]["href"])
        for item in catalogue.items
        if item["properties"].get("sat:orbit_state") == direction
        for band in ("vv", "vh")
        if band in item["assets"]
    ]


def test_scene_opens_as_a_map_s_input_without_a_further_word(
    scene: Path, catalogue: LoopbackCatalogue
) -> None:
    place = catalogue.places["twin"]
    channels = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH", "DEM")
    opened = open_scene(scene, InputSpec(channels, 4, "event"))
    dataset = open_orbit(scene, "s1asc")
    grid = opened.grid
    assert (grid.height, grid.width) == dataset["VV"].shape[1:]
    # A map's grid has corners of pixels, the scene centres.
    assert (grid.west_m, grid.north_m) == (float(dataset["x"][0]) - 5, float(dataset["y"][0]) + 5)
    assert grid.crs == f"EPSG:{place.epsg}"
    assert opened.synthetic


def test_scene_of_planetary_computer_is_read_with_tokens_that_are_not_stored(
    catalogue: LoopbackCatalogue, scene_commands: Server, scene: Path, tmp_path: Path
) -> None:
    to = tmp_path / "noto.zarr"
    answer = run(scene_commands, catalogue, list_words(catalogue, to, "planetary"))
    assert answer.code == 0, answer.said
    for orbit in TRACKS:
        xr.testing.assert_equal(
            open_orbit(to, orbit).drop_attrs(), open_orbit(scene, orbit).drop_attrs()
        )
    assert catalogue.tokens.given == len(BLOBS)  # one for each container
    for host in BLOBS:
        reads = catalogue.server.find(host, "GET")
        assert reads
        assert all("sig" in one.query for one in reads)
    texts = [answer.said, *(file.read_text() for file in to.rglob("zarr.json"))]
    assert not any("sig=" in text for text in texts)


def test_scene_of_asf_equals_opera_s_bursts(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    to = tmp_path / "noto.zarr"
    answer = run(scene_commands, catalogue, list_words(catalogue, to, "asf"))
    assert answer.code == 0, answer.said
    for orbit, track in TRACKS.items():
        check_bursts(catalogue.places["twin"], open_orbit(to, orbit), orbit, track)
    assert catalogue.server.count(CMR, "POST")
    assert not any("authorization" in one.headers for one in catalogue.server.find("windows.net"))
    assert "DEM" in open_orbit(to, "s1asc")
    said = [answer.said, *(file.read_text() for file in to.rglob("zarr.json"))]
    assert not any("a-token-of-earthdata" in text or "Signature" in text for text in said)


def test_scene_of_asf_needs_a_login(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    to = tmp_path / "noto.zarr"
    nobody = {"EARTHDATA_TOKEN": None, "NETRC": str(tmp_path / "none")}
    answer = run(scene_commands, catalogue, list_words(catalogue, to, "asf"), nobody)
    assert answer.code != 0
    assert "--source asf must have an Earthdata login" in answer.said
    wrong = {"EARTHDATA_TOKEN": "another"}
    answer = run(scene_commands, catalogue, list_words(catalogue, to, "asf"), wrong)
    assert answer.code == 1, answer.said
    assert "HTTP 401" in answer.said
    assert "Check the account" in answer.said
    assert not to.exists()
    assert catalogue.server.count(CUMULUS) < 100  # a wrong login is not tried again and again


def test_scene_of_a_folder_equals_opera_s_bursts(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    to = tmp_path / "noto.zarr"
    source = f"folder:{catalogue.folder / 'opera'}"
    answer = run(scene_commands, catalogue, list_words(catalogue, to, source))
    assert answer.code == 0, answer.said
    assert "No heights were found" in answer.said
    for orbit, track in TRACKS.items():
        check_bursts(catalogue.places["twin"], open_orbit(to, orbit), orbit, track)
    assert not catalogue.server.log
    assert zarr.open_group(to, mode="r").attrs["synthetic"]


def test_scene_of_real_images_equals_the_real_tile_and_is_not_synthetic(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    to = tmp_path / "italy.zarr"
    words = list_words(catalogue, to, place="real")
    answer = run(scene_commands, catalogue, [*words, "--before", "3", "--after", "2"])
    assert answer.code == 0, answer.said
    place = catalogue.places["real"]
    assert "synthetic" not in zarr.open_group(to, mode="r").attrs
    check_values(place, open_orbit(to, "s1asc"), "s1asc", 117)
    descending = open_orbit(to, "s1dsc")
    tracks = {
        one.track
        for one in place.passes
        if np.datetime64(one.time) in descending["time"].values.astype("M8[s]")
    }
    assert len(tracks) == 1
    check_values(place, descending, "s1dsc", *tracks)
