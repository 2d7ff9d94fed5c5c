"""A world is measured against labels and true ground; its sums survive the disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.io.safe_json import RefusedError
from data.twin.ground import read_ground
from tuning.metrics.histogram import BINS
from tuning.metrics.tile_sums import pooled_ap
from tuning.worlds.world import (
    TILE_BINS,
    World,
    check_models,
    choose_tiles,
    count_tiles,
    load_world,
    measure_world,
    save_world,
)

MODELS = ("log_ratio_vv_asc", "log_ratio_vv_dsc")
TILES = ("hokkaido_507", "hokkaido_582")


@pytest.fixture(scope="module")
def world() -> World:
    split = replace(choose_tiles("hokkaido", MODELS, 1), test=TILES)
    return measure_world(7, split, MODELS)


def test_a_world_has_each_pixel_once_against_labels_and_ground(world: World) -> None:
    truth_px = read_ground(7, TILES).sum(axis=(1, 2))
    for key in MODELS:
        for sums in (world.labels[key], world.truth[key]):
            assert sums.shape == (1, 2, 2 * TILE_BINS)
            assert (sums.sum(axis=2, dtype=np.int64) == 128 * 128).all()
        assert world.truth[key][0, :, TILE_BINS:].sum(axis=1).tolist() == truth_px.tolist()


def test_a_perfect_mapper_has_average_precision_1_against_the_ground() -> None:
    ground = read_ground(7, TILES)
    assert pooled_ap(count_tiles(ground.astype(np.int64) * (BINS - 1), ground).sum(axis=0)) == 1


def test_a_saved_world_is_read_unchanged_and_another_file_refused(
    world: World, tmp_path: Path
) -> None:
    save_world(world, tmp_path / "world-7.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["world-7.npz"]
    read = load_world(tmp_path / "world-7.npz", 7, MODELS)
    assert read.tile_ids == world.tile_ids
    assert np.array_equal(read.corners, world.corners)
    assert all(np.array_equal(read.truth[key], world.truth[key]) for key in MODELS)
    with pytest.raises(RefusedError, match=r"must hold .*, but got no labels/log_ratio_vh"):
        load_world(tmp_path / "world-7.npz", 7, (*MODELS, "log_ratio_vh"))


def test_only_the_tiles_that_a_comparison_needs_are_made() -> None:
    alone = choose_tiles("hokkaido", MODELS)
    assert (len(alone.train), len(alone.val), len(alone.test)) == (0, 0, 79)
    learning = choose_tiles("hokkaido", (*MODELS, "logistic_regression"))
    assert learning.test == alone.test
    assert len(learning.train) == 40
    assert len(choose_tiles("noto", MODELS, 3).test) == 3


def test_unknown_repeated_and_lonely_models_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"Unknown baseline 'log_ratio_w'. Did you mean 'log_ratio_"
    ):
        check_models(["log_ratio_w", "log_ratio_vv"])
    for models in (["log_ratio_vv"], ["log_ratio_vv", "log_ratio_vv"]):
        with pytest.raises(ValueError, match="two models or more, each once, but got log_ratio_vv"):
            check_models(models)
    with pytest.raises(ValueError, match=r"Unknown region of the twin 'nato'. Did you mean 'noto'"):
        choose_tiles("nato", MODELS)
