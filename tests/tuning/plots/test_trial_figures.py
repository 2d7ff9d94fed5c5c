"""Titles and labels fit into their figures, and what colours say can be read in grey too."""

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.tuning.plots.test_comparison import MODELS, NETWORKS, draw_all, make_curves
from tuning.metrics.scores import Confusion
from tuning.plots import comparison, trial_figures
from tuning.plots.effects import ForestRow, draw_forest, draw_heat_map
from tuning.plots.trial_figures import BEHIND, FALSE_ALARM, HIT, MISS

LONG = (
    "Reliability after calibration on val, seeds pooled, test, 5 folds pooled (a picture; AP is their mean) of "
    "TemporalUNet_ConvLSTM, seed 42, the best on val, threshold 0.412"
)
SCENE = np.zeros((128, 128))


def list_cut_texts(figure: Figure) -> list[str]:
    """Return the texts of a figure that reach beyond its edges as it is saved."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    unseen = {label for axes in figure.axes for label in list_unseen_labels(axes)}
    cut = []
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        inside = figure.bbox.padded(1).contains(*box.min) and figure.bbox.padded(1).contains(
            *box.max
        )
        if text.get_visible() and text.get_text().strip() and text not in unseen and not inside:
            cut.append(text.get_text())
    return cut


def list_unseen_labels(axes: Axes) -> list[Text]:
    """Return the labels of ticks that are beyond the limits of an axis, which are not drawn."""
    labels = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            labels += [] if low <= tick.get_loc() <= high else [tick.label1, tick.label2]
    return labels


def draw_long(models: Sequence[str]) -> dict[str, Figure]:
    """Draw every figure of a trial and of a comparison with the longest title."""
    row = ForestRow(
        "channels=s1asc:VV,s1asc:VH", models[-1], 0.1, 0, 0.2, 0, 0.2, "undecided", False
    )
    histories = {
        f"{part} seed {seed}": [0.1, 0.2] for seed in range(5) for part in ("train", "val")
    }
    scores = {name: {"s1": 0.5, "VV": 0.4} for name in models}
    return {
        "pr": trial_figures.draw_pr({models[0]: (make_curves(1)[0], 0.5)}, LONG, True),
        "history": trial_figures.draw_history(histories, "average precision", LONG, True),
        "confusion": trial_figures.draw_confusion(Confusion(1, 10**7, 10**6, 10**8), LONG, True),
        "example": trial_figures.draw_example(LONG, SCENE, SCENE, SCENE, 0.5, True),
        "reliability": comparison.draw_reliability(
            {n: (np.ones(2), np.ones(2), np.ones(2)) for n in models}, LONG, True, NETWORKS
        ),
        "cost": comparison.draw_cost(
            [(n, 5.0 + k, 0.5, 0.1, 0.6) for k, n in enumerate(models)],
            "ms per test tile",
            "AP",
            LONG,
            True,
        ),
        "intervals": comparison.draw_intervals(
            [(n, 0.5, 0.1, 0.6, [0.5]) for n in models], "test average precision", LONG, True
        ),
        "forest": draw_forest([row], 0.02, "difference in AP", LONG, True),
        "heat map": draw_heat_map(scores, ["s1", "VV"], "s1", LONG, True),
    }


@pytest.fixture(scope="module")
def long() -> dict[str, Figure]:
    return draw_long(MODELS)


def test_no_title_or_label_is_cut(long: dict[str, Figure]) -> None:
    assert {kind: cut for kind, figure in long.items() if (cut := list_cut_texts(figure))} == {}
    titles = {figure.get_suptitle().replace("\n", " ") for figure in long.values()}
    assert titles == {f"{LONG} (synthetic data)"}


def test_a_title_that_does_not_fit_is_found() -> None:
    figure = Figure(figsize=(3, 2))
    figure.suptitle(LONG)
    assert list_cut_texts(figure) == [LONG]


def test_figures_of_many_models_cut_no_label() -> None:
    drawn = draw_all(MODELS).items()
    assert {kind: cut for kind, figure in drawn if (cut := list_cut_texts(figure))} == {}


def to_grey(colour: str) -> float:
    """Return the luma (ITU-R BT.601) of a colour, as a grey print shows it."""
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_hits_false_alarms_and_misses_differ_in_grey_from_each_other_and_from_the_image() -> None:
    greys = sorted([*map(to_grey, (HIT, FALSE_ALARM, MISS)), *BEHIND])
    assert greys[1:3] == sorted(BEHIND)
    steps = np.diff(greys)
    assert min(steps[0], steps[2], steps[3]) > 0.15


def test_an_example_colours_each_error_and_names_it_in_a_legend() -> None:
    label, found = np.zeros((4, 4)), np.zeros((4, 4))
    label[0, :2] = found[0, 1:3] = 1
    figure = trial_figures.draw_example(
        "hokkaido_1: F1 0.500", np.zeros((4, 4)), label, found, 0.5, False
    )
    errors = np.asarray(figure.axes[3].images[0].get_array())
    assert [tuple(pixel) for pixel in errors[0, :3]] == [*map(to_rgb, (MISS, HIT, FALSE_ALARM))]
    assert errors[1, 1] == pytest.approx(sum(BEHIND) / 2)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "hit",
        "false alarm",
        "miss",
    ]
    assert figure.get_suptitle() == "hokkaido_1: F1 0.500"


def test_seeds_of_a_history_differ_without_their_colours(long: dict[str, Figure]) -> None:
    axes = long["history"].axes[0]
    looks = {(line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == len(axes.lines) == 10
