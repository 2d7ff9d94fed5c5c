"""Influences are derivatives of the score: they add to 0 and predict what a tile's weight does."""

import numpy as np
import pytest

from tests.support.simulated import read_layout, simulate
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.influence import measure_scores

LAYOUT = read_layout()


def test_influences_add_to_zero_and_predict_a_change_of_weight() -> None:
    sums = simulate(np.random.default_rng(0), LAYOUT, (0.0,), 2)["a"]
    found = measure_scores({"a": sums}, pooled_ap, LAYOUT.units())["a"]
    assert found.influences.sum() == pytest.approx(0, abs=1e-4)
    tile = int(np.argmax(LAYOUT.landslide_px))
    more = sums.astype(float)
    more[:, tile] *= 1.02
    moved = pooled_ap(more.sum(axis=1)).mean() - found.mean
    assert moved == pytest.approx(0.02 * found.influences[tile], rel=0.05)


def test_a_tile_counts_in_its_own_fold_alone() -> None:
    sums = simulate(np.random.default_rng(0), LAYOUT, (0.0,), 2)["a"]
    units = LAYOUT.units()
    twice = np.concatenate([sums, sums], axis=1)
    folds = np.concatenate([units.folds, units.folds + 1])
    weights = np.concatenate([units.weights, units.weights]) / 2
    both = type(units)(
        np.concatenate([units.blocks, units.blocks + units.count]),
        folds,
        np.concatenate([units.regions] * 2),
        np.concatenate([units.corners] * 2),
        weights,
    )
    one = measure_scores({"a": sums}, pooled_ap, units)["a"]
    two = measure_scores({"a": twice}, pooled_ap, both)["a"]
    assert two.mean == pytest.approx(one.mean)
    assert two.influences[:79] == pytest.approx(one.influences / 2)
