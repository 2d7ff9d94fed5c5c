from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from tuning.metrics.curve import Curve, average_precision, trace_curve
from tuning.metrics.histogram import count_bins
from tuning.plots.comparison import (
    RECALL_GRID,
    draw_cost,
    draw_intervals,
    draw_pr_bands,
    draw_recall_by_size,
    draw_reliability,
    precision_at,
)
from tuning.plots.style import assign_styles
from tuning.plots.trial_figures import COLOURS, save

NAN = float("nan")
NETWORKS = ["VanillaUNet", "AttentionUNet", "TemporalUNet_ConvLSTM"]
MODELS = [*NETWORKS, *(f"Baseline_{number}_s1dsc" for number in range(10))]
SIZES = ["< 10 px", "10 to 99 px", "100 px and more"]


def make_counts(seed: int, contrast: float = 1.5, landslides: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = rng.random(20_000) < landslides
    probs = torch.from_numpy(1 / (1 + np.exp(-rng.normal(contrast * mask - 1, 1)))).float()
    return count_bins(probs, torch.from_numpy(mask))


def make_curves(seeds: int, contrast: float = 1.5) -> list[Curve]:
    return [trace_curve(np.asarray(make_counts(seed, contrast))) for seed in range(seeds)]


def draw_all(models: list[str]) -> dict[str, Figure]:
    """Draw all five figures; the models after the third have one seed."""
    seeds = {name: 5 if name in NETWORKS else 1 for name in models}
    contrast = {name: 2.0 - 0.12 * place for place, name in enumerate(models)}
    middle = np.linspace(0.05, 0.95, 10)
    return {
        "pr": draw_pr_bands(
            {name: make_curves(seeds[name], contrast[name]) for name in models},
            dict.fromkeys(models, 0.5),
            "PR",
            True,
            NETWORKS,
        ),
        "intervals": draw_intervals(
            [(name, c, c - 0.02, c + 0.03, [c] * seeds[name]) for name, c in contrast.items()],
            "AP",
            "Intervals",
            True,
            NETWORKS,
        ),
        "reliability": draw_reliability(
            {name: (middle, middle**c, 10 ** (6 - 4 * middle)) for name, c in contrast.items()},
            "Reliability",
            True,
            NETWORKS,
        ),
        "recall": draw_recall_by_size(
            {name: [(size, c / 3, c / 4, c / 2) for size in SIZES] for name, c in contrast.items()},
            "Recall",
            True,
            NETWORKS,
        ),
        "cost": draw_cost(
            [
                (n, 50 / 1.5**place, c, c - 0.02, c + 0.03)
                for place, (n, c) in enumerate(contrast.items())
            ],
            "ms",
            "AP",
            "Cost",
            True,
            NETWORKS,
        ),
    }


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return draw_all(MODELS)


def find_line(figure: Figure, label: str, panel: int = 0) -> Line2D:
    (line,) = [line for line in figure.axes[panel].lines if str(line.get_label()).startswith(label)]
    return line


def find_marks(figure: Figure) -> list[tuple[float, float]]:
    """Return where single points are drawn."""
    lines = [line.get_xydata() for line in figure.axes[0].lines]
    return [(float(xy[0][0]), float(xy[0][1])) for xy in lines if len(xy) == 1]


def find_segments(figure: Figure) -> list[np.ndarray]:
    found = [item for item in figure.axes[0].collections if isinstance(item, LineCollection)]
    return [segment for item in found for segment in item.get_segments() if len(segment)]


def to_linear(value: float) -> float:
    """Undo the gamma of an sRGB value."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def test_precision_steps_sum_to_average_precision() -> None:
    counts = np.asarray(make_counts(0))
    recall = np.linspace(0, 1, 200_001)[1:]
    precision = precision_at(trace_curve(counts), recall)
    assert precision.mean() == pytest.approx(average_precision(counts), abs=1e-4)


def test_precision_is_that_of_the_highest_threshold_which_reaches_the_recall() -> None:
    curve = Curve(
        np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.2, 0.4, 0.5, 1.0]), np.array([1, 0.6, 0.6, 0.2])
    )
    got = precision_at(curve, np.array([0.1, 0.2, 0.21, 0.6, 0.61, 1.0]))
    assert got.tolist() == [1.0, 1.0, 0.5, 0.5, 0.2, 0.2]


def test_pr_line_is_the_median_of_the_seeds() -> None:
    curves = make_curves(5)
    line = find_line(draw_pr_bands({"a": curves}, {"a": 0.5}, "t", False), "a")
    seeds = np.stack([precision_at(curve, RECALL_GRID) for curve in curves])
    assert np.array_equal(line.get_xdata(), RECALL_GRID)
    assert np.array_equal(line.get_ydata(), np.median(seeds, axis=0))
    assert line.get_drawstyle() == "steps-pre"


def test_pr_band_reaches_from_the_lowest_to_the_highest_seed_around_the_line() -> None:
    curves = make_curves(5)
    figure = draw_pr_bands({"a": curves}, {"a": 0.5}, "t", False)
    (band,) = figure.axes[0].collections
    outline = band.get_paths()[0]
    seeds = np.stack([precision_at(curve, RECALL_GRID) for curve in curves])
    inside_step = RECALL_GRID[50:] - 0.001
    low, high = seeds[:, 50:].min(axis=0), seeds[:, 50:].max(axis=0)
    line = np.asarray(find_line(figure, "a").get_ydata())[50:]
    for share in (0.01, 0.99):
        within = low + share * (high - low)
        assert outline.contains_points(np.stack([inside_step, within], axis=1)).all()
    assert not outline.contains_points(np.stack([inside_step, high + 1e-6], axis=1)).any()
    assert not outline.contains_points(np.stack([inside_step, low - 1e-6], axis=1)).any()
    assert ((low <= line) & (line <= high)).all()


def test_pr_model_of_one_seed_has_no_band() -> None:
    assert not draw_pr_bands({"a": make_curves(1)}, {"a": 0.5}, "t", False).axes[0].collections


def test_pr_axes_show_all_of_precision_and_recall(figures: dict[str, Figure]) -> None:
    assert figures["pr"].axes[0].get_xlim() == (0, 1)
    assert figures["pr"].axes[0].get_ylim() == (0, 1)


def test_pr_model_without_landslides_keeps_its_name_and_draws_nothing() -> None:
    counts = np.asarray(make_counts(0, landslides=0.0))
    curves = {"a": make_curves(2), "b": [trace_curve(counts)]}
    figure = draw_pr_bands(curves, {"a": 0.4, "b": NAN}, "t", False)
    line = find_line(figure, "b")
    assert not np.isfinite(np.asarray(line.get_ydata(), dtype=float)).any()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["a (AP 0.400)", "b (AP \N{EN DASH})"]


@pytest.mark.parametrize(
    ("curves", "areas", "message"),
    [
        ({"a": []}, {"a": 0.5}, "'a' has 0 curves and an area. Add them."),
        ({"a": make_curves(1)}, {}, "'a' has 1 curves and no area. Add them."),
    ],
)
def test_pr_model_without_curve_or_area_is_refused(
    curves: dict[str, list[Curve]], areas: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        draw_pr_bands(curves, areas, "t", False)


def test_intervals_are_drawn_as_given_from_top_to_bottom() -> None:
    rows = [("b", 0.5, 0.4, 0.7, [0.45, 0.55]), ("a", 0.3, 0.2, 0.31, [])]
    figure = draw_intervals(rows, "AP", "t", False)
    axes = figure.axes[0]
    segments = [segment.tolist() for segment in find_segments(figure)]
    assert segments == [[[0.4, 0], [0.7, 0]], [[0.2, 1], [0.31, 1]]]
    assert find_marks(figure) == [(0.5, 0), (0.3, 1)]
    assert any(np.array_equal(line.get_xdata(), [0.45, 0.55]) for line in axes.lines)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    bottom, top = axes.get_ylim()
    assert bottom > top  # row 0 is above row 1
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["0.500  [0.400, 0.700]", "0.300  [0.200, 0.310]"]


def test_intervals_fit_into_their_axes(figures: dict[str, Figure]) -> None:
    left, right = figures["intervals"].axes[0].get_xlim()
    for segment in find_segments(figures["intervals"]):
        assert left < segment[:, 0].min() < segment[:, 0].max() < right


def test_interval_without_value_keeps_its_name() -> None:
    rows = [("a", NAN, NAN, NAN, []), ("b", 0.5, NAN, NAN, [0.5])]
    axes = draw_intervals(rows, "AP", "t", False).axes[0]
    assert [text.get_text() for text in axes.texts] == ["\N{EN DASH}", "0.500"]
    assert np.isfinite(axes.get_xlim()).all()


@pytest.mark.parametrize(("low", "lines"), [(-0.1, 1), (0.2, 0)])
def test_zero_is_marked_only_among_the_values(low: float, lines: int) -> None:
    axes = draw_intervals([("a - b", 0.3, low, 0.4, [])], "AP", "t", False).axes[0]
    assert sum(list(line.get_xdata()) == [0, 0] for line in axes.lines) == lines


def test_interval_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low to high, but 'a' has 0\.6 to 0\.4\. Swap its ends"):
        draw_intervals([("a", 0.5, 0.6, 0.4, [])], "AP", "t", False)
    with pytest.raises(ValueError, match=r"but 'a, small' has 0\.6 to 0\.4"):
        draw_recall_by_size({"a": [("small", 0.5, 0.6, 0.4)]}, "t", False)
    with pytest.raises(ValueError, match=r"but 'a' has 0\.6 to 0\.4"):
        draw_cost([("a", 5.0, 0.5, 0.6, 0.4)], "ms", "AP", "t", False)


def test_reliability_draws_what_was_given_and_no_empty_bin() -> None:
    predicted, observed = np.array([0.1, NAN, 0.8]), np.array([0.2, NAN, 0.7])
    figure = draw_reliability({"a": (predicted, observed, np.array([9, 0, 4]))}, "t", False)
    line = find_line(figure, "a")
    assert np.array_equal(line.get_xdata(), predicted, equal_nan=True)
    assert np.array_equal(line.get_ydata(), observed, equal_nan=True)
    pixels = np.asarray(figure.axes[1].lines[0].get_ydata())
    assert np.array_equal(pixels, [9, NAN, 4], equal_nan=True)
    assert figure.axes[1].get_yscale() == "log"
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim() == (0, 1)
    diagonal = find_line(figure, "perfectly")
    assert np.array_equal(diagonal.get_xdata(), diagonal.get_ydata())


def test_reliability_of_unequal_arrays_is_refused() -> None:
    two, three = np.zeros(2), np.zeros(3)
    with pytest.raises(ValueError, match=r"per bin, but 'a' has 2, 2 and 3\. Give each bin all"):
        draw_reliability({"a": (two, two, three)}, "t", False)


def test_recall_stands_in_its_class_and_models_side_by_side(figures: dict[str, Figure]) -> None:
    axes = figures["recall"].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == SIZES
    places = np.array([find_line(figures["recall"], name).get_xdata() for name in MODELS])
    assert (np.abs(places - np.arange(3)) < 0.5).all()
    assert (np.diff(places, axis=0) > 0).all()
    assert axes.get_ylim() == (0, 1)
    first = find_line(figures["recall"], MODELS[0])
    assert np.asarray(first.get_ydata()) == pytest.approx([2.0 / 3] * 3)
    tops = [segment[:, 1].max() for segment in find_segments(figures["recall"])]
    assert tops[:3] == pytest.approx([1.0] * 3)


def test_recall_of_an_empty_class_is_not_drawn() -> None:
    rows = {
        "a": [("small", NAN, NAN, NAN), ("large", 0.5, 0.4, 0.6)],
        "b": [("large", 0.7, 0.6, 0.8)],
    }
    figure = draw_recall_by_size(rows, "t", False)
    assert np.isnan(np.asarray(find_line(figure, "a").get_ydata())[0])
    assert len(find_line(figure, "b").get_xdata()) == 1
    drawn = [segment for segment in find_segments(figure) if np.isfinite(segment).all()]
    assert len(drawn) == 2


def test_cost_points_stand_where_they_were_given() -> None:
    points = [("a", 5.0, 0.6, 0.0, 0.65), ("b", 50.0, 0.4, NAN, NAN)]
    figure = draw_cost(points, "ms", "AP", "t", False)
    assert find_marks(figure) == [(5.0, 0.6), (50.0, 0.4)]
    assert find_segments(figure)[0] == pytest.approx(np.array([[5.0, 0.0], [5.0, 0.65]]))
    assert figure.axes[0].get_xscale() == "log"
    bottom, top = figure.axes[0].get_ylim()
    assert bottom < 0.0
    assert top > 0.65


def test_cost_labels_keep_clear_of_each_other_and_inside(figures: dict[str, Figure]) -> None:
    figure = figures["cost"]
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [Text.get_window_extent(label) for label in axes.texts]
    assert [label.get_text() for label in axes.texts] == MODELS
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])
        assert not any(box.contains(*axes.transData.transform(xy)) for xy in find_marks(figure))
        inside = axes.get_window_extent()
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1


def test_cost_without_value_is_named_below_the_axis() -> None:
    points = [("a", 5.0, 0.6, 0.5, 0.7), ("b", NAN, 0.4, 0.3, 0.5), ("c", 2.0, NAN, NAN, NAN)]
    figure = draw_cost(points, "ms", "AP", "t", False)
    assert find_marks(figure) == [(5.0, 0.6)]
    assert figure.axes[0].get_xlabel() == "ms\nno value: b, c"


def test_cost_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cost must be above 0 .* but 'a' has 0\. Give NaN"):
        draw_cost([("a", 0.0, 0.6, 0.5, 0.7)], "ms", "AP", "t", False)


def test_networks_are_coloured_and_the_rest_is_grey() -> None:
    styles = assign_styles(MODELS, NETWORKS)
    assert [styles[name].colour for name in NETWORKS] == list(COLOURS[:3])
    for name in MODELS[3:]:
        red, green, blue = to_rgb(styles[name].colour)
        assert red == green == blue
        assert 1.05 / (to_linear(red) + 0.05) >= 3  # contrast to white
    first = assign_styles(MODELS, None)
    assert [look.colour for look in first.values()][:6] == list(COLOURS)


def test_models_differ_without_their_colours(figures: dict[str, Figure]) -> None:
    styles = assign_styles(MODELS, NETWORKS)
    assert len({style.marker for style in styles.values()}) == len(MODELS)
    assert len({(style.colour, str(style.line)) for style in styles.values()}) == 3 + 9
    assert len({str(styles[name].line) for name in NETWORKS}) == 3
    for kind in ("pr", "reliability", "recall"):
        markers = {find_line(figures[kind], name).get_marker() for name in MODELS}
        assert len(markers) == len(MODELS)


def test_a_model_looks_the_same_in_each_figure(figures: dict[str, Figure]) -> None:
    for name in MODELS:
        kinds = ("pr", "reliability", "recall")
        drawn = [find_line(figures[kind], name) for kind in kinds]
        assert len({(to_hex(line.get_color()), line.get_marker()) for line in drawn}) == 1


def test_figures_say_that_data_are_synthetic(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        assert figure.get_suptitle().endswith("\n(synthetic data)")
    real = draw_cost([("a", 5.0, 0.6, 0.5, 0.7)], "ms", "AP", "Cost", False)
    assert real.get_suptitle() == "Cost"


@pytest.mark.parametrize("count", [1, len(MODELS)])
def test_figures_are_small_files(tmp_path: Path, count: int) -> None:
    for kind, figure in draw_all(MODELS[:count]).items():
        size = save(figure, tmp_path / f"{kind}.png").stat().st_size
        assert 5_000 < size < 150_000, kind


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_pr_bands({}, {}, "Nothing", False),
        lambda: draw_intervals([], "AP", "Nothing", False),
        lambda: draw_reliability({}, "Nothing", False),
        lambda: draw_recall_by_size({}, "Nothing", False),
        lambda: draw_cost([], "ms", "AP", "Nothing", False),
    ],
)
def test_comparison_of_nothing_is_refused(draw: Callable[[], Figure]) -> None:
    with pytest.raises(ValueError, match=r"must have a model, but 'Nothing' got none\. Leave this"):
        draw()


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"its own name, but 'Cost' got 'a' twice\. Rename one"):
        draw_cost([("a", 5.0, 0.6, 0.5, 0.7), ("a", 6.0, 0.6, 0.5, 0.7)], "ms", "AP", "Cost", False)
