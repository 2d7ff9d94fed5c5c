"""Tests of `tuning.matrix.report.unequal`."""

from dataclasses import replace

import numpy as np

from tuning.matrix.report.unequal import describe_unequal
from tuning.matrix.results import MatrixResults


def test_cells_with_equal_seeds_need_no_word(results: MatrixResults) -> None:
    assert describe_unequal(results) == []


def test_a_cell_whose_seeds_differ_far_more_is_named(results: MatrixResults) -> None:
    level = results.at("train", "0.25")
    wide = np.array([0.1, 0.5, 0.9])
    models = tuple(
        replace(one, scores=replace(one.scores, pooled=wide), pr_auc=wide[:, None])
        if one.key == "utae"
        else one
        for one in level.models
    )
    cells = tuple(
        replace(level, models=models) if cell is level else cell for cell in results.cells
    )
    (sentence,) = describe_unequal(replace(results, cells=cells))
    assert sentence.startswith("Seeds of UTAE differ by another amount in some cells than at the")
    assert "): train=0.25 (0.400). They are pooled apart" in sentence
