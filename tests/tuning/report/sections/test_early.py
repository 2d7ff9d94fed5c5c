"""The table's columns and the page's section on maps soon after the event."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from tuning.page.html import Table, Text
from tuning.report.sections.early import build_early_section
from tuning.report.sums.early import make_early_columns


def make_model(*recalls: float, measured: bool = True) -> Any:
    runs = [make_run(recall if measured else None) for recall in recalls]
    return SimpleNamespace(runs=runs, chosen=runs[0])


def make_run(recall: float | None) -> Any:
    names = ("val_pr_auc", "pr_auc", "precision", "recall", "alarms_per_km2")
    metrics = {
        f"early/{score}_after_{after}": (recall or 0.0) * (1 if after == 1 else 2)
        for score in names
        for after in (1, "all")
    }
    return SimpleNamespace(metric=lambda name: np.nan if recall is None else metrics[name])


def test_columns_are_means_over_runs_and_val_is_of_the_chosen_one() -> None:
    columns = make_early_columns(make_model(0.2, 0.4))
    assert columns["early_val_pr_auc"] == 0.2
    assert np.isclose(columns["early_recall"], 0.3)
    assert np.isclose(columns["late_recall"], 0.6)
    assert all(map(np.isnan, make_early_columns(make_model(0.2, measured=False)).values()))


def test_section_sets_one_acquisition_beside_all_and_leaves_out_what_was_not_measured() -> None:
    rows = [
        {"model": name, **make_early_columns(model)}
        for name, model in (
            ("Net", make_model(0.2, 0.4)),
            ("LogRatio", make_model(0.2, measured=False)),
        )
    ]
    section = build_early_section(pd.DataFrame(rows))
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[0] for row in table.rows] == ["Net"]
    assert table.rows[0][-1] == "50%"
    assert table.rows[0][-3:-1] == ["0.30", "0.60"]
    (text,) = build_early_section(pd.DataFrame(rows[1:])).blocks
    assert isinstance(text, Text)
    assert "Not measured" in str(text)
