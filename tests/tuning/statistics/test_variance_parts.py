"""Tests of `tuning.statistics.variance_parts`, and of the variances that it rests on."""

from collections.abc import Sequence

import numpy as np
import pytest

from tuning.statistics.blocks import make_units
from tuning.statistics.contrasts import Sample
from tuning.statistics.estimate import FIXED, SeedSpread, add_variances
from tuning.statistics.influence import ModelScores
from tuning.statistics.variance_parts import (
    SOURCES,
    fill_parts,
    measure_block_part,
    measure_fold_part,
    measure_replicate_part,
    measure_seed_part,
    split_unequal,
)

CORNERS = np.column_stack([np.arange(12) * 3, np.zeros(12)]) * 1280.0
NAMES = (["f"] * 12, ["hokkaido"] * 12)


def test_the_seeds_part_is_their_pooled_deviation() -> None:
    part = measure_seed_part(SeedSpread(0.0004, 7))
    assert (part.spread, part.degrees) == (pytest.approx(0.02), 7)
    unknown = measure_seed_part(SeedSpread(0.0, np.inf))
    assert np.isnan(unknown.spread)
    assert unknown.note == "not varied here: one seed"


def test_the_blocks_part_is_the_error_of_one_score() -> None:
    units = make_units(CORNERS, *NAMES)
    influences = np.tile([0.01, -0.01], 6)  # blocks of one tile: sum of squares 12 * 0.0001
    sample = Sample(units, {"a": ModelScores(np.array([0.5]), influences)})
    part = measure_block_part(sample, "a")
    # independent, equal tiles: the correction is that of a variance, 12 / 11
    assert part.spread == pytest.approx(np.sqrt(0.0012 * 12 / 11))
    assert part.degrees == pytest.approx(11)
    lone = Sample(make_units(CORNERS, *NAMES, np.arange(12) == 4), sample.scores)
    assert np.isnan(measure_block_part(lone, "a").spread)


def test_the_folds_part_is_what_the_seeds_leave() -> None:
    by_fold = np.array([[0.4, 0.5, 0.6], [0.4, 0.5, 0.6]])
    part = measure_fold_part(by_fold, SeedSpread(0.001, 3))
    # variance of 0.4, 0.5, 0.6 is 0.01; a fold's mean over 2 seeds has 0.001 * 3 / 2
    assert part.spread == pytest.approx(np.sqrt(0.01 - 0.0015))
    assert measure_fold_part(by_fold, SeedSpread(1.0, 3)).spread == 0
    assert (
        measure_fold_part(by_fold[:, :1], SeedSpread(1.0, 3)).note == "not varied here: one split"
    )


def test_the_part_of_replicates_is_what_the_seeds_leave() -> None:
    part = measure_replicate_part(
        "search", [0.4, 0.5, 0.6], [2, 2, 2], SeedSpread(0.002, 3), "seeds of the search"
    )
    assert part.spread == pytest.approx(np.sqrt(0.01 - 0.001))
    assert (part.degrees, part.note) == (2, "between 3 seeds of the search")
    assert np.isnan(measure_replicate_part("world", [0.4], [2], SeedSpread(0, 1), "").spread)


def test_every_source_has_a_row_and_says_if_it_did_not_vary() -> None:
    seed = measure_seed_part(SeedSpread(0.0004, 7))
    parts = fill_parts({"seed": seed}, {"search": "not told apart"})
    assert [part.source for part in parts] == list(SOURCES)
    assert parts[0] == seed
    assert [part.note for part in parts[1:]] == ["not told apart", *["not varied here"] * 3]


def test_variances_add_up_by_the_squares_of_weights() -> None:
    scores = {
        name: ModelScores(np.array([0.4, 0.6]), np.zeros(12)) for name in ("a", "b")
    }  # variance of a seed 0.02, of a mean of two 0.01
    weights = np.array([[1.0, -1.0], [0.5, 0.5]])
    found = add_variances(weights, [(np.array([0.03, 0.0]), 4.0)], scores, {"a": "u", "b": "u"})
    assert found.seeds == pytest.approx([0.02, 0.005])
    assert found.blocks == pytest.approx([0.03, 0.0])
    # Satterthwaite: 0.05^2 / (0.03^2 / 4 + 0.02^2 / 2); the seeds alone have their own 2
    assert found.degrees == pytest.approx([0.0025 / (0.0009 / 4 + 0.0004 / 2), 2])
    assert found.seed_errors == pytest.approx([0.1, 0.1])


def make_scores(
    spreads: Sequence[float], seeds: int, rng: np.random.Generator
) -> dict[str, ModelScores]:
    return {
        str(number): ModelScores(rng.normal(0.6, spread, seeds), np.zeros(4))
        for number, spread in enumerate(spreads)
    }


def test_cells_with_far_more_variance_over_seeds_are_a_kind_of_their_own() -> None:
    pooled = ([0.60, 0.62, 0.63], [0.61, 0.62, 0.64], [0.60, 0.61, 0.62], [0.59, 0.62, 0.61])
    scores = {
        str(number): ModelScores(np.array(values), np.zeros(4))
        for number, values in enumerate((*pooled, [0.1, 0.3, 0.43], [0.2, 0.6, 0.55]))
    }
    found = split_unequal(scores, dict.fromkeys(scores, "unet") | {"3": "utae"})
    assert [found[name] for name in "012345"] == ["unet"] * 3 + ["utae"] + ["unet 2"] * 2


@pytest.mark.parametrize("seeds", [3, 5])
def test_equal_variances_are_rarely_split(seeds: int) -> None:
    rng, split = np.random.default_rng(5), 0
    for _ in range(60):
        scores = make_scores([0.02] * 6, seeds, rng)
        split += len(set(split_unequal(scores, dict.fromkeys(scores, "unet")).values())) > 1
    assert split <= 4  # 1 % each


def test_models_without_seeds_keep_their_kind() -> None:
    scores = make_scores([0.02, 0.3], 1, np.random.default_rng(1))
    kinds = {"0": FIXED, "1": "unet"}
    assert split_unequal(scores, kinds) == kinds
