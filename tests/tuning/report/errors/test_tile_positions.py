"""Positions of train and val tiles, from the campaign's splits.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuning.report.errors.tile_positions import SPLITS_FILE, read_untested, stack_corners

WHOLE: dict[str, Any] = {
    "splits": [
        {"tile_ids": {"train": ["hokkaido_1", "hokkaido_2"], "val": ["hokkaido_3"]}},
        {"tile_ids": {"train": ["hokkaido_3"], "val": ["hokkaido_4"]}},
    ],
    "corners": {f"hokkaido_{number}": [1280 * number, 0] for number in range(1, 5)},
}


def write(folder: Path, content: object) -> None:
    (folder / SPLITS_FILE).write_text(json.dumps(content))


def test_a_tile_that_some_fold_tests_is_not_among_them(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    found = read_untested(tmp_path, {"hokkaido_2"})
    assert found == {
        "train": {"hokkaido_1": (1280.0, 0.0), "hokkaido_3": (3840.0, 0.0)},
        "val": {"hokkaido_4": (5120.0, 0.0)},
    }
    assert stack_corners(found["train"]).shape == (2, 2)
    assert stack_corners({}).shape == (0, 2)


def test_a_campaign_of_an_earlier_version_has_no_positions(tmp_path: Path) -> None:
    assert read_untested(tmp_path, set()) == {}
    write(tmp_path, {"splits": []})
    assert read_untested(tmp_path, set()) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"corners": {"hokkaido_1": ["west", 0]}},
        {"corners": {"../../etc": [0, 0]}},
        {"corners": {"hokkaido_1": [1e12, 0]}},
        {"corners": []},
        {"splits": [{"tile_ids": {"train": ["hokkaido_9"], "val": []}}]},
        {"splits": [{}]},
    ],
)
def test_a_forged_file_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, WHOLE | changes)
    with pytest.raises(ValueError, match="must list train and val tiles with their corners"):
        read_untested(tmp_path, set())
