"""What the result covers, and what it does not."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.campaign_facts import FACTS, make_facts
from tuning.page.html import Table
from tuning.report.paper.scope import build_scope_section, describe_left_out, describe_touching
from tuning.report.study.importance import Importance
from tuning.report.study.ranges import Chosen
from tuning.report.study.records import VAL_AP, History
from tuning.report.study.searches import SearchRecord

RANKING: Any = SimpleNamespace(estimand="area", primary=None)
COUNTS = {"finished": 4, "stopped": 0, "failed": 0, "other": 0}


def make_search(trials: int = 4, edge: str = "highest") -> SearchRecord:
    chosen = (Chosen("lr", "0.01", "5e-4 to 0.01, logarithmic", edge, True),)
    counts = COUNTS | {"finished": trials}
    return SearchRecord("VanillaUNet", False, chosen, {}, Importance(trials), counts)


def read(
    folder: Path, facts: Any = FACTS, ranking: Any = RANKING, search: Any = None, **more: Any
) -> dict[str, str]:
    histories = {"VanillaUNet": [History(42, {VAL_AP: (0.1, 0.2)})]}
    section = build_scope_section(
        facts, ranking, [search or make_search()], histories, folder, **more
    )
    (table,) = section.blocks
    assert isinstance(table, Table)
    return {row[0]: row[1] for row in table.cells if len(row) == 2}


def test_area_event_and_selection_are_named(tmp_path: Path) -> None:
    rows = read(tmp_path)
    assert "hokkaido (Eastern Iburi in Hokkaido in Japan, earthquake Mw 6.6)" in rows["area"]
    assert "79 test tiles, 129 km², of which 8.50 km² (6.6 %)" in rows["area"]
    assert rows["event"] == "hokkaido 2018-09-05T18:08:00 UTC"
    assert "reads test once" in rows["selection"]
    assert "no second test part" in rows["test"]


def test_synthetic_tiles_are_said_to_show_nothing_of_a_real_place(tmp_path: Path) -> None:
    assert read(tmp_path)["reality"].startswith("Any real place")
    (tmp_path / "benchmark_ceiling.csv").write_text(
        "model,f1_dice,iou\nperfect mapper,0.767,0.622\n"
    )
    assert "A perfect mapper of the true ground would have F1 0.767" in read(tmp_path)["labels"]


def test_the_labels_of_real_tiles_are_said_to_be_of_unknown_quality(tmp_path: Path) -> None:
    rows = read(tmp_path, make_facts(synthetic=False))
    assert "reality" not in rows
    assert rows["labels"].startswith("Not known for these tiles.")


@pytest.mark.parametrize(
    ("estimand", "words"),
    [
        ("area", "--split events new events"),
        ("event", "tests new ones"),
        ("events", "beyond these"),
    ],
)
def test_what_is_not_covered_depends_on_what_was_tested(
    tmp_path: Path, estimand: str, words: str
) -> None:
    ranking = SimpleNamespace(estimand=estimand, primary=None)
    assert words in read(tmp_path, ranking=ranking)["other events"]


def test_few_trials_edges_and_short_training_are_limits(tmp_path: Path) -> None:
    rows = read(tmp_path)
    assert rows["tuning"].startswith("4 search trials per network are few")
    assert rows["range"] == "At the edge of the searched range: lr of VanillaUNet (0.01, highest)."
    assert "VanillaUNet in 1 of 1 seeds" in rows["training length"]
    assert rows["seeds"].startswith("With 3 seeds")


def test_a_thorough_search_is_no_limit(tmp_path: Path) -> None:
    rows = read(tmp_path, make_facts(seeds=10), search=make_search(40, edge=""))
    assert not {"tuning", "range", "seeds"} & set(rows)


def test_a_campaign_without_a_search_says_so(tmp_path: Path) -> None:
    assert "No hyperparameter was searched" in read(tmp_path, search=make_search(0))["tuning"]


def test_missing_runs_come_first_among_the_limits(tmp_path: Path) -> None:
    rows = read(tmp_path, missing=("unet has 2 of 3 repeat runs.",))
    assert rows["missing runs"] == "unet has 2 of 3 repeat runs."


def test_tiles_left_out_are_counted(tmp_path: Path) -> None:
    assert "not known" in describe_left_out(tmp_path)
    (tmp_path / "excluded_tiles.json").write_text(json.dumps({"hokkaido_1": ["empty"]}))
    (tmp_path / "suspicious_tiles.json").write_text(json.dumps({}))
    (tmp_path / "splits.json").write_text(json.dumps({"splits": [{"missing": ["a", "b"]}]}))
    text = describe_left_out(tmp_path)
    assert (
        "unusable: 1. Used with a warning: 0. Listed by the split, but absent from the data: 2"
        in text
    )


def test_test_tiles_that_touch_train_are_counted(tmp_path: Path) -> None:
    assert describe_touching(tmp_path) == ""
    split = {"touching_train_by_edge_or_corner": {"test": ["a"]}, "parts": {"test": {"tiles": 29}}}
    (tmp_path / "splits.json").write_text(json.dumps({"splits": [split]}))
    assert describe_touching(tmp_path).startswith("1 of 29 test tiles touch a train tile")
    split["touching_train_by_edge_or_corner"] = {}
    (tmp_path / "splits.json").write_text(json.dumps({"splits": [split]}))
    assert describe_touching(tmp_path).startswith("No test tile touches")
