"""A campaign of several models needs test tiles in enough spatial blocks."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.splits import Split
from data.tiles import tile_path
from tuning.campaign.prepare_data import _check_test_blocks, _find_absent


def check(tiles: int, models: tuple[str, ...] = ("unet", "attention_unet"), edge: int = 3) -> None:
    """Check a square of test tiles, side by side."""
    ids = tuple(f"hokkaido_{number}" for number in range(tiles))
    side = int(np.ceil(np.sqrt(tiles)))
    corners = np.array([(i % side, i // side) for i in range(tiles)]) * 1280.0
    pack: Any = SimpleNamespace(
        corners=corners, regions=("hokkaido",) * tiles, rows=lambda chosen: np.arange(len(chosen))
    )
    split: Any = SimpleNamespace(name="blocks", test=ids)
    settings: Any = SimpleNamespace(models=models, baselines=(), block_tiles=edge)
    _check_test_blocks(pack, [split], settings)


def test_blocks_that_are_too_large_are_refused_with_the_numbers() -> None:
    check(81)
    with pytest.raises(
        ValueError, match=r"needs 5 spatial blocks of test tiles, but got 4 from 81 .* 5 x 5"
    ):
        check(81, edge=5)


def test_one_model_needs_no_blocks() -> None:
    check(9, models=("unet",))


def test_fewer_test_tiles_than_blocks_run_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check(4)
    assert "there are 4 test tiles: every verdict will be undecided" in caplog.text


@pytest.mark.parametrize("data", ["twin", "folder"])
def test_tiles_that_a_split_lists_and_the_data_lack_are_told_from_those_left_out(
    data: str, tmp_path: Path
) -> None:
    """A short preset leaves out tile 579, which exists; the two large numbers do not."""
    for orbit in ("s1asc", "s1dsc"):
        file = tile_path(tmp_path, "hokkaido_579", orbit)
        file.parent.mkdir()
        file.touch()
    tile_path(tmp_path, "hokkaido_88888", "s1asc").touch()  # one orbit alone
    missing = ("hokkaido_579", "hokkaido_88888", "hokkaido_99999")
    split = Split("mine", ("hokkaido_1",), ("hokkaido_2",), ("hokkaido_3",), missing=missing)
    settings: Any = SimpleNamespace(
        data="twin" if data == "twin" else str(tmp_path),
        regions=("hokkaido",),
        packed=("s1asc", "s1dsc"),
    )
    assert _find_absent(split, settings) == missing[1:]
