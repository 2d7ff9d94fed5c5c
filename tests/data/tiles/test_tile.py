"""Tiles are read as they were written; a tile's files are listed and compared."""

import logging
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.tiles import (
    BANDS,
    ORBITS,
    TileError,
    TileSurvey,
    TileWarning,
    guess_units,
    list_tiles,
    list_unpaired,
    open_tile,
    survey_tile,
    tile_id_of,
    tile_path,
)
from tests.support.tile_files import EVENT, Change, cast, make_dataset, put, to_linear, write


def test_tile_is_north_up(tmp_path: Path) -> None:
    dataset = make_dataset()
    tile = open_tile(write(dataset, tmp_path))
    assert (tile.tile_id, tile.modality, tile.crs) == ("hokkaido_579", "s1asc", "EPSG:32654")
    assert tile.bands.shape == (15, 2, 128, 128)
    assert tile.bands.dtype == np.float32
    assert tile.bands[3, 0, 5, 7] == dataset["VV"].to_numpy()[3, 7, 5]
    assert tile.bands[3, 1, 5, 7] == dataset["VH"].to_numpy()[3, 7, 5]
    np.testing.assert_array_equal(tile.mask, dataset["MASK"].to_numpy()[0].T)
    np.testing.assert_array_equal(tile.dem, dataset["DEM"].to_numpy()[0].T)
    assert (tile.mask.dtype, tile.dem.dtype) == (np.uint8, np.int16)
    assert tile.y[0] > tile.y[-1]
    assert tile.times.dtype == np.dtype("datetime64[ns]")
    assert 0 < (tile.times > EVENT).sum() < 15


def test_tile_has_nan_where_the_file_has_no_data(tmp_path: Path) -> None:
    path = write(put("VV", (2, 7, 5), -9999)(make_dataset()), tmp_path)
    tile = open_tile(path)
    assert np.isnan(tile.bands[2, 0, 5, 7])
    assert np.isnan(tile.bands).sum() == 1


def test_linear_power_is_read_as_db(tmp_path: Path) -> None:
    decibels = open_tile(write(make_dataset(), tmp_path, "s1asc"))
    linear = open_tile(write(to_linear(make_dataset()), tmp_path, "s1dsc"), units="linear")
    np.testing.assert_allclose(linear.bands, decibels.bands, atol=1e-4)


def test_power_of_zero_is_nan_and_strong_scatterers_are_clipped(tmp_path: Path) -> None:
    dataset = to_linear(make_dataset())
    dataset["VV"][0, 0, 0], dataset["VV"][0, 1, 0] = 0, 100
    tile = open_tile(write(dataset, tmp_path), units="linear")
    assert np.isnan(tile.bands[0, 0, 0, 0])
    assert tile.bands[0, 0, 0, 1] == 0
    assert {warning.name for warning in tile.warnings} == {"nodata", "above-upper-bound"}


@pytest.mark.parametrize("order", [("time", "y", "x"), ("y", "x", "time")])
def test_a_tile_in_another_order_of_dims_has_the_same_values(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    dataset = make_dataset()
    published = write(dataset, tmp_path)
    turned = write(dataset.transpose(*order), tmp_path, "s1dsc")
    first, second = open_tile(published), open_tile(turned)
    for name in ("bands", "mask", "dem", "x", "y"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    stored = f"is stored over ({', '.join(order)}), published over (time, x, y)."
    assert [w.text for w in second.warnings] == [
        f"{n} {stored}" for n in ("VV", "VH", "MASK", "DEM")
    ]
    assert survey_tile(turned) == survey_tile(published)
    assert guess_units(turned) == "dB"


def repeat_last(dataset: xr.Dataset, times: int) -> xr.Dataset:
    """Repeat the last image, as the publisher does where images are missing."""
    return dataset.isel(time=[*range(15 - times), *[14 - times] * times])


def test_a_repeated_image_is_used_and_named(tmp_path: Path) -> None:
    dataset = repeat_last(make_dataset(), 4)
    tile = open_tile(write(dataset, tmp_path))
    assert tile.times[10] == tile.times[14]
    text = "The image of 2018-11-24 is there 5 times; repeats have no weight in features."
    assert tile.warnings == (TileWarning("repeated-acquisition", text),)


def test_a_gap_is_repeated_too(tmp_path: Path) -> None:
    dataset = repeat_last(put("VV", (slice(None), 3, 3), np.nan)(make_dataset()), 2)
    names = {warning.name for warning in open_tile(write(dataset, tmp_path)).warnings}
    assert names == {"nodata", "repeated-acquisition"}


def test_power_near_zero_is_clipped(tmp_path: Path) -> None:
    dataset = put("VH", (slice(None), slice(64), slice(None)), 1e-9)(to_linear(make_dataset()))
    tile = open_tile(write(dataset, tmp_path), units="linear")
    assert (tile.bands[:, 1, :, :64] == -50).all()  # a lake: 1e-9 is -90 dB
    assert tile.warnings == ()


def test_sentinel_2_is_its_stored_numbers_and_nan_where_there_is_no_data(tmp_path: Path) -> None:
    dataset = put("SCL", (3, 7, 5), 0)(make_dataset("s2"))
    dataset["B11"][4, 8, 6] = -9999
    tile = open_tile(write(dataset, tmp_path, "s2"))
    assert (tile.modality, tile.bands.shape) == ("s2", (15, 10, 128, 128))
    assert tile.bands.dtype == np.float32
    for i, name in enumerate(BANDS["s2"]):
        assert np.isnan(tile.bands[3, i, 5, 7])
        assert tile.bands[0, i, 5, 7] == dataset[name].to_numpy()[0, 7, 5]
    assert np.isnan(tile.bands[4, BANDS["s2"].index("B11"), 6, 8])
    assert np.isnan(tile.bands).sum() == 11
    shares = ", ".join(
        f"{'0.00081' if name == 'B11' else '0.00041'} % of {name}" for name in BANDS["s2"]
    )
    assert [warning.text for warning in tile.warnings] == [f"No data in {shares}."]


@pytest.mark.parametrize(
    ("change", "verdict", "message"),
    [
        (
            lambda d: d.drop_vars("SCL"),
            "missing-variable",
            "must have the variables SCL, but got none",
        ),
        (cast("B04", "float32"), "wrong-dtype", "B04 must be integer, but got float32"),
        (put("SCL", slice(None), 0), "no-data", "B02 must have data, but got no valid pixel"),
    ],
)
def test_sentinel_2_is_refused_by_rule(
    change: Change, verdict: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(TileError, match=message) as caught:
        open_tile(write(change(make_dataset("s2")), tmp_path, "s2"))
    assert caught.value.verdict == verdict


def test_tile_is_refused_when_missing_or_misnamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must exist, but got .*hokkaido_s1asc_1\.nc"):
        open_tile(tile_path(tmp_path, "hokkaido_1", "s1asc"))
    with pytest.raises(
        TileError, match=r"named <region>_<modality>_<number>\.nc, but got"
    ) as caught:
        open_tile(tmp_path / "italy_1.nc")
    assert caught.value.verdict == "misnamed"
    with pytest.raises(ValueError, match="Units must be 'dB' or 'linear', but got 'db'"):
        open_tile(tmp_path / "hokkaido_s1asc_1.nc", units="db")  # type: ignore[arg-type]


def test_tile_path_and_id_are_inverse(tmp_path: Path) -> None:
    path = tile_path(tmp_path, "hokkaido_42", "s1dsc")
    assert path == tmp_path / "s1dsc" / "hokkaido_s1dsc_42.nc"
    assert tile_id_of(path) == "hokkaido_42"
    with pytest.raises(ValueError, match=r"Unknown modality 's3'.* Available: s1asc, s1dsc, s2"):
        tile_path(tmp_path, "hokkaido_42", "s3")
    with pytest.raises(ValueError, match="tile id must look like hokkaido_579, but got '42'"):
        tile_path(tmp_path, "42", "s1asc")


def touch(root: Path, *names: str) -> None:
    for orbit in ORBITS:
        (root / orbit).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).touch()


def test_list_has_complete_tiles_and_names_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = [f"{orbit}/hokkaido_{orbit}_{n}.nc" for orbit in ORBITS for n in (20, 3)]
    touch(tmp_path, *pair, "s1asc/hokkaido_s1asc_7.nc", "s1dsc/copy_of_1.nc")
    with caplog.at_level(logging.WARNING):
        assert list_tiles(tmp_path) == ["hokkaido_20", "hokkaido_3"]
    assert "without a file in each of s1asc, s1dsc: hokkaido_7" in caplog.text
    assert "not named like tiles: copy_of_1.nc" in caplog.text
    assert list_unpaired(tmp_path) == ["hokkaido_7"]


def test_list_uses_the_given_modalities(tmp_path: Path) -> None:
    touch(tmp_path, "s1asc/hokkaido_s1asc_7.nc", "s1asc/hokkaido_s1asc_8.nc")
    assert list_tiles(tmp_path, ("s1asc",)) == ["hokkaido_7", "hokkaido_8"]
    with pytest.raises(FileNotFoundError, match="but got no folder s2/ in"):
        list_tiles(tmp_path, ("s1asc", "s2"))
    (tmp_path / "s2").mkdir()
    touch(tmp_path, "s2/hokkaido_s2_8.nc", "s2/hokkaido_s2_9.nc")
    assert list_tiles(tmp_path, ("s1asc", "s2")) == ["hokkaido_8"]
    assert list_unpaired(tmp_path, ("s1asc", "s2")) == ["hokkaido_7", "hokkaido_9"]


def test_missing_tiles_are_explained_by_the_layout(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no folder s1asc/ .*--data twin`, which needs no data"
    ):
        list_tiles(tmp_path)
    touch(tmp_path, "s1asc/hokkaido_s1asc_7.nc")
    with pytest.raises(FileNotFoundError, match=r"must hold s1asc/.* but got no tile that has all"):
        list_tiles(tmp_path)


def test_survey_has_position_and_label(tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    assert survey_tile(path) == TileSurvey("hokkaido_579", 576_000, 4_732_160, 8415, "EPSG:32654")
    path.write_text("no NetCDF")
    with pytest.raises(TileError, match="must be readable NetCDF, but got OSError"):
        survey_tile(path)


def test_units_are_guessed_from_negative_values(tmp_path: Path) -> None:
    decibels = put("VV", slice(14), np.nan)(make_dataset())  # only the last date has values
    assert guess_units(write(decibels, tmp_path)) == "dB"
    linear = put("VV", (0, 0, 0), -9999)(to_linear(make_dataset()))
    path = write(linear, tmp_path, "s1dsc")
    assert guess_units(path) == "linear"
    with pytest.raises(ValueError, match=r"for Sentinel-1 files only, but got .*hokkaido_s2_1\.nc"):
        guess_units(tmp_path / "hokkaido_s2_1.nc")
    path.write_text("no NetCDF")
    with pytest.raises(TileError, match="must be readable NetCDF"):
        guess_units(path)
