"""The page's section on the search: a row per network and searched fold, and what the search saw."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from data.splits import Split
from tuning.page.html import Table, Text
from tuning.report.context import ReportContext
from tuning.report.sections.runs import BEST_TRIALS, build_search_section
from tuning.search.scope import SCOPE_TAG, make_scope

FOLDS = [
    Split("blocks:2/1", ("hokkaido_1",), ("hokkaido_2",), ("hokkaido_3", "hokkaido_4")),
    Split("blocks:2/2", ("hokkaido_3",), ("hokkaido_4",), ("hokkaido_1", "hokkaido_2")),
]


def make_context(mode: str, repeat_seeds: tuple[int, ...] = (42, 123)) -> ReportContext:
    scope = make_scope(FOLDS, mode)
    rows = [
        {
            "model": "unet",
            "split": fold,
            "seed": "1968",
            "number": str(number),
            "ended_by": "last epoch",
        }
        | {"epochs": 2.0, "val_pr_auc": 0.3 + 0.01 * number, "param/lr": "1e-3"}
        for fold in scope.searched
        for number in range(1, 13)
    ]
    values: dict[str, Any] = dict.fromkeys(ReportContext.__dataclass_fields__)
    values["searches"] = pd.DataFrame(rows)
    info, tags = SimpleNamespace(run_id="1"), {SCOPE_TAG: scope.to_tag()}
    values["campaign"] = SimpleNamespace(info=info, data=SimpleNamespace(tags=tags))
    models = (SimpleNamespace(is_baseline=False, seeds=repeat_seeds),)
    values["ranking"] = SimpleNamespace(models=models)
    return ReportContext(**values)


def read(context: ReportContext) -> tuple[str, Table, Table]:
    text, searches, trials = build_search_section(context).blocks
    assert isinstance(text, Text)
    assert isinstance(searches, Table)
    assert isinstance(trials, Table)
    return text.text, searches, trials


def test_every_searched_fold_has_its_row_and_its_best_trials() -> None:
    text, searches, trials = read(make_context("per-fold"))
    assert "on each of the 2 folds, on its own train and val tiles alone" in text
    assert [row[:3] for row in searches.cells] == [
        ["VanillaUNet", fold.name, "12"] for fold in FOLDS
    ]
    assert len(trials.cells) == BEST_TRIALS
    assert [row[1] for row in trials.cells].count("blocks:2/2") == BEST_TRIALS // 2
    assert trials.cells[0][0] == "VanillaUNet #12"


def test_one_search_is_said_to_have_seen_the_other_fold_s_test_tiles() -> None:
    text, searches, _ = read(make_context("once"))
    assert "of 4 test tiles, 1 were its val and 1 its train" in text
    assert [row[1] for row in searches.cells] == ["blocks:2/1"]


@pytest.mark.parametrize(
    ("seeds", "words"),
    [((42, 123), "which no repeat uses"), ((1968, 42), "which is also a repeat's")],
)
def test_the_search_s_seed_is_named_beside_the_repeats(seeds: tuple[int, ...], words: str) -> None:
    assert f"Its trials have the seed 1968, {words}." in read(make_context("once", seeds))[0]
