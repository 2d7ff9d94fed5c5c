"""A tile's path as a model's input: the same values as the packed training data, and clear errors."""

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
import xarray as xr
from mlflow.models import Model

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.pack.profile import measure_profile
from data.pack.reader import PackReader
from data.tiles import paths, rules, tile_path
from data.tiles.map_dates import LearntDates
from data.values.event_days import average_days
from data.values.window import is_around_event, parse_window
from tests.support.served_fixtures import S1, write_checkpoint
from tests.support.tile_files import make_dataset, put, write
from tuning.predict.ensemble import load_members
from tuning.serving import tile_rules
from tuning.serving.tile_input import ModelInput, read_tile
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import predict

EVENTS = {"hokkaido": "2018-09-05T18:08:00"}
ALL = ModelInput((*S1, "DEM", "slope"), 4, "even", EVENTS)
BOTH = ModelInput(S1, 4, "even", EVENTS)


def read_packed(pack: Pack, tile_id: str, wanted: ModelInput, count: int) -> np.ndarray:
    steps = wanted.steps if is_around_event(wanted.steps) else "all"
    reader = PackReader(pack, wanted.channels, count, steps)
    out = torch.empty(reader.shape)
    reader.read(int(pack.rows([tile_id])[0]), out)
    return out.numpy()[None]


def test_constants_equal_the_data_set_s() -> None:
    assert tile_rules.BANDS == rules.BANDS
    assert dict(zip(rules.DIMS, rules.SIZES, strict=True)) == tile_rules.TILE_SIZES
    assert (tile_rules.NODATA, tile_rules.PIXEL_M) == (rules.NODATA, rules.PIXEL_M)
    assert tile_rules.DEM_RANGE == rules.DEM_RANGE
    assert tile_rules.TILE_NAME.pattern == paths._FILE_NAME.pattern
    assert tile_rules.UTM.pattern == rules._UTM.pattern


@pytest.mark.parametrize("orbit", ["s1asc", "s1dsc"])
def test_tile_is_read_as_training_packed_it(twin: Path, pack: Pack, orbit: str) -> None:
    for tile_id in pack.tile_ids[:3]:
        found = read_tile(tile_path(twin, tile_id, orbit), ALL).x
        assert (found.shape, found.dtype) == ((1, 15, 6, 128, 128), np.float32)
        assert np.array_equal(found, read_packed(pack, tile_id, ALL, 15), equal_nan=True)


@pytest.mark.parametrize("count", [2, 4, 5, 15])
def test_dates_nearest_to_the_event_are_those_of_training(
    twin: Path, pack: Pack, count: int
) -> None:
    wanted, tile_id = ModelInput(S1, count, "event", EVENTS), pack.tile_ids[0]
    found = read_tile(tile_path(twin, tile_id, "s1asc"), wanted).x
    assert found.shape == (1, count, 4, 128, 128)
    assert np.array_equal(found, read_packed(pack, tile_id, wanted, count))


@pytest.mark.parametrize("window", ["pre:1/post:1", "pre:8/post:2", "pre:3/post:7", "pre:6/post:9"])
def test_a_window_is_that_of_training(twin: Path, pack: Pack, window: str) -> None:
    count = parse_window(window).total
    wanted, tile_id = ModelInput(S1, count, window, EVENTS), pack.tile_ids[0]
    found = read_tile(tile_path(twin, tile_id, "s1asc"), wanted)
    assert found.x.shape == (1, count, 4, 128, 128)
    assert np.array_equal(found.x, read_packed(pack, tile_id, wanted, count))
    days = PackReader(pack, S1, count, window).days[pack.rows([tile_id])[0]]
    np.testing.assert_allclose(found.days[0], average_days(days), rtol=1e-5)


def test_rows_run_from_north_to_south(tmp_path: Path) -> None:
    def mark(dataset: xr.Dataset) -> xr.Dataset:
        dataset["VV"][:, 3, 0] = -1.5  # fourth column from the west, northernmost row
        return dataset

    path = write(mark(make_dataset()), tmp_path)
    found = read_tile(path, ModelInput(("s1asc:VV",), 2, "even", EVENTS)).x
    assert (found[0, :, 0, 0, 3] == -1.5).all()


def test_values_above_the_ceiling_are_taken_as_bright_as_it(tmp_path: Path) -> None:
    path = write(put("VV", (2, 5, 6), 7.0)(make_dataset()), tmp_path)
    found = read_tile(path, ModelInput(("s1asc:VV",), 4, "even", EVENTS)).x
    assert found[0, 2, 0, 6, 5] == found.max() == rules.DB_CEILING


def test_optical_bands_are_rounded_as_training_packed_them(tmp_path: Path) -> None:
    wanted = ModelInput((*S1[:2], "s2:B04", "s2:B8A", "DEM"), 4, "even", EVENTS)
    for modality in ("s1asc", "s2"):
        dataset = make_dataset(modality)
        if modality == "s2":
            dataset["SCL"][2, :5] = 0  # no data
        write(dataset, tmp_path, modality)
    found = read_tile(tile_path(tmp_path, "hokkaido_579", "s2"), wanted).x[0]
    stored = make_dataset("s2")["B8A"].to_numpy().swapaxes(1, 2).astype(np.float16)
    assert np.isnan(found[2, 3, :, :5]).all()
    assert np.array_equal(found[3, 3], stored[3].astype(np.float32))
    assert np.array_equal(found[0, 4], make_dataset()["DEM"][0].to_numpy().T)


def test_no_data_becomes_nan_as_in_training(tmp_path: Path) -> None:
    dataset = put("DEM", (slice(None), 5, 6), -9999)(put("VV", (2, 5, 6), -9999)(make_dataset()))
    wanted = ModelInput(("s1asc:VV", "DEM", "slope"), 4, "even", EVENTS)
    found = read_tile(write(dataset, tmp_path), wanted).x[0]
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
    wanted = predict(checkpoint.model, tiles.batch([0])).numpy()
    assert wanted.std() > 0.02
    found = model.predict(str(tile_path(twin, tile_id, "s1dsc")))
    assert np.abs(found - wanted).max() <= 1e-5
    mask = model.predict(tile_path(twin, tile_id, "s1asc"), params={"mask": True})
    assert np.array_equal(mask, found >= 0.25)


def test_a_model_reads_a_tile_of_its_region_at_the_days_that_it_learnt_from(
    twin: Path, pack: Pack, tmp_path: Path
) -> None:
    tile_id, learnt = pack.tile_ids[1], [2, 5, 9, 12]  # not those nearest to the event
    row = int(pack.rows([tile_id])[0])
    days = pack.times[row][:, learnt].astype("M8[D]") - pack.events[row].astype("M8[D]")
    offsets = dict(zip(pack.modalities, days.astype(int).tolist(), strict=True))
    profile = measure_profile(pack, [tile_id], S1, "common", 4)
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, steps="common").best)
    checkpoint = replace(checkpoint, profile=replace(profile, offsets=offsets))
    save_model(checkpoint, Model(metadata={}), tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    every = TileDataset(pack, [tile_id], checkpoint.norm, 15, torch.device("cpu"), "all")
    batch = every.batch([0])
    read = replace(batch, x=batch.x[:, learnt], days=batch.days[:, learnt])
    wanted = predict(checkpoint.model, read).numpy()
    found = model.predict(str(tile_path(twin, tile_id, "s1dsc")))
    assert np.abs(found - wanted).max() <= 1e-5
    member = load_members(str(tmp_path / "model"), tmp_path)[0]
    assert {name: list(each.days) for name, each in member.spec.learnt} == offsets


def test_misnamed_misplaced_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    with pytest.raises(
        ValueError, match=r"but .*s1dsc/hokkaido_s1dsc_579\.nc does not exist\. Put"
    ):
        read_tile(path, BOTH)
    with pytest.raises(
        ValueError, match=r"named <region>_<modality>_<number>\.nc, but got .*a\.nc"
    ):
        read_tile(tmp_path / "a.nc", BOTH)
    tile_path(tmp_path, "hokkaido_579", "s1dsc").parent.mkdir()
    tile_path(tmp_path, "hokkaido_579", "s1dsc").write_text("no NetCDF")
    with pytest.raises(ValueError, match=r"A tile must be readable NetCDF, but got .*s1dsc_579"):
        read_tile(path, BOTH)


def test_a_place_that_repeats_an_acquisition_has_no_day(tmp_path: Path) -> None:
    tile = make_dataset()
    times = tile["time"].to_numpy().astype("M8[s]")
    event = times[13] + np.timedelta64(1, "D")  # a single acquisition is after it
    after = [int((time - event) / np.timedelta64(1, "D")) for time in times]
    learnt = {"s1asc": LearntDates((after[2], after[10], after[14], after[14] + 24), 2, 1)}
    wanted = ModelInput(("s1asc:VV", "s1asc:VH"), 4, "even", EVENTS, learnt)
    found = read_tile(write(tile, tmp_path), wanted, event)
    places = [0, 5, 9, 14]  # those that the network picks
    assert np.array_equal(found.x[0, 9], found.x[0, 14])
    assert np.isfinite(found.days[0, places]).tolist() == [True, True, True, False]
    assert found.days[0, 9] == pytest.approx((times[14] - event) / np.timedelta64(1, "D"))
