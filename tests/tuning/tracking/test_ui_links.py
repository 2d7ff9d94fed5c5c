"""Links to MLflow's pages, descriptions, and metrics of curves."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from data.io.disk import format_bytes
from tuning.metrics.histogram import BINS, edges
from tuning.tracking.descriptions import MOST_CHARS, describe_campaign, describe_ranking
from tuning.tracking.payloads import (
    CampaignContext,
    make_best,
    make_epoch_metrics,
    make_reliability,
)
from tuning.tracking.ui_links import (
    LOCAL_UI,
    MAX_RUNS,
    compare_address,
    list_pages,
    overlay_address,
    run_address,
    ui_address,
    ui_command,
)
from tuning.trial.disk import measure_bytes
from tuning.trial.folder import VAL_AP


def query_of(address: str) -> dict[str, str]:
    """Return the query after a URL's fragment."""
    return {
        key: value[0] for key, value in parse_qs(urlsplit(address).fragment.split("?")[1]).items()
    }


def test_overlay_link_has_every_run_and_the_metric() -> None:
    asked = query_of(overlay_address(LOCAL_UI, "7", ["a", "b"], "pr/test_precision"))
    assert json.loads(asked["runs"]) == ["a", "b"]
    assert json.loads(asked["metric"]) == "pr/test_precision"
    assert json.loads(asked["plot_metric_keys"]) == ["pr/test_precision"]
    assert json.loads(asked["experiments"]) == ["7"]
    assert asked["x_axis"] == "step"


def test_links_stay_short_enough_for_a_browser() -> None:
    many = [f"{number:032x}" for number in range(3 * MAX_RUNS)]
    for address in (
        overlay_address(LOCAL_UI, "7", many, "m"),
        compare_address(LOCAL_UI, "7", many),
    ):
        assert json.loads(query_of(address)["runs"]) == many[:MAX_RUNS]
        assert len(address) < 8000


def test_links_point_to_the_server_if_there_is_one() -> None:
    assert ui_address("http://tracker:5000/") == "http://tracker:5000"
    assert ui_address("sqlite:////x/mlflow.db") == LOCAL_UI
    assert "ui --backend-store-uri sqlite:////x/mlflow.db" in ui_command("sqlite:////x/mlflow.db")
    assert "http://tracker:5000" in ui_command("http://tracker:5000")


def test_every_address_opens_the_pages_for_machine_learning() -> None:
    pages = list_pages(LOCAL_UI, "1", "c", ["a"], ["b"])
    assert len(pages) == 9
    for address in (*pages.values(), run_address(LOCAL_UI, "1", "a")):
        assert query_of(address)["workflowType"] == "machine_learning", address


def test_search_trials_have_a_link_if_there_are_any() -> None:
    assert "search trials compared" not in list_pages(LOCAL_UI, "1", "c", ["a"])
    assert "search trials compared" in list_pages(LOCAL_UI, "1", "c", ["a"], ["b"])


def test_reliability_is_the_share_of_landslides_at_each_percent() -> None:
    # 0.5 lies in the bin from 0.48 to 0.52, whose middle is 50 percent: 3 of 4 pixels are landslides
    counts = np.zeros((2, BINS), dtype=np.int64)
    at = int(np.searchsorted(edges(), 0.5))
    counts[1, at], counts[0, at], counts[0, 0] = 3, 1, 9
    found = {metric.step: metric.value for metric in make_reliability("r", counts)}
    assert found == {2: 0.0, 50: 0.75}  # bins without pixels have no metric


def test_best_epoch_has_its_own_metrics() -> None:
    names = [
        f"{part}_{name}" for part in ("train", "val") for name in ("loss", "dice", "iou", "pr_auc")
    ]
    rows = [
        {"epoch": epoch, "time_ms": epoch, **dict.fromkeys(names, value)}
        for epoch, value in ((1, 0.5), (2, 0.7), (3, 0.6))
    ]
    found = {metric.key: metric.value for metric in make_best(rows)}
    assert found["best/epoch"] == 2
    assert found["best/val_pr_auc"] == found["best/train_loss"] == 0.7
    assert found["epochs"] == 3


def test_score_that_ranks_trials_has_one_name_and_a_value_per_epoch() -> None:
    parts = [f"{part}_{name}" for part in ("train", "val") for name in ("loss", "dice", "iou")]
    values = dict.fromkeys([*parts, "train_pr_auc", "lr", "seconds"], 0.1) | {"system": {}}
    rows = [
        {**values, "epoch": epoch, "time_ms": 10 * epoch, "val_pr_auc": score, VAL_AP: best}
        for epoch, score, best in ((1, 0.5, 0.5), (2, 0.7, 0.7), (3, 0.6, 0.7))
    ]
    sent = [metric for row in rows for metric in make_epoch_metrics(row)]
    last = [metric for metric in sent if metric.step == 3 and metric.key == VAL_AP]
    assert [metric for metric in make_best(rows) if metric.key == VAL_AP] == last
    assert [metric.value for metric in sent if metric.key == VAL_AP] == [0.5, 0.7, 0.7]
    assert not [metric.key for metric in sent if metric.key.endswith("best_val_pr_auc")]


def test_ranking_is_added_to_the_description_once() -> None:
    context = CampaignContext(
        "c", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c" * 40
    )
    start = describe_campaign(context, {"blocks": {"train": 4, "val": 2, "test": 2}}, "unet")
    assert "SYNTHETIC" in start
    assert "blocks: 4 train, 2 val, 2 test tiles" in start
    row = {"rank": "1 to 3", "model": "VanillaUNet", "pr_auc_mean": 0.5, "pr_auc_low": 0.4}
    row |= {"pr_auc_high": 0.6, "f1_dice_mean": 0.55, "val_pr_auc_mean": 0.45, "seeds": 3}
    other = row | {"rank": "", "model": "LogRatioVH"}
    once = describe_ranking(start, pd.DataFrame([row, other]), {"curves": "http://x/"})
    assert "| 1 to 3 | VanillaUNet | 0.500 | 0.400 to 0.600 | 0.550 | 0.450 | 3 |" in once
    assert "|  | LogRatioVH |" in once
    assert "- [curves](http://x/)" in once
    assert describe_ranking(once, pd.DataFrame([row, other]), {"curves": "http://x/"}) == once
    long = {f"page {number}": "http://x/" + "y" * 1500 for number in range(9)}
    short = describe_ranking(start, pd.DataFrame([row]), long)
    assert 6500 < len(short) <= MOST_CHARS  # MLflow would cut the facts off
    assert short.endswith(start)
    assert "[page 0]" in short


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e12, "3.0 TB")],
)
def test_bytes_are_formatted_with_units(count: float, text: str) -> None:
    assert format_bytes(count) == text


def test_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"67")
    assert measure_bytes(tmp_path) == 7
    assert measure_bytes(tmp_path / "two") == 2
