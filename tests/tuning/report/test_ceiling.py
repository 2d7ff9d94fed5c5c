"""Where the true ground is known, the ceiling of the labels stands beside every score."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.page.html import Table
from tuning.report.ceiling import (
    CEILING_FILE,
    PERFECT,
    build_ceiling_section,
    make_ceiling_rows,
    score_perfect_mapper,
    write_ceiling,
)
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.report.sums.truth import make_truth_columns


@pytest.fixture(scope="module")
def layers() -> ReferenceLayers:
    """Labels that are shifted by 2 px and lack one landslide of the true ground."""
    truth = draw_landslides(np.random.default_rng(5))
    mask = np.roll(truth, 2, axis=2)
    mask[0, :40] = 0
    return make_layers(mask, truth=truth)


def make_table(model: ModelResult) -> pd.DataFrame:
    scores = {"pr_auc_mean": 0.4, "f1_dice_mean": 0.5, "iou_mean": 0.3, "object_f1": 0.2}
    return pd.DataFrame([{"model": model.title, **scores, **make_truth_columns(model)}])


def test_a_perfect_mapper_scores_1_against_the_truth_and_less_against_labels(
    layers: ReferenceLayers,
) -> None:
    run = make_run(layers.truth > 0, layers, seed=0)
    assert make_truth_columns(make_model([run])) == {
        "pr_auc_truth": 1.0,
        "f1_dice_truth": 1.0,
        "iou_truth": 1.0,
    }
    perfect = score_perfect_mapper(layers, layers.tile_ids)
    both, either = (layers.mask & layers.truth).sum(), (layers.mask | layers.truth).sum()
    assert perfect["iou"] == pytest.approx(both / either)
    assert perfect["f1_dice"] == pytest.approx(2 * both / (layers.mask.sum() + layers.truth.sum()))
    precision, recall = both / layers.truth.sum(), both / layers.mask.sum()
    share = layers.mask.mean()
    assert perfect["pr_auc"] == pytest.approx(recall * precision + (1 - recall) * share)
    assert 0 < perfect["object_f1"] < 1


def test_a_map_of_the_labels_is_worse_than_the_ceiling_against_the_truth(
    layers: ReferenceLayers,
) -> None:
    columns = make_truth_columns(make_model([make_run(layers.mask > 0, layers, seed=0)]))
    assert columns["iou_truth"] == pytest.approx(
        score_perfect_mapper(layers, layers.tile_ids)["iou"]
    )


def test_scores_against_the_truth_are_means_over_seeds(layers: ReferenceLayers) -> None:
    found = np.stack([layers.truth, layers.mask, np.zeros_like(layers.mask)]) > 0
    runs = [make_run(maps, layers, seed) for seed, maps in enumerate(found)]
    columns = [make_truth_columns(make_model([run])) for run in runs]
    mean = np.mean([each["f1_dice_truth"] for each in columns])
    assert make_truth_columns(make_model(runs))["f1_dice_truth"] == pytest.approx(mean)
    assert columns[2]["f1_dice_truth"] == 0  # a seed that finds nothing counts


def test_the_table_begins_with_the_perfect_mapper(layers: ReferenceLayers, tmp_path: Path) -> None:
    model = make_model([make_run(layers.mask > 0, layers, seed=0)])
    write_ceiling([model], layers, make_table(model), tmp_path)
    rows = pd.read_csv(tmp_path / CEILING_FILE)
    assert rows["model"].tolist() == [PERFECT, model.title]
    assert rows["iou"].tolist() == pytest.approx(
        [score_perfect_mapper(layers, layers.tile_ids)["iou"], 0.3]
    )
    assert rows["iou_truth"][0] == 1
    section = build_ceiling_section(tmp_path)
    assert section is not None
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [PERFECT, model.title]


def test_without_a_known_ground_there_is_no_ceiling(
    layers: ReferenceLayers, tmp_path: Path
) -> None:
    real = make_layers(layers.mask)
    model = make_model([make_run(real.mask > 0, real, seed=0)])
    assert np.isnan(list(make_truth_columns(model).values())).all()
    assert make_ceiling_rows([model], real, make_table(model)) == []
    write_ceiling([model], real, make_table(model), tmp_path)
    assert build_ceiling_section(tmp_path) is None
