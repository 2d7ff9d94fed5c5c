"""A report says what its campaign lacks, and why where the campaign knows it."""

import json
from pathlib import Path

import pytest

from tuning.report.missing import (
    EXPECTED_RUNS_TAG,
    MAX_REASON,
    describe_missing_runs,
    list_model_errors,
    partial_error,
)
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import MODEL_ERROR, Tracker

CONTEXT = CampaignContext(
    "lacking", "smoke", "blocks", "5" * 12, "d" * 12, "synthetic", "s1", "2 even", "c" * 40
)


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    """A campaign of two networks, none of which has a repeat run."""
    tracker = Tracker(tmp_path, CONTEXT)
    tags = {EXPECTED_RUNS_TAG: json.dumps({"attention_unet": 2, "unet": 2})}
    campaign = tracker.open_run("campaign", "campaign", "lacking", tags=tags)
    for model in ("attention_unet", "unet"):
        tracker.open_run("study", f"study/{model}", model, campaign, {"study": model})
    return tracker


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("The network unet must be exportable.", " The network unet must be exportable."),
        ("Two\nlines\x1b[2J.", " Two lines?[2J."),
        ("x" * 3000, f" {'x' * MAX_REASON}…"),
    ],
)
def test_missing_runs_are_named_with_the_reason_of_their_study(
    tracker: Tracker, reason: str, shown: str
) -> None:
    tracker.client.set_tag(tracker.open_run("study", "study/unet", "unet"), "error", reason)
    campaign = tracker.find_run("campaign")
    assert campaign is not None
    missing = describe_missing_runs(tracker.client, campaign, ())
    assert missing == [
        "attention_unet has 0 of 2 repeat runs.",
        f"unet has 0 of 2 repeat runs.{shown}",
    ]
    text = str(partial_error(Path("/else where"), campaign, missing))
    assert "in campaign 'lacking' attention_unet has 0" in text
    assert "`python -m tuning.run --resume lacking --root '/else where'`" in text
    assert "--root" not in str(partial_error(Path("mlruns"), campaign, missing))


def test_complete_campaign_lacks_nothing(tracker: Tracker) -> None:
    campaign = tracker.find_run("campaign")
    assert campaign is not None
    tracker.client.set_tag(campaign.info.run_id, EXPECTED_RUNS_TAG, "{}")
    complete = tracker.find_run("campaign")
    assert complete is not None
    assert describe_missing_runs(tracker.client, complete, ()) == []


def test_networks_without_a_model_are_named_once_with_the_first_reason(tracker: Tracker) -> None:
    for number, (model, reason) in enumerate(
        [("unet", "It branches."), ("unet", "Other."), ("attention_unet", "")]
    ):
        tags = {"study": model, "stage": "repeat"} | ({MODEL_ERROR: reason} if reason else {})
        tracker.open_run("trial", f"key-{number}", model, tags=tags)
    root = Path(tracker.client.tracking_uri.removeprefix("sqlite:///")).parent
    assert list_model_errors(root, "other") == []
    (sentence,) = list_model_errors(root, "lacking")
    assert sentence == (
        "unet lacks a model in 2 runs, whose scores count: It branches. Correct models/unet.py, then continue the "
        "campaign with --resume."
    )
