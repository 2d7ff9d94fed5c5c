"""A tile's path as a model's input: the same values as the packed training data, and clear errors."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from mlflow.models import Model

from data.pack import Pack
from data.pack.channels import select_event_steps
from data.pack.dataset import TileDataset
from data.pack.reader import PackReader
from data.tiles import rules, tile_path
from tests.support.served_fixtures import S1, write_checkpoint
from tests.support.tile_files import EVENT, fill, make_dataset, put, to_linear, write
from tuning.serving import tile_input
from tuning.serving.tile_input import TILE_DIMS, ModelInput, read_tile
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import predict

Change = Callable[[xr.Dataset], xr.Dataset]

ALL = ModelInput((*S1, "DEM", "slope"), 4, "even")
BOTH = ModelInput(S1, 4, "even")


def read_packed(pack: Pack, tile_id: str, wanted: ModelInput, count: int) -> np.ndarray:
    steps = wanted.steps if wanted.steps == "event" else "all"
    reader = PackReader(pack, wanted.channels, count, steps)
    out = torch.empty(reader.shape)
    reader.read(int(pack.rows([tile_id])[0]), out)
    return out.numpy()[None]


def test_constants_equal_the_data_set_s() -> None:
    assert tile_input.BANDS == rules.BANDS
    assert tile_input.TILE_DIMS == rules.DIMS
    assert (tile_input.NODATA, tile_input.PIXEL_M) == (rules.NODATA, rules.PIXEL_M)
    assert (tile_input.DB_RANGE, tile_input.EVENT) == (rules.DB_RANGE, EVENT)


@pytest.mark.parametrize("orbit", ["s1asc", "s1dsc"])
def test_tile_is_read_as_training_packed_it(twin: Path, pack: Pack, orbit: str) -> None:
    for tile_id in pack.tile_ids[:3]:
        found = read_tile(tile_path(twin, tile_id, orbit), ALL)
        assert (found.shape, found.dtype) == ((1, 15, 6, 128, 128), np.float32)
        assert np.array_equal(found, read_packed(pack, tile_id, ALL, 15), equal_nan=True)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 15])
def test_dates_nearest_to_the_event_are_those_of_training(
    twin: Path, pack: Pack, count: int
) -> None:
    wanted, tile_id = ModelInput(S1, count, "event"), pack.tile_ids[0]
    found = read_tile(tile_path(twin, tile_id, "s1asc"), wanted)
    assert found.shape == (1, count, 4, 128, 128)
    assert np.array_equal(found, read_packed(pack, tile_id, wanted, count))


@pytest.mark.parametrize("days", [-400, -170, 0, 160, 400])
def test_dates_are_chosen_on_both_sides_of_the_event(tmp_path: Path, days: int) -> None:
    dataset = make_dataset()
    times = dataset["time"].to_numpy() + np.timedelta64(days, "D")
    dataset["VV"].values[:] = np.arange(15)[:, None, None] - 20
    path = write(dataset.assign_coords(time=times), tmp_path)
    found = read_tile(path, ModelInput(("s1asc:VV",), 4, "event"))[0, :, 0, 0, 0] + 20
    assert found.tolist() == select_event_steps(times, 4, EVENT, "s2")


def test_rows_run_from_north_to_south(tmp_path: Path) -> None:
    def mark(dataset: xr.Dataset) -> xr.Dataset:
        dataset["VV"][:, 3, 0] = 7.0  # fourth column from the west, northernmost row
        return dataset

    found = read_tile(write(mark(make_dataset()), tmp_path), ModelInput(("s1asc:VV",), 1, "even"))
    assert (found[0, :, 0, 0, 3] == 7.0).all()


def test_optical_bands_are_rounded_as_training_packed_them(tmp_path: Path) -> None:
    wanted = ModelInput((*S1[:2], "s2:B04", "s2:B8A", "DEM"), 4, "even")
    for modality in ("s1asc", "s2"):
        dataset = make_dataset(modality)
        if modality == "s2":
            dataset["SCL"][2, :5] = 0  # no data
        write(dataset, tmp_path, modality)
    found = read_tile(tile_path(tmp_path, "hokkaido_579", "s2"), wanted)[0]
    stored = make_dataset("s2")["B8A"].to_numpy().swapaxes(1, 2).astype(np.float16)
    assert np.isnan(found[2, 3, :, :5]).all()
    assert np.array_equal(found[3, 3], stored[3].astype(np.float32))
    assert np.array_equal(found[0, 4], make_dataset()["DEM"][0].to_numpy().T)


def test_no_data_becomes_nan_as_in_training(tmp_path: Path) -> None:
    dataset = put("DEM", (slice(None), 5, 6), -9999)(put("VV", (2, 5, 6), -9999)(make_dataset()))
    found = read_tile(
        write(dataset, tmp_path), ModelInput(("s1asc:VV", "DEM", "slope"), 4, "even")
    )[0]
    assert np.argwhere(np.isnan(found[:, 0])).tolist() == [[2, 6, 5]]
    assert np.argwhere(np.isnan(found[0, 1])).tolist() == [[6, 5]]
    assert np.isnan(found[0, 2, 6, 4])  # the slope lacks its neighbours


@pytest.mark.parametrize("steps", ["even", "event"])
def test_path_gives_the_probabilities_of_training(
    twin: Path, pack: Pack, tmp_path: Path, steps: str
) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, steps=steps).best)
    save_model(checkpoint, Model(metadata={}), tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    tile_id = pack.tile_ids[1]
    tiles = TileDataset(pack, [tile_id], checkpoint.norm, 4, torch.device("cpu"), steps)
    wanted = predict(checkpoint.model, tiles.batch([0]).x).numpy()
    assert wanted.std() > 0.02
    found = model.predict(str(tile_path(twin, tile_id, "s1dsc")))
    assert np.abs(found - wanted).max() <= 1e-5
    mask = model.predict(tile_path(twin, tile_id, "s1asc"), params={"mask": True})
    assert np.array_equal(mask, found >= 0.25)


def spoil_grid(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign_coords(y=dataset["y"][::-1].to_numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            to_linear,
            r"VV must be in dB, but got a median of 0\.\d+ in .*s1asc_579\.nc\. That looks",
        ),
        (fill(11.0), r"VV must be in \(-50\.0, 10\.0\) dB, but got 11 to 11"),
        (fill(-np.inf), r"VV must be in \(-50\.0, 10\.0\) dB, but got -inf to -inf"),
        (fill(np.nan), "VV must have data, but has no valid pixel"),
        (
            lambda d: d.drop_vars("VH"),
            r"A tile must have VH over \('time', 'x', 'y'\), but got none",
        ),
        (
            lambda d: d.transpose("time", "y", "x"),
            r"must have VV over .*but got \('time', 'y', 'x'\)",
        ),
        (spoil_grid, r"y must have a spacing of -10 m, but does not in"),
    ],
)
def test_tile_that_does_not_fit_is_refused(tmp_path: Path, change: Change, message: str) -> None:
    path = write(change(make_dataset()), tmp_path)
    with pytest.raises(ValueError, match=message):
        read_tile(path, ModelInput(S1[:2], 4, "even"))


def test_dates_must_be_enough_and_ascend(tmp_path: Path) -> None:
    dataset = make_dataset()
    path = write(dataset.isel(time=slice(None, None, -1)), tmp_path)
    with pytest.raises(ValueError, match=r"must have at least 4 ascending dates, but got "):
        read_tile(path, ModelInput(S1[:2], 4, "event"))


def test_misnamed_misplaced_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    with pytest.raises(
        ValueError, match=r"but .*s1dsc/hokkaido_s1dsc_579\.nc does not exist\. Put"
    ):
        read_tile(path, BOTH)
    with pytest.raises(
        ValueError, match=r"named hokkaido_<modality>_<number>\.nc, but got .*a\.nc"
    ):
        read_tile(tmp_path / "a.nc", BOTH)
    tile_path(tmp_path, "hokkaido_579", "s1dsc").parent.mkdir()
    tile_path(tmp_path, "hokkaido_579", "s1dsc").write_text("no NetCDF")
    with pytest.raises(ValueError, match=r"A tile must be readable NetCDF, but got .*s1dsc_579"):
        read_tile(path, BOTH)


def test_files_of_one_tile_must_be_on_one_grid(tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    moved = make_dataset("s1dsc")
    write(moved.assign_coords(x=moved["x"] + 10), tmp_path, "s1dsc")
    with pytest.raises(ValueError, match=r"must be on one grid, but .*s1asc_579.* are not"):
        read_tile(path, BOTH)


def test_too_large_tile_is_refused_before_it_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "s1asc"
    folder.mkdir()
    with netCDF4.Dataset(folder / "hokkaido_s1asc_1.nc", "w") as file:
        for name, size in zip(TILE_DIMS, (15, 50_000, 50_000), strict=True):
            file.createDimension(name, size)
        for name in ("VV", "VH", "DEM"):  # nothing is stored, but it says that it has 150 GB
            file.createVariable(name, "f4", TILE_DIMS, chunksizes=(1, 100, 100))
    with pytest.raises(
        ValueError, match="VV must have at most 67,108,864 values, but got 37,500,0"
    ):
        read_tile(folder / "hokkaido_s1asc_1.nc", ModelInput(S1[:2], 4, "even"))
