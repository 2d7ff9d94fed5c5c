"""The dates of a tile for a served model: the same event and acquisitions as for packs and maps."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.tiles import tracks
from data.tiles.events import read_event_date
from data.tiles.map_dates import LearntDates, choose_map_steps
from data.tiles.regions import parse_time, read_regions
from tests.support.tile_files import make_dataset, write
from tuning.serving.tile_dates import find_event, parse_event
from tuning.serving.tile_input import ModelInput, read_tile
from tuning.serving.tile_rules import TileInputError

EVENTS = {"hokkaido": "2018-09-05T18:08:00", "italy": "2023-05-16T23:59:59"}
HERE = Path("here")


@pytest.mark.parametrize("text", ["2018-09-05", "2018-09-05T18:08", "2018-09-05T18:08Z"])
def test_a_time_is_read_as_everywhere(text: str) -> None:
    assert parse_event(text) == parse_time(text)


@pytest.mark.parametrize("text", ["yesterday", "", "2018", "2018-13-01", None, 5])
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"must look like 2018-09-05 or .*, but got"):
        parse_event(text)


@pytest.mark.parametrize("region", ["hokkaido", "italy", "noto"])
@pytest.mark.parametrize(
    "date", ["2018-09-05", "2023-05-16", "2024-01-01", "2024-01-01,2023-05-16", "2018-13-45"]
)
def test_a_file_s_own_event_comes_before_the_model_s(region: str, date: str) -> None:
    known = {name: str(one.event) for name, one in read_regions().items() if one.event}
    own = read_event_date(date, region)
    if own is not None or region in known:
        wanted = own if own is not None else read_regions()[region].event
        assert find_event(date, region, known, None, HERE) == wanted
    given = parse_time("2020-01-01")
    assert find_event(date, region, known, given, HERE) == given


def test_a_tile_without_any_event_asks_for_one() -> None:
    with pytest.raises(
        TileInputError, match=r"got no event_date in here, .* none of 'noto'. Pass it"
    ):
        find_event("", "noto", EVENTS, None, HERE)


def test_a_tile_of_the_learnt_region_is_read_at_the_learnt_days(tmp_path: Path) -> None:
    dataset = make_dataset()
    dataset["VV"].values[:] = np.arange(15)[:, None, None] - 20
    path = write(dataset, tmp_path)
    days = dataset["time"].to_numpy().astype("M8[D]")
    learnt = [int((days[at] - np.datetime64("2018-09-05")).astype(int)) for at in (2, 4, 9, 12)]
    spec = ModelInput(("s1asc:VV",), 4, "common", EVENTS, {"s1asc": LearntDates(tuple(learnt), 2)})
    assert (read_tile(path, spec).x[0, :, 0, 0, 0] + 20).tolist() == [2, 4, 9, 12]
    unknown = ModelInput(("s1asc:VV",), 4, "common", EVENTS)
    event = ModelInput(("s1asc:VV",), 4, "event", EVENTS)
    assert np.array_equal(read_tile(path, unknown).x, read_tile(path, event).x)


@pytest.mark.parametrize("days", [-170, 0, 150])
def test_dates_are_chosen_on_both_sides_of_the_event(tmp_path: Path, days: int) -> None:
    dataset = make_dataset()
    times = dataset["time"].to_numpy() + np.timedelta64(days, "D")
    dataset["VV"].values[:] = np.arange(15)[:, None, None] - 20
    path = write(dataset.assign_coords(time=times), tmp_path)
    event = parse_time(EVENTS["hokkaido"])
    found = read_tile(path, ModelInput(("s1asc:VV",), 4, "event", EVENTS)).x[0, :, 0, 0, 0] + 20
    assert found.tolist() == tracks.choose_event_steps(times, 4, event)


def test_the_event_of_the_call_moves_the_choice(tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    wanted = ModelInput(("s1asc:VV",), 2, "event", EVENTS)
    first = read_tile(path, wanted)
    other = read_tile(path, wanted, parse_time("2018-06-01"))
    assert (first.event, other.event) == (parse_time("2018-09-05T18:08"), parse_time("2018-06-01"))
    assert not np.array_equal(first.x, other.x)


def test_a_repeated_last_image_is_accepted(tmp_path: Path) -> None:
    def repeat(dataset: xr.Dataset) -> xr.Dataset:
        times = dataset["time"].to_numpy().copy()
        times[-2:] = times[-3]
        for name in ("VV", "VH"):
            dataset[name].values[-2:] = dataset[name].values[-3]
        return dataset.assign_coords(time=times)

    path = write(repeat(make_dataset()), tmp_path)
    wanted = ModelInput(("s1asc:VV",), 4, "event", EVENTS)
    assert read_tile(path, wanted).x.shape == (1, 4, 1, 128, 128)


@pytest.mark.parametrize("steps", ["event", "even"])
def test_a_tile_soon_after_its_event_is_read_as_a_map_reads_it(tmp_path: Path, steps: str) -> None:
    dataset = make_dataset()
    dataset["VV"].values[:] = np.arange(15)[:, None, None] - 20
    times = dataset["time"].to_numpy()
    event = times[-2] + np.timedelta64(1, "h")  # one acquisition is after it
    days = (times.astype("M8[D]") - event.astype("M8[D]")).astype(int)
    first = -3 if steps == "event" else 0
    learnt = LearntDates((*map(int, days[[first, -2, -1]]), int(days[-1]) + 24), 2, 1)
    path = write(dataset, tmp_path)
    spec = ModelInput(("s1asc:VV",), 4, steps, EVENTS, {"s1asc": learnt})
    found = read_tile(path, spec, event).x[0, :, 0, 0, 0] + 20
    wanted = choose_map_steps(times, steps, 4, event, learnt, by_track=True)
    read = found if steps == "event" else found[[0, 5, 9, 14]]  # the network selects these
    assert read.tolist() == wanted
    assert wanted[2:] == [14, 14]
    few = ModelInput(("s1asc:VV",), 4, steps, EVENTS, {"s1asc": LearntDates(learnt.days, 2, 2)})
    with pytest.raises(
        TileInputError, match=r"there is 1 after it, where the network learnt from 2"
    ):
        read_tile(path, few, event)
