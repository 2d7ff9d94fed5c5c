"""The section on hyperparameters: values, ranges, edges, importance or why there is none, budgets."""

from types import SimpleNamespace
from typing import Any

import pandas as pd

from tuning.baselines.tune import Tried
from tuning.page.html import Folded, Section, Table, Text
from tuning.report.study.hyperparameters import build_hyperparameters_section
from tuning.report.study.importance import Importance
from tuning.report.study.ranges import Chosen
from tuning.report.study.records import StudyRecords
from tuning.report.study.searches import SearchRecord, count_ends, list_searches, make_csv_rows

CAMPAIGN = {"preset": "quick"}
CHOSEN = (
    Chosen("lr", "0.01", "5e-4 to 0.01, logarithmic", "highest", True),
    Chosen("pos_weight", "2", "1, 2, 5", "", True),
    Chosen("arch.width", "8", "fixed at 8", "", True),
)
COUNTS = {"finished": 2, "stopped": 1, "failed": 1, "other": 0}


def make_model(key: str, title: str, params: dict[str, str], *, baseline: bool = False) -> Any:
    run = SimpleNamespace(run=SimpleNamespace(data=SimpleNamespace(params=params)))
    return SimpleNamespace(key=key, title=title, is_baseline=baseline, by_seed=[[run]])


def make_trials(count: int, model: str = "unet") -> pd.DataFrame:
    rows = [
        {"model": model, "split": "blocks", "ended_by": "last epoch", "val_pr_auc": 0.4}
        | {"param/lr": "0.003", "param/seed": "1968"}
        for _ in range(count)
    ]
    return pd.DataFrame(rows)


def read_tables(section: Section) -> list[Table]:
    found = []
    for block in section.blocks:
        found += (
            [one for one in block.blocks if isinstance(one, Table)]
            if isinstance(block, Folded)
            else []
        )
        found += [block] if isinstance(block, Table) else []
    return found


def read_words(section: Section) -> str:
    texts = [block.text for block in section.blocks if isinstance(block, Text)]
    inside = [b for block in section.blocks if isinstance(block, Folded) for b in block.blocks]
    return " ".join([*texts, *(block.text for block in inside if isinstance(block, Text))])


def test_a_network_s_values_stand_beside_its_ranges_and_edges() -> None:
    record = SearchRecord("VanillaUNet", False, CHOSEN, {}, Importance(3), COUNTS)
    section = build_hyperparameters_section([record])
    chosen, budget = read_tables(section)
    assert chosen.cells == [
        ["VanillaUNet: 4 trials"],
        ["lr", "0.01", "5e-4 to 0.01, logarithmic", "highest"],
        ["pos_weight", "2", "1, 2, 5", "–"],  # noqa: RUF001
        ["others", "arch.width 8", "fixed in this campaign", "–"],  # noqa: RUF001
    ]
    assert budget.cells == [["VanillaUNet", "4", "2", "1", "1", "0"]]
    assert "No importance is shown for VanillaUNet: it takes 20 trials" in read_words(section)
    assert "the best 25 % are five, and there are 3." in read_words(section)


def test_importance_orders_the_values_that_were_varied() -> None:
    rated = Importance(40, {"pos_weight": 0.9, "lr": 0.1}, {"pos_weight": 0.025, "lr": 0.6})
    record = SearchRecord("VanillaUNet", False, CHOSEN, {}, rated, COUNTS)
    section = build_hyperparameters_section([record])
    rows = read_tables(section)[0].cells[1:]
    assert [row[0] for row in rows] == ["pos_weight", "lr", "others"]
    assert rows[0][-2:] == ["0.900", "0.025"]
    assert "No importance" not in read_words(section)
    assert make_csv_rows([record])[0]["importance_by_chance"] == 0.6


def test_a_network_whose_code_is_not_here_shows_its_values_without_ranges() -> None:
    model = make_model("gone_net", "GoneNet", {"lr": "0.003", "arch.width": "12", "seed": "42"})
    (record,) = list_searches([model], CAMPAIGN, make_trials(2, "gone_net"), StudyRecords())
    assert record.unranged == {"arch.width": "12"}
    rows = read_tables(build_hyperparameters_section([record]))[0].cells
    assert rows[1][:3] == ["arch.width", "12", "unknown: its search space is not in this code"]


def test_a_value_beyond_today_s_range_shows_what_was_tried() -> None:
    model = make_model("unet", "VanillaUNet", {"lr": "0.9"})
    trials = make_trials(2)
    trials["param/lr"] = ["0.9", "0.003"]
    (record,) = list_searches([model], CAMPAIGN, trials, StudyRecords())
    assert record.chosen[0].searched == "another range than now; tried: 0.9, 3e-3"


def test_a_campaign_without_search_trials_has_values_and_no_trials() -> None:
    model = make_model("unet", "VanillaUNet", {"lr": "0.003", "weight_decay": "0.01"})
    (record,) = list_searches([model], CAMPAIGN, pd.DataFrame(), StudyRecords())
    assert (record.trials, [one.name for one in record.chosen]) == (0, ["lr", "weight_decay"])
    section = build_hyperparameters_section([record])
    assert "and there are none." in read_words(section)


def test_a_baseline_s_values_are_folded_and_one_without_values_is_named() -> None:
    change = make_model("log_ratio_vv", "LogRatioVV", {"params.window_px": "3"}, baseline=True)
    foreign = make_model("foreign_other", "Other", {}, baseline=True)
    records = StudyRecords(tried={"LogRatioVV": [Tried({"window_px": 3}, 0.3)]})
    first, second = list_searches([change, foreign], CAMPAIGN, pd.DataFrame(), records)
    assert first.chosen[0].name == "window_px"
    assert first.trials == 1
    section = build_hyperparameters_section([first, second])
    (folded,) = [block for block in section.blocks if isinstance(block, Folded)]
    assert "Chosen values of the baselines (1)" in folded.summary
    assert "Without searched values: Other." in read_words(section)


def test_trials_are_counted_by_how_they_ended() -> None:
    ends = ["last epoch", "patience", "scheduler", "error", "kill", None]
    counts = count_ends(pd.DataFrame({"ended_by": ends}))
    assert counts == {"finished": 2, "stopped": 1, "failed": 1, "other": 2}
