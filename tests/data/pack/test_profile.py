"""A training profile holds what the train tiles are like, and is read back only as it was written."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from data.pack import Pack
from data.pack.profile import (
    TrainingProfile,
    count_tracks,
    measure_profile,
    measure_spacing,
    read_profile,
)
from data.splits import Split

CHANNELS = ("s1asc:VV", "s1dsc:VH", "DEM")


@pytest.fixture(scope="module")
def profile(pack: Pack, split: Split) -> TrainingProfile:
    return measure_profile(pack, split.train, CHANNELS, "even", 4)


def test_a_profile_describes_the_train_tiles(
    profile: TrainingProfile, pack: Pack, split: Split
) -> None:
    assert profile.regions == {"hokkaido": len(split.train)}
    assert profile.events == {"hokkaido": "2018-09-05T18:08:00"}
    west, south, east, north = profile.areas["hokkaido"]
    assert 141.5 < west < east < 142.5
    assert 42.4 < south < north < 43.0
    assert list(profile.ranges) == ["s1asc:VV", "s1dsc:VH"]
    for name, row in (("s1asc:VV", 0), ("s1dsc:VH", 1)):
        values = pack.bands[name.split(":")[0]][pack.rows(split.train)][:, :, row]
        values = values[np.isfinite(values)].astype(float)
        low, high = profile.ranges[name]
        assert np.mean(values < low) < 0.02 < 2 * np.mean(values <= low) + 0.01
        assert np.mean(values > high) < 0.02 < 2 * np.mean(values >= high) + 0.01
    assert set(profile.dates) == set(profile.tracks) == {"s1asc", "s1dsc"}
    assert profile.dates["s1asc"] <= 15


def test_spacing_is_that_of_the_dates_that_the_network_reads(pack: Pack, split: Split) -> None:
    every = measure_profile(pack, split.train, CHANNELS, "all", 15).spacing_days["s1asc"]
    some = measure_profile(pack, split.train, CHANNELS, "even", 4).spacing_days["s1asc"]
    assert 3 * every < some < 8 * every
    assert measure_profile(pack, split.train, CHANNELS, "even", 1).spacing_days["s1asc"] == 0


def test_repeated_images_have_no_spacing_and_tracks_are_counted() -> None:
    days = np.array(["2018-01-01", "2018-01-13", "2018-01-13", "2018-01-25"], "datetime64[s]")
    assert measure_spacing(days) == 12.0
    assert count_tracks(days) == 1
    assert count_tracks(np.append(days, days[-1] + np.timedelta64(5, "D"))) == 2


def test_a_profile_survives_json(profile: TrainingProfile) -> None:
    assert read_profile(json.loads(json.dumps(asdict(profile)))) == profile
    assert read_profile(None) is None
    earlier = asdict(profile)
    for name in ("offsets", "after", "least_after"):  # of an earlier version
        del earlier[name]
    read = read_profile(earlier)
    assert read is not None
    assert read.list_learnt() == {}
    assert read == replace(profile, offsets={}, after={}, least_after={})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dates": None}, "every entry of a training profile must be a table"),
        ({"regions": {"\x1b[2J": 1}}, "regions of a training profile must have names of regions"),
        (
            {"ranges": {"a": [0, 1]}},
            "ranges of a training profile must have names of regions, chan",
        ),
        ({"tracks": {"s3": 1}}, "tracks of a training profile must have names of"),
        ({"areas": {"a": [1, 2, 3]}}, "areas of a training profile must be lists of 4 numbers"),
        (
            {"ranges": {"s1asc:VV": [1, float("nan")]}},
            "ranges of a training profile must be lists of 2",
        ),
        (
            {"offsets": {"s1asc": [1.5]}},
            "offsets of a training profile must be lists of whole days",
        ),
        ({"offsets": {"noto": [1]}}, "offsets of a training profile must have names"),
        ({"after": {"s1asc": 1.5}}, "after of a training profile must be numbers from 0"),
        ({"tracks": {"s1asc": -1}}, "tracks of a training profile must be numbers from 0"),
        ({"events": {"a": "soon"}}, "events of a training profile must be times"),
        ({"events": {"a": "NaT"}}, "events of a training profile must be times"),
        ({"events": {"a": 2018}}, "events of a training profile must be times"),
    ],
)
def test_a_changed_profile_is_refused(
    profile: TrainingProfile, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        read_profile(asdict(replace(profile, **changes)))
    with pytest.raises(TypeError, match="must have regions, events"):
        read_profile({"regions": {}})


def test_days_from_the_event_of_common_dates_are_kept(pack: Pack, split: Split) -> None:
    profile = measure_profile(pack, split.train, CHANNELS, "common", 4)
    row = pack.rows(split.train)[0]
    for number, orbit in enumerate(("s1asc", "s1dsc")):
        days = pack.events[row].astype("M8[D]") + np.array(profile.offsets[orbit])
        assert np.isin(days, pack.times[row, number].astype("M8[D]")).all()
        assert (np.array(profile.offsets[orbit]) <= 0).sum() == 2


def test_acquisitions_after_the_event_are_counted_and_fewer_are_learnt_from_cut_series(
    pack: Pack, split: Split
) -> None:
    whole, cut = (
        measure_profile(pack, split.train, CHANNELS, "event", 4, cut=each) for each in (False, True)
    )
    learnt = whole.list_learnt()["s1asc"]
    assert (learnt.after, learnt.least_after) == (2, 2)
    assert learnt.days == tuple(whole.offsets["s1asc"])
    assert (np.array(learnt.days) > 0).sum() == 2
    assert cut.list_learnt()["s1asc"] == replace(learnt, least_after=1)
