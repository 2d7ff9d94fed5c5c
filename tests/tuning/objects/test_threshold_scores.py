"""Every score at a threshold follows from counts that add over tiles."""

import numpy as np
import pytest

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.metrics.scores import METRICS
from tuning.objects.threshold_scores import THRESHOLD_SCORES
from tuning.report.tables import OBJECT_SCORES, score_run


def test_scores_of_sums_are_those_of_the_table(rng: np.random.Generator) -> None:
    mask = draw_landslides(rng, 4)
    run = make_run((mask > 0) & (rng.random(mask.shape) < 0.6), make_layers(mask), 42)
    model, table = make_model([run]), score_run(run)
    for name, score in THRESHOLD_SCORES.items():
        (value,) = score.function(model.stack(score.sums).sum(axis=1))
        assert value == pytest.approx(table[name])
        assert score.limits[0] <= value <= score.limits[1]


@pytest.mark.parametrize("name", THRESHOLD_SCORES)
def test_a_blind_map_has_the_lowest_score(name: str, rng: np.random.Generator) -> None:
    mask = draw_landslides(rng, 3)
    model = make_model([make_run(mask < 0, make_layers(mask), 42)])
    score = THRESHOLD_SCORES[name]
    assert score.function(model.stack(score.sums).sum(axis=1)) == score.limits[0]


def test_the_table_has_every_score() -> None:
    assert set(THRESHOLD_SCORES) == {*OBJECT_SCORES, "f1_dice", "iou"}
    assert {"f1_dice", "iou"} <= set(METRICS)
