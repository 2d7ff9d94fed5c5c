"""The section, figures and CSV rows of scores over days after the event."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.replays import make_result
from tuning.days.figure import draw_days, draw_days_details, list_arrivals
from tuning.days.result import DaysToPlateau, pick_shown
from tuning.days.section import build_days_section, describe_days, list_days_rows
from tuning.page.html import Image, Page, Table, Text, write_page

DAYS = (0, 3, 5, 9)
RESULTS = [
    make_result("VanillaUNet", (0.05, 0.3, 0.5, 0.55), DAYS),
    make_result("UTAE", (0.05, 0.3, 0.4, 0.6), DAYS),
    *(
        make_result(f"Baseline{k}", (0.05, 0.2, 0.3, 0.3 + k / 100), DAYS, network=False)
        for k in range(5)
    ),
]


def test_the_section_says_shows_and_tabulates_the_days(tmp_path: Path) -> None:
    section = build_days_section(RESULTS, tmp_path, synthetic=True)
    text = section.blocks[0]
    assert isinstance(text, Text)
    assert text.text.startswith(
        "The first acquisitions after the event are ascending on day 3 and descending on day 5. UTAE reaches 90% of its average "
        "precision with all acquisitions (0.600) after 9 days. VanillaUNet reaches"
    )
    images = [block for block in section.blocks if isinstance(block, Image)]
    assert [image.path.name for image in images] == ["days.png", "days_details.png"]
    plateau, by_day, sizes = (block for block in section.blocks if isinstance(block, Table))
    assert [row[0] for row in plateau.rows][:3] == ["UTAE", "VanillaUNet", "Baseline4"]
    assert plateau.rows[0][1] == "9 days"
    assert by_day.columns[:3] == ["day", "ascending", "descending"]
    assert [row[0] for row in by_day.rows] == [str(day) for day in DAYS]
    assert by_day.rows[1][1:4] == ["1", "0", 0.3]
    assert len(sizes.columns) == 9
    write_page(Page("Days", True, ["."], [], [section]), tmp_path / "page.html")


def test_figures_show_all_networks_the_best_baselines_and_that_data_are_synthetic() -> None:
    shown = pick_shown(RESULTS)
    assert [one.label for one in shown] == [
        "UTAE",
        "VanillaUNet",
        "Baseline4",
        "Baseline3",
        "Baseline2",
    ]
    for draw in (draw_days, draw_days_details):
        figure = draw(shown, "Days", True)
        assert "(synthetic data)" in figure.get_suptitle()
        assert [text.get_text() for text in figure.legends[0].get_texts()] == [
            one.label for one in shown
        ]
        assert draw(shown, "Days", False).get_suptitle() == "Days"


def test_a_line_is_a_step_until_the_next_acquisition() -> None:
    axes = draw_days(RESULTS[:1], "Days", False).axes[0]
    line = axes.get_lines()[0]
    assert line.get_drawstyle() == "steps-post"
    assert list(line.get_xdata())[:4] == list(DAYS)
    assert list(line.get_ydata()) == pytest.approx([0.05, 0.3, 0.5, 0.55, 0.55])


def test_a_long_calendar_keeps_its_first_days_apart() -> None:
    long = make_result("UTAE", (0.05, 0.3, 0.4, 0.6), (0, 3, 30, 300))
    axes = draw_days([long], "Days", False).axes[0]
    first, second, third = (axes.transData.transform((day, 0.1))[0] for day in (0, 3, 30))
    assert second - first > 0.3 * (third - second)


def test_the_interval_of_the_days_stands_beside_its_row() -> None:
    one = make_result("UTAE", (0.05, 0.3, 0.4, 0.6), DAYS, to_plateau=DaysToPlateau(9, 5, 9))
    middle = draw_days([one], "Days", False).axes[1]
    assert [text.get_text() for text in middle.texts] == ["9 d (5 to 9)"]
    assert str(DaysToPlateau(1, np.nan, np.nan)) == "1 day"


def test_no_model_and_equal_labels_are_refused() -> None:
    for draw in (draw_days, draw_days_details):
        with pytest.raises(ValueError, match="must have a model, but 'Days' got none"):
            draw([], "Days", False)
        with pytest.raises(ValueError, match="its own name, but 'Days' got 'UTAE' twice"):
            draw([RESULTS[1], RESULTS[1]], "Days", False)


def test_campaigns_with_calendars_of_their_own_share_a_figure(tmp_path: Path) -> None:
    other = make_result("events · UTAE", (0.05, 0.2, 0.5), (0, 7, 11))
    section = build_days_section([RESULTS[1], other], tmp_path, synthetic=False)
    by_day = [block for block in section.blocks if isinstance(block, Table)][1]
    assert [row[0] for row in by_day.rows] == ["0", "3", "5", "7", "9", "11"]
    of_day_7 = by_day.rows[3]
    assert of_day_7[1:] == ["1", "0 to 1", 0.4, 0.2]
    days, shares = list_arrivals([RESULTS[1], other])["s1asc"]
    assert days.tolist() == [3, 7, 9]
    assert shares.tolist() == [1, 1, 1]


def test_each_model_and_day_has_a_row_with_every_score() -> None:
    rows = list_days_rows(RESULTS[:2])
    assert len(rows) == 8
    last = rows[3]
    assert (last["model"], last["day"], last["ap_mean"]) == ("VanillaUNet", 9, 0.55)
    assert last["recall/from 2.88 ha_mean"] == pytest.approx(0.275)
    assert (last["acquisitions_s1asc"], last["acquisitions_s1dsc"]) == (2, 1)
    assert last["days_to_plateau"] == 5


def test_sentences_without_any_acquisition_name_none() -> None:
    none = make_result("UTAE", (0.4,), (0,), acquisitions={"s1asc": np.zeros(1)})
    assert next(describe_days([none])).startswith("UTAE has 90% of its average precision")
