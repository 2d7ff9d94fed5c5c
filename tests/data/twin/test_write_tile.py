"""A file of the twin is like a real one, down to its chunks, and says inside that it is synthetic."""

from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from data.tiles import ORBITS, open_tile, tile_path
from data.twin.backscatter import draw_acquisitions
from data.twin.regions import NOTO, read_sites
from data.twin.write_tile import write_site

REAL = Path(__file__).parents[2] / "support" / "real" / "s1asc" / "italy_s1asc_4120.nc"
SLIDES, ELSEWHERE = "hokkaido_743", "noto_16"
OWN = {
    "crs_wkt",
    "spatial_ref",
    "GeoTransform",
    "projected_crs_name",
    "longitude_of_central_meridian",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("files")
    for tile_id in (SLIDES, ELSEWHERE):
        write_site(root, read_sites()[tile_id], ORBITS, 7, "harmonized")
    return root


@pytest.fixture
def real() -> Iterator[netCDF4.Dataset]:
    with netCDF4.Dataset(REAL) as file:
        yield file


@pytest.fixture
def made(folder: Path) -> Iterator[netCDF4.Dataset]:
    with netCDF4.Dataset(tile_path(folder, SLIDES, "s1asc")) as file:
        yield file


def test_variables_are_stored_as_in_the_real_file(
    made: netCDF4.Dataset, real: netCDF4.Dataset
) -> None:
    assert list(made.variables) == list(real.variables)
    for name, variable in real.variables.items():
        found = made[name]
        assert (found.dtype, found.dimensions) == (variable.dtype, variable.dimensions)
        assert (found.chunking(), found.filters()) == (variable.chunking(), variable.filters())
        assert found.ncattrs() == variable.ncattrs()


def test_attributes_are_those_of_the_real_file_and_the_mark(
    made: netCDF4.Dataset, real: netCDF4.Dataset
) -> None:
    assert [*real.ncattrs(), "synthetic"] == made.ncattrs()
    assert made.synthetic == "landslide benchmark twin, region hokkaido, seed 7"
    for name in real.ncattrs():
        assert type(getattr(made, name)) is type(getattr(real, name))
    assert (made.satellite, made.annotated) == (real.satellite, real.annotated)


def test_coordinate_system_is_described_as_in_the_real_file(
    made: netCDF4.Dataset, real: netCDF4.Dataset
) -> None:
    found, expected = (vars_of(file["spatial_ref"]) for file in (made, real))
    assert {name: found[name] for name in expected if name not in OWN} == {
        name: value for name, value in expected.items() if name not in OWN
    }
    assert (found["longitude_of_central_meridian"], expected["longitude_of_central_meridian"]) == (
        141,
        9,
    )
    moved = str(expected["crs_wkt"]).replace("32N", "54N").replace("32632", "32654")
    assert found["crs_wkt"] == moved.replace('meridian",9', 'meridian",141')


def vars_of(variable: netCDF4.Variable) -> dict[str, object]:
    return {name: variable.getncattr(name) for name in variable.ncattrs()}


def test_dates_are_whole_days_since_the_first(made: netCDF4.Dataset, real: netCDF4.Dataset) -> None:
    for file in (made, real):
        assert file["time"].units.count(":") == 0
        assert int(file["time"][0]) == 0


@pytest.mark.parametrize("orbit", ORBITS)
def test_backscatter_is_within_the_published_bounds(folder: Path, orbit: str) -> None:
    for tile_id in (SLIDES, ELSEWHERE):
        bands = open_tile(tile_path(folder, tile_id, orbit)).bands
        assert -50 <= bands.min() < bands.max() <= 0


def test_a_tile_of_the_second_region_names_its_own_event_and_zone(folder: Path) -> None:
    tiles = [open_tile(tile_path(folder, ELSEWHERE, orbit)) for orbit in ORBITS]
    for tile in tiles:
        assert tile.crs == f"EPSG:{32600 + NOTO.utm_zone}"
        assert str(tile.event)[:10] == "2024-01-01"
        assert tile.synthetic
        assert tile.mask.sum() == read_sites()[ELSEWHERE].annotated_px
        assert (tile.times < np.datetime64("2024-01-01")).sum() >= 5
    with netCDF4.Dataset(tile_path(folder, ELSEWHERE, "s1asc")) as file:
        assert (file.event_date, file.crs) == ("2024-01-01", "EPSG:32653")
        assert file.synthetic == "landslide benchmark twin, region noto, seed 7"
        assert 'meridian",135]' in file["spatial_ref"].crs_wkt


def test_heights_are_stairs_of_one_arc_second(folder: Path) -> None:
    for tile_id in (SLIDES, ELSEWHERE):
        dem = open_tile(tile_path(folder, tile_id, "s1asc")).dem
        across, down = ((np.diff(dem, axis=axis) == 0).mean() for axis in (1, 0))
        assert 0.55 < across < 0.74  # 57 to 74 % in eleven real tiles
        assert across < down < 0.85  # a second of arc is longer to the north


def test_repeated_images_are_the_same_image(tmp_path: Path) -> None:
    site = next(
        site
        for site in NOTO.list_sites()
        if len(set(draw_acquisitions(site, NOTO.orbits["s1asc"]))) == 13
    )
    write_site(tmp_path, site, ("s1asc",), 7, "harmonized")
    with netCDF4.Dataset(tile_path(tmp_path, site.tile_id, "s1asc")) as file:
        days, bands = file["time"][:], file["VV"][:]
    assert days[-4] < days[-3] == days[-2] == days[-1]
    np.testing.assert_array_equal(bands[-1], bands[-2])
    np.testing.assert_array_equal(bands[-1], bands[-3])
    assert (bands[-1] != bands[-4]).mean() > 0.9
