"""Tests of `tuning.plots.effects`."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from tuning.plots.effects import ForestRow, draw_forest, draw_heat_map
from tuning.plots.trial_figures import COLOURS

ROW = ForestRow("channels=VV", "U-Net", -0.05, -0.08, -0.02, -0.075, -0.025, "worse", decided=True)
ROWS = [
    ROW,
    replace(
        ROW,
        name="log-ratio",
        estimate=0.01,
        low=-0.02,
        high=0.04,
        verdict="undecided",
        decided=False,
    ),
    replace(ROW, group="channels=VH"),
]
SCORES = {"U-TAE": {"s1": 0.6, "VV": 0.5}, "U-Net": {"s1": 0.5, "VV": 0.55, "VH": 0.2}}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_each_row_has_its_number_and_verdict_and_each_level_a_heading_once() -> None:
    figure = draw_forest(ROWS, 0.02, "difference in AP", "Effects", True, ["U-Net"])
    assert [text.strip() for text in texts(figure)] == [
        "\N{MINUS SIGN}0.050  worse",
        "+0.010  undecided",
        "\N{MINUS SIGN}0.050  worse",
        "channels=VV",
        "channels=VH",
    ]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["U-Net", "log-ratio", "U-Net"]
    assert "synthetic data" in figure.get_suptitle()
    assert "± 0.02" in figure.axes[0].get_xlabel()


def test_a_shown_difference_has_a_filled_marker_and_the_margin_is_a_band() -> None:
    axes = draw_forest(ROWS, 0.02, "difference", "Effects", False, ["U-Net"]).axes[0]
    faces = [
        line.get_markerfacecolor() for line in axes.lines if line.get_marker() not in ("", "None")
    ]
    assert faces == [COLOURS[0], "white", COLOURS[0]]
    left, right = (bound(axes.patches[0].get_path().vertices[:, 0]) for bound in (min, max))
    assert (axes.patches[0].get_x(), axes.patches[0].get_width()) == pytest.approx((-0.02, 0.04))
    assert left < right


def test_rows_never_overlap_and_headings_have_room() -> None:
    axes = draw_forest(ROWS, 0.02, "difference", "Effects", False).axes[0]
    places = axes.get_yticks()
    assert places[1] - places[0] == 1
    assert places[2] - places[1] > 2


def test_an_interval_that_runs_backwards_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"from low to high, but 'channels=VV, U-Net' has 1 to -0\.02"
    ):
        draw_forest([replace(ROW, low=1.0)], 0.02, "difference", "Effects", False)
    with pytest.raises(ValueError, match="must have a model, but 'Effects' got none"):
        draw_forest([], 0.02, "difference", "Effects", False)


def test_changes_of_place_are_marked_and_missing_cells_named() -> None:
    figure = draw_heat_map(SCORES, ["s1", "VV", "VH"], "s1", "Networks by channels", True)
    up, down = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"
    assert [text for text in texts(figure) if not text.startswith("0.")] == [
        *("place 1", f"place 2 {down}", "missing"),
        *("place 2", f"place 1 {up}", f"place 1 {up}"),
    ]
    assert [text for text in texts(figure) if text.startswith("0.")] == [
        *(
            "0.600",
            "0.500  \N{MINUS SIGN}0.100",
            "0.500",
            "0.550  +0.050",
            "0.200  \N{MINUS SIGN}0.300",
        )
    ]


def test_a_map_without_models_or_reference_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"needs a model and its reference .* but got \[\] and 's1'"
    ):
        draw_heat_map({}, ["s1"], "s1", "Networks", False)
    with pytest.raises(ValueError, match=r"got \['U-TAE', 'U-Net'\] and 's2' of \['s1'\]"):
        draw_heat_map(SCORES, ["s1"], "s2", "Networks", False)
