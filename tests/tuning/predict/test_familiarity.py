"""A scene that differs from what the model learnt says so, each difference alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.pack.profile import TrainingProfile
from data.scene.base import InputSpec, Scene
from data.scene.datacube import open_cube
from data.scene.tile_mosaic import open_mosaic
from tests.support.cube_files import TIMES, change_all, make_groups, write_netcdf
from tuning.predict.familiarity import find_differences, measure_gap_km, sample_backscatter

S1 = ("s1asc:VV", "s1asc:VH")
EVENT = np.datetime64("2018-09-05T18:08", "s")
SPEC = InputSpec(S1, 4, "even", EVENT)
LIKE = TrainingProfile(
    regions={"hokkaido": 92},
    events={"hokkaido": str(EVENT)},
    areas={"hokkaido": [141.7, 42.5, 142.3, 42.9]},
    ranges={"s1asc:VV": [-14, -4], "s1asc:VH": [-20, -10]},
    dates={"s1asc": 15},
    spacing_days={"s1asc": 120.0},
    tracks={"s1asc": 1},
)


def open_scene(folder: Path, times: np.ndarray = TIMES, change: Any = None) -> Scene:
    groups = change_all(make_groups(80, 70, times), change or (lambda dataset: dataset))
    return open_cube(write_netcdf(groups, folder / "cube.nc"), SPEC)


def test_a_scene_like_the_train_tiles_has_no_differences(tmp_path: Path) -> None:
    assert find_differences(open_scene(tmp_path), LIKE, learnt_synthetic=False) == []
    assert find_differences(open_scene(tmp_path), None, learnt_synthetic=False) is None


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"areas": {"italy": [11.5, 44.0, 12.0, 44.5]}}, "km from the nearest train tiles, of italy."),
        ({"dates": {"s1asc": 16}}, "s1asc has 15 dates, train tiles have 16."),
        ({"spacing_days": {"s1asc": 12.0}}, "The dates of s1asc that the model reads are 120 days apart, in training 12."),
        ({"spacing_days": {"s1asc": 300.0}}, "are 120 days apart, in training 300."),
        ({"ranges": {"s1asc:VV": [-30, -12], "s1asc:VH": [-20, -10]}}, "93% of s1asc:VV is outside -30 to -12 dB, where 98% of training is."),
    ],
)  # fmt: skip
def test_each_difference_is_found_alone(
    tmp_path: Path, changes: dict[str, Any], wanted: str
) -> None:
    found = find_differences(open_scene(tmp_path), replace(LIKE, **changes), learnt_synthetic=False)
    assert found is not None
    (text,) = found
    assert wanted in text


def test_how_many_dates_there_are_does_not_matter_to_a_network_that_reads_the_nearest(
    tmp_path: Path,
) -> None:
    scene = open_scene(tmp_path)
    scene.spec = replace(scene.spec, steps="event")
    more = replace(LIKE, dates={"s1asc": 16})
    assert find_differences(scene, more, learnt_synthetic=False) == []


def test_dates_of_two_tracks_are_found(tmp_path: Path) -> None:
    times = TIMES + np.where(np.arange(15) % 2, 5, 0) * np.timedelta64(1, "D")
    found = find_differences(open_scene(tmp_path, times), LIKE, learnt_synthetic=False)
    assert found == ["The dates of s1asc span 2 tracks, in training 1, so incidence angles differ."]


def test_synthetic_and_real_are_different(tmp_path: Path) -> None:
    scene = open_scene(tmp_path)
    found = find_differences(scene, LIKE, learnt_synthetic=True)
    assert found == ["Model learnt on synthetic tiles, scene is real."]


def test_gaps_do_not_count_and_samples_are_spread(tmp_path: Path) -> None:
    def spoil(dataset: Any) -> Any:
        dataset["VV"][:, :40] = np.nan
        dataset["VV"][:, 40:, 35:] = -30
        return dataset

    sample = sample_backscatter(open_scene(tmp_path, change=spoil))
    assert not np.isnan(sample["s1asc:VV"]).any()
    assert 0.2 < np.mean(sample["s1asc:VV"] == -30) < 0.8


def test_tiles_are_compared_by_their_median(quad: Path) -> None:
    scene = open_mosaic(quad, InputSpec(S1, 4, "even"))
    profile = replace(LIKE, dates={"s1asc": 16}, spacing_days={}, tracks={})
    found = find_differences(scene, profile, learnt_synthetic=True)
    assert found is not None
    assert "s1asc has 15 dates, train tiles have 16." in found
    assert 1 < len(scene.dates["s1asc"]) <= 4


@pytest.mark.parametrize(
    ("point", "area", "km"),
    [
        ((84.1, 28.2), (141.7, 42.5, 142.3, 42.9), 5_360.0),  # Nepal from Hokkaido
        ((142.0, 42.7), (141.7, 42.5, 142.3, 42.9), 0.0),
        ((0.0, 65.0), (20.0, 60.0, 30.0, 70.0), 927.7),  # not along the parallel, 939 km
        ((-179.9, 52.0), (179.0, 51.9, 179.9, 52.1), 13.7),  # across 180 degrees
    ],
)
def test_a_distance_is_the_shortest_geodesic(
    point: tuple[float, float], area: tuple[float, ...], km: float
) -> None:
    assert measure_gap_km(*point, area) == pytest.approx(km, rel=0.01)


def test_a_scene_outside_its_coordinate_system_is_said_to_be_nowhere(tmp_path: Path) -> None:
    scene = open_scene(tmp_path)
    scene.grid = replace(scene.grid, west_m=1e12, north_m=1e12)
    found = find_differences(scene, LIKE, learnt_synthetic=False)
    assert found == ["Where the scene lies is unknown: its coordinates are outside EPSG:32654."]
