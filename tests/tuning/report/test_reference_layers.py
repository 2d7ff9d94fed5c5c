"""The reference layers keep the tiles' positions, also for campaigns that were logged without them."""

from pathlib import Path

import numpy as np
import pytest

from data.io.safe_json import RefusedError
from data.pack import Pack
from data.splits import Split
from tuning.report.reference_layers import load_reference_layers, write_reference_layers


def drop_corners(file: Path, tile_ids: list[str] | None = None) -> Path:
    """Write the file as an earlier version did, optionally with other tiles."""
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "corners"}
    if tile_ids:
        kept["tile_ids"] = np.array(tile_ids)
    np.savez_compressed(file, **kept)
    return file


def test_positions_are_those_of_the_pack(tmp_path: Path, pack: Pack, split: Split) -> None:
    layers = load_reference_layers(write_reference_layers(pack, split.test, tmp_path))
    assert np.array_equal(layers.corners, pack.corners[pack.rows(layers.tile_ids)])


def test_a_file_without_positions_gets_those_of_the_catalogue(
    tmp_path: Path, pack: Pack, split: Split
) -> None:
    file = write_reference_layers(pack, split.test, tmp_path)
    expected = load_reference_layers(file).corners
    assert np.array_equal(load_reference_layers(drop_corners(file)).corners, expected)


def test_a_file_without_positions_of_unlisted_tiles_is_refused(
    tmp_path: Path, pack: Pack, split: Split
) -> None:
    file = write_reference_layers(pack, split.test, tmp_path)
    drop_corners(file, [f"noto_{i}" for i in range(len(split.test))])
    with pytest.raises(RefusedError, match="must hold the tiles' corners, but got none of noto_0"):
        load_reference_layers(file)
