"""Scores by terrain and size are means over seeds, of classes that are made once."""

from math import isnan

import numpy as np
import pytest

from tests.support.model_results import draw_landslides, make_layers
from tuning.metrics.histogram import reach
from tuning.objects import stratified
from tuning.objects.stratified import SIZE
from tuning.report.sums import conditions
from tuning.report.sums.conditions import ConditionScorer, average_conditions


def test_scores_by_class_are_means_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = draw_landslides(np.random.default_rng(3))
    layers, made = make_layers(mask), []

    def make_groups(maps: dict[str, np.ndarray]) -> dict[str, stratified.Group]:
        made.append(1)
        return stratified.make_groups(maps)

    monkeypatch.setattr(conditions, "make_groups", make_groups)
    scorer = ConditionScorer(layers)
    half = mask.copy()
    half[0] = 0
    seeds = [
        scorer.score(
            np.where(found > 0, reach(0.9), reach(0.1)).astype(np.uint16), layers.tile_ids, 0.5
        )
        for found in (mask, half)
    ]
    assert made == [1]
    flat, other = (
        next(row for row in rows if row.pixels) for rows in (average_conditions(seeds), seeds[1])
    )
    assert flat.recall == pytest.approx((1 + other.recall) / 2)
    assert 0 < other.recall < 1
    assert (flat.name, flat.pixels, flat.landslide_px) == (other.name, mask.size, int(mask.sum()))


def test_a_score_that_a_seed_does_not_define_stays_undefined() -> None:
    layers = make_layers(draw_landslides(np.random.default_rng(3)))
    scorer = ConditionScorer(layers)
    rows = scorer.score(np.full(layers.mask.shape, reach(0.1), np.uint16), layers.tile_ids, 0.5)
    averaged = average_conditions([rows, rows])
    assert all(isnan(row.precision) for row in averaged if row.group == SIZE)
    assert [row.recall for row in averaged if row.group == SIZE and row.landslide_px] == [0.0]
