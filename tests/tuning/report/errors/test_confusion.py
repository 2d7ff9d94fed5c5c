"""Confusion matrices: shares of each label's pixels, mean over seeds, sum over folds."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.fold_results import make_layers, make_model
from tuning.page.html import Folded, Image, Table
from tuning.report.errors.confusion import (
    average_counts,
    build_confusion_section,
    draw_matrices,
    make_matrix,
)
from tuning.report.ranking import rank_models

PIXELS = 2 * 3 * 128 * 128  # two folds of three tiles


def test_counts_are_means_over_seeds_of_all_folds() -> None:
    model = make_model(make_layers(2), {0: 1.0, 1: 0.9}, (42, 123))
    counts = average_counts(model)
    assert counts.sum() == PIXELS
    each = [sum(run.at_val.sum(axis=0) for run in runs) for runs in model.by_seed]
    assert counts == pytest.approx(np.mean(each, axis=0))


def test_each_row_of_a_matrix_adds_to_one() -> None:
    # 3 of 4 landslide pixels found; 2 of 8 background pixels called landslide
    matrix = make_matrix(np.array([3.0, 2.0, 1.0, 6.0]))
    assert matrix.tolist() == [[0.75, 0.25], [0.25, 0.75]]


def test_a_label_without_pixels_has_no_shares() -> None:
    matrix = make_matrix(np.array([0.0, 2.0, 0.0, 6.0]))
    assert matrix[0].tolist() == [0.75, 0.25]
    assert np.isnan(matrix[1]).all()


def test_the_section_shows_one_figure_and_all_areas(tmp_path: Path) -> None:
    layers = make_layers(2)
    ranking = rank_models([make_model(layers, {0: 1.0, 1: 0.9}, (42, 123))], layers)
    file = draw_matrices(ranking, tmp_path, synthetic=True)
    image, folded = build_confusion_section(ranking.models, file).blocks
    assert isinstance(image, Image)
    assert image.path.stat().st_size > 3000
    assert isinstance(folded, Folded)
    (table,) = folded.blocks
    assert isinstance(table, Table)
    areas = [float(cell.replace(",", "")) for cell in table.cells[0][1:5]]
    assert sum(areas) == pytest.approx(PIXELS * 1e-4, abs=0.02)
    assert table.cells[0][-1] == "0.450 to 0.500"  # the threshold of each fold
