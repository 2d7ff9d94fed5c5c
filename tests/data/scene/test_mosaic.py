"""A folder or list of GeoTIFFs is read with the values of a datacube, or refused with the names found."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.scene.base import InputSpec, Scene
from data.scene.datacube import open_cube
from data.scene.geotiffs.mosaic import open_geotiffs
from data.scene.open import open_scene
from data.scene.windows import Span, Window
from tests.support.cube_files import DIMS, NORTH, TIMES, WEST, Groups, make_groups, write_netcdf
from tests.support.geotiff_files import list_dates, write_folder, write_geotiff

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
SPEC = InputSpec((*S1, "DEM", "slope"), 2, "even")
ASCENDING = InputSpec(S1[:2], 2, "even")
OPERA = "OPERA_L2_RTC-S1_T035-073251-IW2_{date}T211204Z_20250101T000000Z_S1A_30_v1.0_{band}.tif"
HYP3 = "{modality}/S1A_IW_{date}T083510_DVP_RTC10_G_gpuned_B8D9_{band}.tif"


def groups(dates: int = 4, height: int = 40, width: int = 50) -> Groups:
    return make_groups(height, width, TIMES[:: 14 // (dates - 1)][:dates])


def one_orbit(dates: int = 3) -> Groups:
    return {"s1asc": groups(dates)["s1asc"]}


def read_all(scene: Scene) -> np.ndarray:
    shape = (scene.grid.height, scene.grid.width)
    whole = Window(*(Span(0, np.ones(size, np.float32)) for size in shape))
    window_data = scene.read(whole)
    assert window_data is not None
    return window_data.x


@pytest.mark.parametrize(
    "name", ["{modality}/S1_{date}_x_{band}.tif", HYP3, "{modality}_{date}_{band}.tiff"]
)
def test_a_folder_of_geotiffs_holds_the_numbers_of_a_cube(tmp_path: Path, name: str) -> None:
    cube = open_cube(write_netcdf(groups(), tmp_path / "cube.nc"), SPEC)
    scene = open_scene(write_folder(groups(), tmp_path / "tifs", name), SPEC)
    assert scene.grid == cube.grid
    np.testing.assert_array_equal(read_all(scene), read_all(cube))
    days, wanted = (one.dates["s1dsc"][0].chosen.astype("datetime64[D]") for one in (scene, cube))
    np.testing.assert_array_equal(days, wanted)


def test_a_list_of_files_is_a_scene_of_their_dates(tmp_path: Path) -> None:
    write_folder(groups(4), tmp_path)
    files = [
        file
        for file in sorted(tmp_path.rglob("*.tif"))
        if list_dates(groups(4)["s1asc"])[1] not in file.name
    ]
    scene = open_scene(files, SPEC)
    assert "Of 3 acquisitions of s1asc: 2018-03-29, 2019-01-11." in scene.notes


def test_a_file_may_hold_both_polarisations(tmp_path: Path) -> None:
    dataset = one_orbit()["s1asc"]
    for index, date in enumerate(list_dates(dataset)):
        bands = {f"gamma0 {name}": dataset[name].values[index] for name in ("VH", "VV")}
        write_geotiff(tmp_path / "s1asc" / f"{date}.tif", bands)
    cube = open_cube(write_netcdf(one_orbit(), tmp_path / "cube.nc"), ASCENDING)
    np.testing.assert_array_equal(read_all(open_scene(tmp_path, ASCENDING)), read_all(cube))


def test_operas_names_and_tags_are_understood(tmp_path: Path) -> None:
    """OPERA's files state the orbit's direction in a tag, and a mask and a second date stand beside the band."""
    tags = {"ORBIT_PASS_DIRECTION": "Ascending"}
    write_folder(one_orbit(), tmp_path, OPERA, tags=tags)
    mask = OPERA.format(date="20180329", band="mask")
    write_geotiff(tmp_path / mask, {"": np.zeros((40, 50), np.uint8)}, described=False)
    scene = open_scene(tmp_path, ASCENDING)
    assert str(scene.dates["s1asc"][0].chosen[0]) == "2018-03-29T21:12:04.000000000"
    (note,) = (note for note in scene.notes if note.startswith("Not read"))
    assert mask in note


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("{modality}/x_{band}_{date}.tif", "{modality}/x_{band}_{date}.tif"),
        ("2018/{band}-{date}-s1asc-20500101.tif", "2018/{band}-{date:%Y%m%d}-*.tif"),
        ("20500101_{date}_{band}_asc.tif", "*_{date}_{band}_{modality}.tif"),
    ],
)
def test_a_pattern_says_what_a_name_means(tmp_path: Path, name: str, pattern: str) -> None:
    write_folder(one_orbit(), tmp_path, name)
    (tmp_path / "notes_19990101_VV.tif").write_text("not read")
    scene = open_geotiffs([tmp_path], ASCENDING, pattern=pattern)
    days = scene.dates["s1asc"][0].chosen.astype("datetime64[D]").astype(str).tolist()
    assert days == ["2018-03-29", "2019-02-28"]


def test_no_data_is_known_by_value_mask_and_scale(tmp_path: Path) -> None:
    """ASF stores linear power with 0 as no data."""
    dataset = one_orbit()["s1asc"]
    power = 10 ** (dataset[["VV", "VH"]] / 10)
    power["VV"][:, :3] = 0
    changed = dataset.assign(VV=power["VV"].astype("f4"), VH=power["VH"].astype("f4"))
    scene = open_scene(write_folder({"s1asc": changed}, tmp_path, nodata=0.0), ASCENDING)
    x = read_all(scene)
    assert np.isnan(x[:, 0, :3]).all()
    assert not np.isnan(x[:, 0, 3:]).any()
    np.testing.assert_allclose(x[0, 1], dataset["VH"].values[0], atol=0.02)
    assert "Backscatter of s1asc was converted from linear power to dB." in scene.notes


def test_a_files_synthetic_mark_is_the_scenes(tmp_path: Path) -> None:
    marked = write_folder(one_orbit(), tmp_path / "a", tags={"synthetic": "twin"})
    assert open_scene(marked, ASCENDING).synthetic
    assert not open_scene(write_folder(one_orbit(), tmp_path / "b"), ASCENDING).synthetic


def write_one(path: Path, **options: Any) -> Path:
    options = {"corner": (WEST, NORTH)} | options
    return write_geotiff(path, {"VV": np.full((40, 50), -9, np.float32)}, **options)


def first_date(root: Path) -> list[Path]:
    """Return VH and VV of the first date."""
    return sorted(root.glob("s1asc/S1_20180329_*"))


FIRST = "s1asc/S1_20180329_x_VV.tif"
WRONG: list[tuple[str, Any, str]] = [
    ("another crs", lambda root: [write_one(file, crs="EPSG:32653") for file in first_date(root)], r"files and groups of a scene must be on one grid, but got .*EPSG:32653 in S1_20180329_x_V.*EPSG:32654.*Pass --resample"),
    ("another crs of a band", lambda root: write_one(first_date(root)[0], crs="EPSG:32653"), r"Polarisations of a date must be on one grid, but got .*EPSG:3265"),
    ("no crs", lambda root: [write_one(file, crs=None) for file in first_date(root)], r"must name its coordinate system, but got none in .*S1_20180329"),
    ("degrees", lambda root: [write_one(file, crs="EPSG:4326", corner=(142, 43), step=0.0001) for file in root.rglob("*.tif")], r"must be projected, in m, but got WGS 84 .*Pass --resample"),
    ("missing polarisation", lambda root: first_date(root)[0].unlink(), r"Every date of s1asc must have VV and VH, but got .*S1_20180329_x_VV.tif on 2018-03-29.*Add VH"),
    ("one day twice", lambda root: write_one(root / "s1asc/frame_2018-03-29_VV.tif"), r"one file of VV per day and orbit, or slices of one pass, but got s1asc/S1_20180329_x_VV.tif, s1asc/frame_2018-03-29_VV.tif on 2018-03-29"),
    ("no date", lambda root: write_one(root / "s1asc/late_VV.tif"), r"name must have a date, as in <words>_YYYYMMDD_<words>_VV.tif, but got 'late_VV.tif'.*--pattern"),
    ("no such day", lambda root: write_one(root / "s1asc/x_20181399_VV.tif"), r"date in a name must exist, but got 20181399 in"),
    ("no direction", lambda root: write_one(root / "x_20181224_VV.tif"), r"direction must be in the name.*but got 'x_20181224_VV.tif'.*folders s1asc and s1dsc"),
    ("no descriptions", lambda root: write_geotiff(root / "s1asc/20181224.tif", dict.fromkeys("ab", np.zeros((40, 50), np.float32)), described=False), r"two bands must describe them as VV and VH, but got"),
    ("damaged", lambda root: (root / FIRST).write_text("II*"), r"A GeoTIFF must be readable, but got .*S1_20180329_x_VV.tif"),
    ("damaged later", lambda root: (root / "s1asc/20190101_x_VV_VH.tif").write_text("no"), r"A GeoTIFF must be readable"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_files_that_are_no_scene_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    change(write_folder(one_orbit(), tmp_path))
    with pytest.raises(ValueError, match=f"(?s){message}"):
        open_scene(tmp_path, ASCENDING)


def test_the_names_found_are_told_if_none_fits(tmp_path: Path) -> None:
    for name in "abcd":
        write_one(tmp_path / f"{name}.tif")
    with pytest.raises(
        ValueError,
        match=r"as in <words>_YYYYMMDD_<words>_VV\.tif, but got a\.tif, b\.tif, c\.tif and 1 more in",
    ):
        open_scene(tmp_path, ASCENDING)
    with pytest.raises(
        ValueError, match=r"as in --pattern '\{date\}_\{band\}\.tif', but got a\.tif"
    ):
        open_scene(tmp_path, ASCENDING, pattern="{date}_{band}.tif")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{day}.tif", "Unknown field of --pattern 'day'.*Available: modality, date, band"),
        ("{band}.tif", r"--pattern must have \{date\}, but got '\{band\}.tif'"),
        ("{date}_{date}.tif", r"must be in --pattern once.*but got '\{date\}'"),
        ("{band:%Y}{date}.tif", r"only date has a format, but got '\{band:%Y\}'"),
        ("{date:%Q}.tif", "Unknown code in the date's format '%Q'"),
        ("{date:%m%d}.tif", "must have a year, and each code once, but got '%m%d'"),
    ],
)
def test_a_wrong_pattern_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    write_one(tmp_path / "s1asc" / "20180329_VV.tif")
    with pytest.raises(ValueError, match=message):
        open_scene(tmp_path, ASCENDING, pattern=pattern)


def test_missing_orbits_heights_and_optical_bands_are_named(tmp_path: Path) -> None:
    write_folder(one_orbit(), tmp_path)
    with pytest.raises(
        ValueError, match=r"reads the modalities s1asc, s1dsc, but got s1asc in .*Add s1dsc"
    ):
        open_scene(tmp_path, InputSpec(S1, 2, "even"))
    with pytest.raises(ValueError, match="Use a datacube: GeoTIFFs are read for Sentinel-1 alone"):
        open_scene(tmp_path, InputSpec(("s1asc:VV", "s2:B04"), 2, "even"))
    (tmp_path / "DEM.tif").unlink()
    with pytest.raises(ValueError, match=r"a scene of GeoTIFFs needs DEM\.tif, but got s1asc/"):
        open_scene(tmp_path, InputSpec(("s1asc:VV", "slope"), 2, "even"))


def test_an_empty_folder_and_mixed_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="must hold tiles, a Zarr datacube or GeoTIFFs, but got an empty folder"
    ):
        open_scene(tmp_path, ASCENDING)
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"or GeoTIFFs, but got a\.txt, b\.txt in"):
        open_scene(tmp_path, ASCENDING)
    one = write_one(tmp_path / "s1asc" / "20180329_VV.tif")
    with pytest.raises(
        ValueError, match=re.escape("Several inputs must be GeoTIFFs, named *.tif, but got a.txt")
    ):
        open_scene([one, tmp_path / "a.txt"], ASCENDING)
    cube = write_netcdf(
        {"s1asc": one_orbit()["s1asc"].isel({DIMS[1]: slice(5)})}, tmp_path / "c.nc"
    )
    with pytest.raises(
        ValueError, match="--pattern is for names of GeoTIFFs, but got another input"
    ):
        open_scene(cube, ASCENDING, pattern="{date}.tif")
    with pytest.raises(FileNotFoundError, match=r"but .*none\.tif does not exist"):
        open_scene([one, tmp_path / "none.tif"], ASCENDING)
