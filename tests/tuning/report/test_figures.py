"""Figures that compare models show what the tables show: means over runs, and the pixels of all seeds."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.metrics.calibration import reliability
from tuning.report.context import mean_ms_per_tile
from tuning.report.figures import _cost_points, _reliability_lines
from tuning.report.results import ModelResult


def make_two_seeds() -> ModelResult:
    """Return a model whose first seed finds everything and whose second finds half of the area besides."""
    mask = draw_landslides(np.random.default_rng(3))
    layers, more = make_layers(mask), mask > 0
    more[:, :64] = True
    runs = [make_run(mask > 0, layers, 1), make_run(more, layers, 2)]
    for run, seconds in zip(runs, (0.010, 0.020), strict=True):
        run.run.data.metrics["test/infer_seconds_per_sample"] = seconds
    return make_model(runs)


def test_reliability_pools_the_pixels_of_all_seeds() -> None:
    model = make_two_seeds()
    predicted, observed, pixels = _reliability_lines([model])["VanillaUNet"]
    pooled = reliability(model.runs[0].counts + model.runs[1].counts)
    assert np.array_equal(observed, pooled.observed, equal_nan=True)
    assert np.array_equal(predicted, pooled.predicted, equal_nan=True)
    assert pixels.sum() == 3 * 128**2  # of one seed
    alone = reliability(model.runs[0].counts)
    assert not np.array_equal(observed, alone.observed, equal_nan=True)


def test_cost_is_the_mean_over_runs_and_keeps_the_ends_of_an_interval() -> None:
    model = make_two_seeds()
    assert mean_ms_per_tile(model) == pytest.approx(15.0)
    estimate = SimpleNamespace(
        mean=0.2, low=0.0, high=0.6
    )  # cut at the score's limit: not symmetric
    ranking: Any = SimpleNamespace(estimates={"VanillaUNet": estimate})
    assert _cost_points(ranking, [model]) == [("VanillaUNet", pytest.approx(15.0), 0.2, 0.0, 0.6)]
