"""The reference layers keep the tiles' positions, also for campaigns that were logged without them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.io.safe_json import RefusedError
from data.pack import Pack
from data.splits import Split
from data.twin.ground import read_ground
from tests.support.model_results import make_layers, make_run
from tuning.report.reference_layers import (
    load_reference_layers,
    read_mapping_unit,
    write_reference_layers,
)


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


def test_landslides_go_over_the_border_where_both_tiles_are_in_test() -> None:
    mask = np.zeros((2, 128, 128), np.uint8)
    mask[0, 40:60, 120:] = mask[1, 40:60, :30] = 1
    apart = make_layers(mask)
    beside = make_layers(mask, corners=np.array([(0.0, 0.0), (1280.0, 0.0)]))
    for layers, objects in ((apart, 2), (beside, 1)):
        run = make_run(mask > 0, layers, 42)
        assert run.objects.references.sum() == objects
    assert beside.find_neighbours(beside.tile_ids).max() == 1
    assert beside.find_neighbours(beside.tile_ids[:1]).max() == -1  # the other is no test tile


def make_campaign(**params: str) -> Any:
    return SimpleNamespace(
        info=SimpleNamespace(run_id="a" * 32), data=SimpleNamespace(params=params)
    )


def test_minimum_mapping_unit_is_the_campaign_s() -> None:
    assert read_mapping_unit(make_campaign(mmu="1000.0")) == 1000
    assert read_mapping_unit(make_campaign()) == 0  # of an earlier version
    mask = np.zeros((1, 128, 128), np.uint8)
    mask[0, :2, :2] = mask[0, 20:30, 20:30] = 1
    run = make_run(mask > 0, make_layers(mask, mmu_m2=500.0), 42)
    assert (run.objects.references.sum(), run.objects.found.sum()) == (1, 1)


@pytest.mark.parametrize("text", ["-1", "nan", "1e3", "1" * 10, "<b>"])
def test_another_minimum_mapping_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"The param mmu must be an area in m2, but got .*aaaa"):
        read_mapping_unit(make_campaign(mmu=text))


def test_the_true_ground_is_the_twin_s(tmp_path: Path, pack: Pack, split: Split) -> None:
    layers = load_reference_layers(write_reference_layers(pack, split.test, tmp_path))
    assert pack.seed is not None
    assert np.array_equal(layers.truth, read_ground(pack.seed, layers.tile_ids))


def test_a_file_without_the_true_ground_loads_without_it(
    tmp_path: Path, pack: Pack, split: Split
) -> None:
    file = write_reference_layers(pack, split.test, tmp_path)
    with np.load(file) as arrays:
        kept = {each: arrays[each] for each in arrays.files if each != "truth"}
    np.savez_compressed(file, **kept)
    assert not len(load_reference_layers(file).truth)


def test_a_true_ground_of_other_tiles_is_refused(tmp_path: Path, pack: Pack, split: Split) -> None:
    file = write_reference_layers(pack, split.test, tmp_path)
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    np.savez_compressed(file, **(kept | {"truth": kept["truth"][1:]}))
    rule = r"The true ground must be of \(.*\) with 0 and 1, or none"
    with pytest.raises(RefusedError, match=rule):
        load_reference_layers(file)
    np.savez_compressed(file, **(kept | {"truth": kept["truth"] + 1}))
    with pytest.raises(RefusedError, match="with values up to 2"):
        load_reference_layers(file)
