"""What a registered version of a cross-validation says about itself, and the page's section."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.fold_results import TILES, make_layers, make_model
from tuning.page.html import Table
from tuning.registry.model_card import CARD_TAGS, make_card, make_tags
from tuning.report.register_models import (
    Registered,
    build_models_section,
    describe_run,
    read_fold_hashes,
)
from tuning.report.tables import score_published, score_run

LAYERS = make_layers(2)
HASHES = {"blocks:2/1": "1" * 12, "blocks:2/2": "2" * 12}
CAMPAIGN = {"split": "blocks:2", "split_hash": "c" * 12, "val_pr_auc_mean": 0.9, "pr_auc_mean": 0.8}


def test_a_version_of_a_cross_validation_has_the_name_hash_and_scores_of_its_fold() -> None:
    model = make_model(LAYERS, {0: 1.0, 1: 0.5}, (42, 123))
    whole = score_published(model, model.by_seed[model.chosen_seed]) | CAMPAIGN
    row = describe_run(model, whole, HASHES)
    assert (row["split"], row["split_hash"]) == ("blocks:2/1", "1" * 12)
    assert model.chosen.seed == 123  # the better one on val
    assert row["f1_dice"] == score_run(model.chosen)["f1_dice"] != whole["f1_dice"]
    assert row["n_samples"] == TILES
    assert row["pr_auc_mean"] == 0.8  # the campaign's
    assert row["val_pr_auc_mean"] == pytest.approx(np.mean([0.5, 0.6]))


def test_a_version_without_folds_keeps_its_campaign_s_row() -> None:
    model = make_model(LAYERS, {0: 1.0}, (42,))
    assert describe_run(model, CAMPAIGN, {}) == CAMPAIGN


def test_card_names_the_fold_that_the_model_learnt_from() -> None:
    row = dict.fromkeys(CARD_TAGS, 0.5) | {"data": "synthetic", "folds": 5}
    row |= {"split": "blocks:5/1", "split_hash": "1" * 12, "weights_path": "", "seeds": 3}
    card = make_card("multi-unet", 1, make_tags(row, ["hokkaido", "noto"]))
    assert "Split blocks:5/1 (111111111111), the first of 5 folds, data" in card
    assert "average precision, mean over seeds (3) and 5 folds |" in card
    alone = make_card("multi-unet", 1, make_tags(row | {"folds": 1}, ["noto"]))
    assert "folds" not in alone


def test_hashes_of_folds_come_from_the_audit(tmp_path: Path) -> None:
    file = tmp_path / "splits.json"
    assert read_fold_hashes(file) == {}
    file.write_text(json.dumps({"splits": [{"name": "blocks:2/1", "hash": "1" * 12}]}))
    assert read_fold_hashes(file) == {"blocks:2/1": "1" * 12}
    file.write_text('{"splits": [3]}')
    with pytest.raises(
        ValueError, match=r"audit of splits must have the format of `data\.splits\.audit`"
    ):
        read_fold_hashes(file)


def test_page_has_each_version_with_its_aliases_or_the_reason_why_it_has_none() -> None:
    regions = ("hokkaido", "noto")
    first = Registered(
        "VanillaUNet",
        "multi-unet",
        2,
        regions,
        "blocks:5/1",
        ("best", "champion"),
        "",
        "passed: no change",
    )
    second = Registered(
        "AttentionUNet", "multi-attention-unet", 4, regions, "seed42", (), "Reason."
    )
    (table,) = build_models_section([first, second]).blocks
    assert isinstance(table, Table)
    assert table.cells == [
        [
            "VanillaUNet",
            "multi-unet version 2",
            "blocks:5/1",
            "hokkaido, noto",
            "best, champion",
            "passed: no change",
            "",
        ],
        [
            "AttentionUNet",
            "multi-attention-unet version 4",
            "seed42",
            "hokkaido, noto",
            "none",
            "not run",
            "Reason.",
        ],
    ]
    (text,) = build_models_section([]).blocks
    assert "no network to register" in text.text
