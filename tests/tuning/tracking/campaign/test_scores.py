"""Scores of studies and campaigns in MLflow: means over seeds, up to date, and never twice."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Run

from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import BINS
from tuning.tracking.__main__ import main
from tuning.tracking.campaign.saved import write_context
from tuning.tracking.campaign.scores import (
    SCORES,
    RepeatScores,
    log_changes,
    log_final_scores,
    summarise_studies,
)
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import TrialEntry, write_entry
from tuning.trial.folder import VAL_AP, TrialFolder

FOLDS = ("blocks:1/2", "blocks:2/2")


def repeat(study: str, seed: int, score: float, fold: str = "blocks") -> RepeatScores:
    return RepeatScores(study, str(seed), fold, dict.fromkeys(SCORES, score))


def test_score_of_a_study_is_the_mean_over_seeds_of_the_mean_over_folds() -> None:
    scores = {(1, FOLDS[0]): 0.2, (1, FOLDS[1]): 0.4, (2, FOLDS[0]): 0.5, (2, FOLDS[1]): 0.7}
    (found,) = summarise_studies(
        repeat("unet", seed, score, fold) for (seed, fold), score in scores.items()
    )
    assert found.values["n_seeds"] == 2
    for name in SCORES:
        assert found.values[f"{name}_mean"] == pytest.approx(0.45)
        assert found.values[f"{name}_std"] == pytest.approx(0.3 / math.sqrt(2))


def test_seed_without_a_fold_does_not_count_yet() -> None:
    repeats = [repeat("unet", 1, 0.2, FOLDS[0]), repeat("unet", 1, 0.4, FOLDS[1])]
    (found,) = summarise_studies([*repeats, repeat("unet", 2, 0.9, FOLDS[0])], FOLDS)
    assert (found.values["n_seeds"], found.values["test/pr_auc_mean"]) == (1, pytest.approx(0.3))
    assert math.isnan(found.values["test/pr_auc_std"])  # of one seed it is not defined
    assert summarise_studies(repeats[:1], FOLDS) == []


def test_best_study_on_test_comes_first() -> None:
    found = summarise_studies([repeat("b", 1, 0.5), repeat("c", 1, 0.6), repeat("a", 1, 0.5)])
    assert [one.study for one in found] == ["c", "a", "b"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def campaign(root: Path, request: pytest.FixtureRequest) -> Path:
    return root / "campaigns" / request.node.name


@pytest.fixture
def sender(root: Path, campaign: Path) -> MLflowSender:
    context = CampaignContext(campaign.name, "smoke", "blocks", "s", "d", "real", "s1", "2", "c")
    return MLflowSender(root, context, DataRecord("tiles", "d", "file:1", {}, {"blocks": {}}))


def measure(campaign: Path, model: str, seed: int, score: float) -> TrialFolder:
    """Write what a measured repeat trial leaves."""
    folder = TrialFolder(campaign / "trials" / f"{model}-{seed}")
    config = {"model": model, "seed": seed, "split": "blocks"}
    write_entry(folder, TrialEntry("repeat", "repeat", seed, seed, "r", config, {}, False))
    counts = np.zeros((2, BINS), np.int64)
    counts[0, 1], counts[1, 5 if score > 0.5 else 0] = 7, 3
    folder.write_counts("val", counts)
    names = ("pr_auc", "f1_dice", "iou", "precision", "recall", "threshold")
    folder.write("test", dict.fromkeys(names, score))
    folder.end("last epoch", epoch=1)
    return folder


def finish(sender: MLflowSender, folder: TrialFolder) -> None:
    sender.submit(folder)
    sender.drain()


def run_of(sender: MLflowSender, study: str = "") -> Run:
    """Return the run of a study, else the campaign's."""
    run_id = sender.open_study(study) if study else sender.open_campaign()
    return sender.tracker.client.get_run(run_id)


def points(sender: MLflowSender, study: str, name: str = "test/pr_auc_mean") -> list[float]:
    run_id = run_of(sender, study).info.run_id
    history = sender.tracker.client.get_metric_history(run_id, name)
    return [metric.value for metric in sorted(history, key=lambda metric: metric.timestamp)]


def test_scores_are_up_to_date_after_every_repeat(sender: MLflowSender, campaign: Path) -> None:
    finish(sender, measure(campaign, "unet", 1, 0.6))
    assert run_of(sender).data.tags["best_model"] == "unet"
    assert "test/pr_auc_std" not in run_of(sender, "unet").data.metrics
    finish(sender, measure(campaign, "unet", 2, 0.8))
    study = run_of(sender, "unet").data.metrics
    assert (study["test/pr_auc_mean"], study["n_seeds"]) == (pytest.approx(0.7), 2)
    assert study["test/pr_auc_std"] == pytest.approx(0.2 / math.sqrt(2))
    counts = TrialFolder(campaign / "trials" / "unet-1").counts("val")
    assert counts is not None
    assert study[f"{VAL_AP}_mean"] == average_precision(counts)
    finish(sender, measure(campaign, "log_ratio_vv", 0, 0.9))
    whole = run_of(sender)
    assert whole.data.tags["best_model"] == "log_ratio_vv"
    assert whole.data.metrics["test/pr_auc_mean"] == pytest.approx(0.9)
    assert math.isnan(whole.data.metrics["test/pr_auc_std"])  # not that of the U-Net
    assert points(sender, "unet") == pytest.approx([0.6, 0.7])


def test_resumed_campaign_counts_what_ended_before_and_adds_nothing_twice(
    sender: MLflowSender, campaign: Path
) -> None:
    finish(sender, measure(campaign, "unet", 1, 0.6))
    again = MLflowSender(sender.root, sender.context, sender.data)
    finish(again, measure(campaign, "unet", 2, 0.8))
    assert points(sender, "unet") == pytest.approx([0.6, 0.7])
    for one in (sender, again, MLflowSender(sender.root, sender.context, sender.data)):
        one.send_scores(campaign)
    assert points(sender, "unet") == pytest.approx([0.6, 0.7])
    assert points(sender, "") == pytest.approx([0.6, 0.7])


def test_failed_repeat_has_no_score(sender: MLflowSender, campaign: Path) -> None:
    finish(sender, measure(campaign, "unet", 1, 0.6))
    failed = measure(campaign, "unet", 2, 0.1)
    failed.end("error", message="The loss must stay finite.")
    finish(sender, failed)
    assert run_of(sender, "unet").data.metrics["n_seeds"] == 1


def test_replay_logs_the_scores_that_an_outage_left_out(
    sender: MLflowSender, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, score in ((1, 0.6), (2, 0.8)):
        measure(campaign, "unet", seed, score)
    write_context(campaign, "id", sender)
    (campaign / "outcome.json").write_text(json.dumps({"studies": {}, "missing": []}))
    for _ in range(2):
        assert main(["replay", str(campaign)]) == 0
    assert "the end of 2 of 2 trials" in capsys.readouterr().out
    assert points(sender, "unet") == pytest.approx([0.7])


def test_report_adds_the_intervals_of_the_same_scores(sender: MLflowSender, campaign: Path) -> None:
    for seed, score in ((1, 0.6), (2, 0.8)):
        finish(sender, measure(campaign, "unet", seed, score))
    client, whole = sender.tracker.client, run_of(sender)
    for _ in range(2):
        log_final_scores(client, whole, sender.tracker.find_trials(), {"unet": (0.5, 0.9)})
    assert points(sender, "unet") == pytest.approx([0.6, 0.7])
    for run in (run_of(sender, "unet"), run_of(sender)):
        assert (run.data.metrics["test/pr_auc_low"], run.data.metrics["test/pr_auc_high"]) == (
            0.5,
            0.9,
        )
    log_final_scores(client, whole, sender.tracker.find_trials(), {"unet": (0.4, math.nan)})
    assert points(sender, "unet", "test/pr_auc_low") == [0.5, 0.4]  # the latest counts
    assert run_of(sender).data.metrics["test/pr_auc_low"] == 0.4
    assert math.isnan(run_of(sender).data.metrics["test/pr_auc_high"])


def test_only_changes_are_logged(sender: MLflowSender) -> None:
    client, run_id = sender.tracker.client, sender.open_campaign()
    for value in (0.25, 0.25, math.nan, math.nan, 0.5):
        log_changes(client, run_id, {"score": value, "none": math.nan}, {"best_model": "unet"})
    assert len(client.get_metric_history(run_id, "score")) == 3
    assert client.get_run(run_id).data.metrics["score"] == 0.5
    assert client.get_metric_history(run_id, "none") == []
