"""A replay's file is read as a file from outside: its arrays must fit each other and the campaign's tiles."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.replays import make_replay
from tuning.replay.record import Replay, read_replay

TILES = ("hokkaido_1", "hokkaido_2")
GOOD = make_replay((0, 4), np.array([[0.1, 0.2], [0.5, 0.6]]), TILES)


def write(replay: Replay, folder: Path, **more: Any) -> Path:
    file = folder / "replay.npz"
    arrays: dict[str, Any] = replay.to_arrays() | more
    np.savez_compressed(file, **arrays)
    return file


def test_a_replay_is_read_as_it_was_written(tmp_path: Path) -> None:
    read = read_replay(write(GOOD, tmp_path), TILES)
    for name, array in GOOD.to_arrays().items():
        np.testing.assert_array_equal(getattr(read, name), array)


def change(name: str, edit: Callable[[np.ndarray], np.ndarray]) -> Replay:
    return replace(GOOD, **{name: edit(getattr(GOOD, name).copy())})


def put(value: float, at: Any) -> Callable[[np.ndarray], np.ndarray]:
    def edit(array: np.ndarray) -> np.ndarray:
        array[at] = value
        return array

    return edit


BAD = [
    (change("days", lambda d: d[::-1]), r"must have ascending days from 0, but got \[4, 0\]"),
    (change("days", put(40_000, 1)), "must have days of a century at most, but got 40000"),
    (change("thresholds", lambda t: t[:1]), "must have thresholds of 2 days and 2 tiles"),
    (change("tiles", lambda t: t[:, :1]), "must have tiles of 2 days and 2 tiles"),
    (change("tile_ids", lambda t: np.array(["hokkaido_1"] * 2)), "must have each tile once"),
    (change("tile_ids", lambda t: np.array(["hokkaido_1", "../x"])), r"but got '\.\./x'"),
    (
        change("tile_ids", lambda t: np.array(["hokkaido_1", "hokkaido_9"])),
        "alone, but got 'hokkaido_9'",
    ),
    (
        change("modalities", lambda m: np.array(["s1asc", "s3"])),
        "modalities among s1asc, s1dsc, s2",
    ),
    (change("tiles", put(7, (0, 0, 0))), "counts of 16384 pixels of each tile, but got 'others'"),
    (change("confusions", put(-1, (0, 0, 0))), "counts of 16384 pixels of each tile"),
    (change("landslides", put(99, (0, 0, 0, 0))), "found landslides among all of them"),
    (change("pr_auc", put(2, 0)), r"pr_auc from 0 to 1\.001"),
    (change("thresholds", put(np.nan, 0)), "thresholds from 0 to 1"),
    (change("acquisitions", put(-1, (0, 0))), "acquisitions from 0 to 10000"),
]


@pytest.mark.parametrize(("replay", "message"), BAD)
def test_arrays_that_do_not_fit_are_refused(replay: Replay, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_replay(write(replay, tmp_path), TILES)


def test_other_types_pickles_and_missing_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="days must be int64 of shape"):
        read_replay(write(GOOD, tmp_path, days=GOOD.days.astype(float)), TILES)
    with pytest.raises(ValueError, match="without pickled objects"):
        read_replay(write(GOOD, tmp_path, days=np.array([{}], dtype=object)), TILES)
    np.savez(tmp_path / "less.npz", days=GOOD.days)
    with pytest.raises(ValueError, match="but got no modalities"):
        read_replay(tmp_path / "less.npz", TILES)


def test_a_part_without_landslides_has_no_average_precision(tmp_path: Path) -> None:
    none = change("pr_auc", put(np.nan, 1))
    assert np.isnan(read_replay(write(none, tmp_path), TILES).pr_auc[1])
