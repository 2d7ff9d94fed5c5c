"""Rows of the tables say what a model reads, and rows of equal inputs stand together."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tuning.report.fairness import (
    describe_input,
    describe_unequal_input,
    describe_versions,
    group_by_input,
    make_reads_columns,
)
from tuning.report.terminal import format_ranking

PARAMS = {"channels": "['s1asc:VV', 's1dsc:VV']", "steps": "even", "timesteps": "4"}


def model_of(key: str, **params: str) -> Any:
    run = SimpleNamespace(data=SimpleNamespace(params=PARAMS | params))
    is_baseline = key != "unet"
    return SimpleNamespace(
        key=key, title=key.upper(), is_baseline=is_baseline, chosen=SimpleNamespace(run=run)
    )


def table_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["model", "reads_channels", "reads_dates"])


def test_trials_of_a_search_per_fold_are_counted_by_fold() -> None:
    searches = pd.DataFrame({"model": ["unet"] * 6, "split": ["a", "b"] * 3})
    models = [model_of("unet"), model_of("cusum", search_trials="9", context_px="3")]
    columns = make_reads_columns(models, searches)
    read = {"reads_channels": "s1asc:VV s1dsc:VV", "reads_dates": "4 even"}
    assert columns["UNET"] == read | {"reads_context": "whole tile", "search_trials": 3}
    assert columns["CUSUM"] == read | {"reads_context": "3 px", "search_trials": 9}
    old = make_reads_columns([models[0], model_of("cusum")], pd.DataFrame())
    assert old["UNET"]["search_trials"] is None
    assert old["CUSUM"]["reads_context"] == ""


def test_a_param_that_no_trial_logs_is_refused() -> None:
    with pytest.raises(ValueError, match="choice of steps"):
        make_reads_columns([model_of("unet", steps="odd")], pd.DataFrame())


def test_rows_that_read_the_same_stand_together_after_the_best() -> None:
    table = table_of(
        ("A", "s1asc:VV", "4 even"), ("B", "DEM", "4 even"), ("C", "s1asc:VV", "4 even")
    )
    found = [(heading, rows["model"].tolist()) for heading, rows in group_by_input(table)]
    assert found == [
        ("Reads s1asc:VV; acquisitions: 4 even", ["A", "C"]),
        ("Reads DEM; acquisitions: 4 even", ["B"]),
    ]
    assert describe_input("a b c d e f g", "15 all") == "Reads 7 channels; acquisitions: 15 all"


def test_compared_models_of_other_dates_are_named() -> None:
    table = table_of(("A", "x", "4 even"), ("B", "x", "15 all"), ("C", "x", "15 all"))
    assert describe_unequal_input(table, ["B", "C"]) == ""
    text = describe_unequal_input(table, ["A", "B"])
    assert text.endswith("same acquisitions (B: 15 all; A: 4 even).")


def test_runs_of_different_code_or_packages_are_named() -> None:
    def run(seed: int, code: str, torch: str = "2.13", commit: str = "abc") -> Any:
        tags = {"env.code": code, "git_commit": commit, "env.packages.torch": torch}
        return SimpleNamespace(seed=seed, run=SimpleNamespace(data=SimpleNamespace(tags=tags)))

    def model(title: str, *runs: Any) -> Any:
        return SimpleNamespace(title=title, runs=runs)

    assert describe_versions([model("U", run(1, "x"), run(2, "x")), model("V", run(1, "x"))]) == ""
    text = describe_versions([model("U", run(1, "x"), run(2, "y", commit="d\x1b[31m"))])
    assert text == (
        "The runs were made by different code (commit abc, code x: U seed 1; commit d??31m, code y: U seed 2)."
    )
    text = describe_versions([model("U", run(1, "x"), run(2, "x", torch="2.14"))])
    assert text == "The runs were made with different packages (torch 2.13 and 2.14)."
    old = SimpleNamespace(data=SimpleNamespace(tags={"git_commit": "abc"}))
    older = SimpleNamespace(data=SimpleNamespace(tags={}))
    runs = [SimpleNamespace(seed=1, run=old), SimpleNamespace(seed=2, run=older)]
    assert "commit abc: U seed 1; commit unknown: U seed 2" in describe_versions(
        [model("U", *runs)]
    )


def test_the_terminal_shows_places_and_inputs_within_80_columns() -> None:
    row = {"rank": "1 to 4", "model": "UNet", "pr_auc_mean": 0.5, "pr_auc_std": 0.01, "seeds": 3}
    row |= {"pr_auc_low": 0.4, "pr_auc_high": 0.6, "f1_dice_mean": 0.6, "f1_dice_std": 0.02}
    row |= {"val_pr_auc_mean": 0.45, "reads_channels": "a b", "reads_dates": "4 even"}
    rows = pd.DataFrame(
        [row | {"search_trials": 4}, row | {"rank": "10 to 11", "search_trials": pd.NA}]
    )
    head, first, second, legend = format_ranking(rows).splitlines()
    assert first.split()[:4] == ["1", "to", "4", "UNet"]
    assert first.endswith("0.500 ± 0.010    0.400 to 0.600  2 ch, 4 even")
    assert second.split()[:4] == ["10", "to", "11", "UNet"]
    assert len(head) < len(first) == len(second) <= 80
    assert "exploratory" in legend
