"""Facts of a small campaign on the synthetic twin, for tests of what a paper takes from its report."""

from dataclasses import replace
from typing import Any

import pandas as pd

from tuning.report.paper.facts import CampaignFacts

FACTS = CampaignFacts(
    campaign="first",
    run_id="0" * 32,
    synthetic=True,
    regions=("hokkaido",),
    events={"hokkaido": "2018-09-05T18:08:00"},
    split="blocks",
    split_hash="1e2d3c4b5a69",
    data_hash="aabbccddeeff",
    git_commit="c" * 40,
    preset="quick",
    channels="s1asc:VV s1dsc:VV",
    acquisitions="4 event",
    training="usual",
    code_hash="123456789abc",
    version="0.1.0",
    year=2026,
    test_tiles=79,
    landslide_km2=8.5,
    blocks=24,
    block_tiles=3,
    folds=1,
    seeds=3,
)


def make_facts(**changes: Any) -> CampaignFacts:
    """Return the facts with some of them changed."""
    return replace(FACTS, **changes)


def make_table(**changes: Any) -> pd.DataFrame:
    """Return a table of two models as in ``benchmark_master.csv``: a network that is compared, and a baseline that is not."""
    row: dict[str, Any] = {
        "model": "VanillaUNet",
        "architecture": "unet",
        "family": "primary",
        "seeds": 3,
        "pr_auc_low": 0.5521,
        "pr_auc_high": 0.6889,
    }
    row |= {
        "pr_auc_mean": 0.6211,
        "pr_auc_std": 0.0021,
        "f1_dice_mean": 0.637,
        "f1_dice_std": 0.003,
    }
    row |= {"iou_mean": 0.4684, "iou_std": 0.003}
    nan = float("nan")
    other = {"model": "LogRatioVV", "architecture": "log_ratio_vv", "family": "exploratory"}
    other |= {"seeds": 1, "pr_auc_std": nan, "f1_dice_std": nan, "iou_std": nan, "pr_auc_low": nan}
    return pd.DataFrame([row | changes, row | other])
