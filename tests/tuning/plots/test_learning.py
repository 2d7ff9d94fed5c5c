"""Tests of `tuning.plots.learning`."""

import numpy as np
import pytest

from tuning.plots.learning import Points, draw_learning_curves
from tuning.statistics.learning_curve import fit_learning_curve

AMOUNTS = np.array([40.0, 80.0, 160.0])
SCORES = np.array([0.3, 0.4, 0.45])
NOISE = 0.01 * np.random.default_rng(0).standard_normal((99, 3))


def make_points(amounts: np.ndarray = AMOUNTS, *, curve: bool = True) -> Points:
    fitted = fit_learning_curve(amounts, SCORES, SCORES + NOISE) if curve else None
    return Points(amounts, SCORES, SCORES - 0.02, SCORES + 0.02, fitted)


def test_the_curve_is_dotted_beyond_the_largest_amount() -> None:
    figure = draw_learning_curves({"U-Net": make_points()}, "train tiles", "Score", True)
    axes = figure.axes[0]
    points, inside, beyond = axes.lines
    assert (inside.get_linestyle(), beyond.get_linestyle()) == ("-", ":")
    assert inside.get_xdata()[-1] == beyond.get_xdata()[0] <= 160 * 1.0001
    assert points.get_label() == "U-Net"
    assert axes.get_xscale() == "log"
    assert axes.get_xticks().tolist() == AMOUNTS.tolist()
    assert "synthetic data" in figure.get_suptitle()


def test_points_of_several_models_stand_side_by_side() -> None:
    models = {name: make_points(curve=False) for name in ("U-Net", "U-TAE")}
    first, second = draw_learning_curves(models, "train tiles", "Score", False).axes[0].lines
    assert (first.get_xdata() < second.get_xdata()).all()
    assert first.get_linestyle() == "-"  # without a curve the points are joined


def test_an_amount_of_0_has_a_place_on_a_linear_axis() -> None:
    points = make_points(np.array([0.0, 0.1, 0.2]), curve=False)
    axes = draw_learning_curves({"U-Net": points}, "errors", "Score", False).axes[0]
    assert axes.get_xscale() == "linear"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.1", "0.2"]


def test_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a model, but 'Score' got none"):
        draw_learning_curves({}, "train tiles", "Score", False)
