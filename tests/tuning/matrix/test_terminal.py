"""Tests of what a reported matrix prints."""

from math import nan

import pandas as pd

from tuning.matrix.terminal import format_cells


def test_each_cell_and_model_has_a_line_and_what_is_missing_is_named() -> None:
    rows = [
        ("channels=s1", "VanillaUNet", 0.6213, 0.002, 0.55, 0.69, 3),
        ("channels=VV", "LogRatioVV", 0.5, nan, nan, nan, 1),
        ("channels=VH", "VanillaUNet", nan, nan, nan, nan, 0),
    ]
    names = ["cell", "model", "pr_auc_mean", "pr_auc_std", "pr_auc_low", "pr_auc_high", "seeds"]
    head, *lines = format_cells(pd.DataFrame(rows, columns=names)).splitlines()
    assert [line.split() for line in lines] == [
        ["channels=s1", "VanillaUNet", "0.621", "±", "0.002", "0.550", "to", "0.690", "3"],
        ["channels=VV", "LogRatioVV", "0.500", "1"],
        ["channels=VH", "VanillaUNet", "missing"],
    ]
    assert head.split() == ["cell", "model", "test", "AP", "95", "%", "interval", "seeds"]
    assert max(map(len, lines)) < 100
