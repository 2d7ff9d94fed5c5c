"""A tile that a map refuses is refused by a served model too, with the same verdict."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.scene.base import InputSpec
from data.scene.tile_mosaic import open_mosaic
from data.tiles import TileError, tile_path
from tests.support.real_tiles import REAL_ID, REAL_TILES
from tests.support.served_fixtures import S1
from tests.support.tile_files import cast, fill, make_dataset, put, shift, to_linear, write
from tuning.serving.tile_input import ModelInput, read_tile
from tuning.serving.tile_rules import TileInputError

Change = Callable[[xr.Dataset], xr.Dataset]

NUMBER = 1  # not in the catalogue, which a served model does not hold
TILE = f"hokkaido_{NUMBER}"
EVENTS = {"hokkaido": "2018-09-05T18:08:00"}
OUTSIDE = "before and after the event"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good tile of both orbits."""
    root = tmp_path_factory.mktemp("good")
    for modality in ("s1asc", "s1dsc"):
        write(make_dataset(modality), root, modality, NUMBER)
    return root


def judge_map(good: Path, root: Path) -> str:
    """Return the verdict of a map's reader on the tile in *root*, whose folder is opened with good files."""
    scene = open_mosaic(tile_path(good, TILE, "s1asc"), InputSpec(S1, 4, "even"), "dB")
    scene.root = root
    try:
        scene._load_tile(TILE)
    except TileError as error:
        return error.verdict
    except FileNotFoundError:
        return "missing-file"
    except ValueError as error:
        return "event-outside" if OUTSIDE in str(error) else str(error)
    return "good"


def judge_served(root: Path) -> str:
    try:
        read_tile(tile_path(root, TILE, "s1asc"), ModelInput(S1, 4, "even", EVENTS))
    except TileInputError as error:
        return error.verdict
    return "good"


def set_attribute(name: str, value: str) -> Change:
    return lambda dataset: dataset.assign_attrs({name: value})


def repeat_date(dataset: xr.Dataset) -> xr.Dataset:
    """Give two images one date."""
    times = dataset["time"].to_numpy().copy()
    times[-1] = times[-2]
    return dataset.assign_coords(time=times)


CHANGES: dict[str, Change] = {
    "good": lambda d: d,
    "missing-variable": lambda d: d.drop_vars("VH"),
    "wrong-shape": lambda d: d.isel(time=slice(0, 14)),
    "wrong-dims": lambda d: d.assign(VV=d["VV"].rename(x="z").drop_vars("z", errors="ignore")),
    "wrong-dtype": cast("VV", "int16"),
    "missing-attribute": set_attribute("crs", ""),
    "wrong-crs": set_attribute("crs", "EPSG:4326"),
    "grids-differ": set_attribute("crs", "EPSG:32653"),
    "mixed-origin": set_attribute("synthetic", "the twin of seed 1"),
    "time-unsorted": lambda d: d.isel(time=slice(None, None, -1)),
    "time-duplicate": repeat_date,
    "time-not-dates": lambda d: d.assign_coords(time=np.arange(15)),
    "event-outside": shift(-400),
    "wrong-grid": lambda d: d.assign_coords(y=d["y"][::-1].to_numpy()),
    "mask-not-binary": fill(2, "MASK"),
    "mask-changes": put("MASK", 3, 0),
    "dem-out-of-range": fill(9000, "DEM"),
    "infinite": put("VV", (0, 5, 5), np.inf),
    "wrong-unit": to_linear,
    "no-data": fill(np.nan),
    "out-of-range": fill(11.0),
}


@pytest.mark.parametrize("verdict", CHANGES)
def test_map_and_served_model_give_the_same_verdict(
    verdict: str, good: Path, tmp_path: Path
) -> None:
    write(CHANGES[verdict](make_dataset()), tmp_path, "s1asc", NUMBER)
    (tmp_path / "s1dsc").symlink_to(good / "s1dsc")
    assert judge_map(good, tmp_path) == verdict
    assert judge_served(tmp_path) == verdict


def test_dims_are_read_by_their_names(good: Path, tmp_path: Path) -> None:
    write(make_dataset().transpose("y", "time", "x"), tmp_path, "s1asc", NUMBER)
    (tmp_path / "s1dsc").symlink_to(good / "s1dsc")
    spec = ModelInput((*S1, "DEM"), 4, "even", EVENTS)
    wanted, found = (read_tile(tile_path(root, TILE, "s1dsc"), spec).x for root in (good, tmp_path))
    assert np.array_equal(wanted, found)


@pytest.mark.parametrize("verdict", ["unreadable", "missing-file"])
def test_a_damaged_or_missing_file_has_the_same_verdict(
    verdict: str, good: Path, tmp_path: Path
) -> None:
    (tmp_path / "s1asc").symlink_to(good / "s1asc")
    (tmp_path / "s1dsc").mkdir()
    if verdict == "unreadable":
        tile_path(tmp_path, TILE, "s1dsc").write_text("no NetCDF")
    assert judge_map(good, tmp_path) == judge_served(tmp_path) == verdict


def test_a_misnamed_file_has_the_same_verdict(good: Path) -> None:
    path = good / "s1asc" / "hokkaido_1.nc"
    with pytest.raises(TileError, match="must be named") as map_error:
        open_mosaic(path, InputSpec(S1, 4, "even"), "dB")
    with pytest.raises(TileInputError, match="must be named") as served_error:
        read_tile(path, ModelInput(S1, 4, "even", EVENTS))
    assert map_error.value.verdict == served_error.value.verdict == "misnamed"


def test_a_repeated_last_image_is_good(good: Path, tmp_path: Path) -> None:
    dataset = repeat_date(make_dataset())
    for name in ("VV", "VH"):
        dataset[name].values[-1] = dataset[name].values[-2]
    write(dataset, tmp_path, "s1asc", NUMBER)
    (tmp_path / "s1dsc").symlink_to(good / "s1dsc")
    assert judge_map(good, tmp_path) == judge_served(tmp_path) == "good"


@pytest.mark.parametrize("name", ["s1asc", "s1dsc"])
def test_the_real_tile_is_read_as_a_map_reads_it(name: str) -> None:
    path = tile_path(REAL_TILES, REAL_ID, name)
    channels = (f"{name}:VV", f"{name}:VH", "DEM", "slope")
    event = np.datetime64("2023-05-16T23:59:59")
    scene = open_mosaic(path, InputSpec(channels, 4, "event", event))
    tile = read_tile(path, ModelInput(channels, 4, "event"))
    assert (tile.event, tile.synthetic) == (event, False)
    np.testing.assert_array_equal(scene.read(scene.list_windows(128, 32)[0]).x, tile.x[0])
