"""A network that cannot be exported after training costs its run the model alone, and is tried again later."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from tests.support.served_fixtures import CONFIG, write_checkpoint
from tuning.serving.onnx_export import ExportError
from tuning.tracking import tracker as module
from tuning.tracking.__main__ import main
from tuning.tracking.campaign.saved import load_sender, write_context
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender, SentCount
from tuning.tracking.tracker import MODEL_ERROR
from tuning.trial.entry import TrialEntry, write_entry
from tuning.trial.folder import TrialFolder

REASON = "torch.onnx cannot export the network: it branches."
KEYS = ("seed-42", "seed-123")
SCORES = ("pr_auc", "loss", "dice", "iou")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def campaign(root: Path, request: pytest.FixtureRequest) -> Path:
    """The folder of a campaign of two trials of one epoch, of which nothing is sent."""
    folder = root / "campaigns" / request.node.name
    context = CampaignContext(
        folder.name, "smoke", "blocks", "s", "d", "synthetic", "s1", "4 even", "c"
    )
    for key in KEYS:
        log_trial(folder / "trials" / key)
    made = MLflowSender(root, context, DataRecord("twin", "d", "twin:1", {}, {"blocks": {}}))
    write_context(folder, f"id-{folder.name}", made)
    outcome = {"studies": {"unet": "FINISHED"}, "missing": []}
    (folder / "outcome.json").write_text(json.dumps(outcome))
    return folder


def log_trial(path: Path) -> None:
    seed = int(path.name.removeprefix("seed-"))
    config = CONFIG | {"seed": seed, "split": "blocks", "lr": 1e-3}
    entry = TrialEntry("search-unet", "search", 1, 1000, path.name, config, {}, True)
    path.mkdir(parents=True)
    folder = write_checkpoint(path)
    write_entry(folder, entry)
    names = [f"{part}_{score}" for part in ("val", "train") for score in SCORES]
    row: dict[str, Any] = dict.fromkeys((*names, "best/val_pr_auc", "lr", "seconds"), 0.1)
    folder.append(row | {"epoch": 1, "time_ms": 1000, "system": {}})
    folder.end("last epoch", epoch=1)


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | None], list[str]]:
    """Make the logging of models fail, or mend it; returns the run ids of all attempts."""
    attempts: list[str] = []

    def set_error(error: Exception | None) -> list[str]:
        def log_model(client: Any, experiment: str, run_id: str, *rest: Any) -> str:
            attempts.append(run_id)
            if error is not None:
                raise error
            return f"models:/m-{'0' * 32}"

        monkeypatch.setattr(module, "log_model", log_model)
        return attempts

    return set_error


def find_trials(campaign: Path) -> list[Run]:
    return load_sender(campaign).tracker.find_trials()


def test_run_without_its_model_is_sent_whole(
    campaign: Path,
    fail: Callable[[Exception | None], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts, sender = fail(ExportError(REASON)), load_sender(campaign)
    assert sender.send_campaign(campaign) == SentCount(2, 2, 0)
    assert len(attempts) == 2
    assert f"seed-42 has its scores, but no model: {REASON} Correct models/" in caplog.text
    for run in find_trials(campaign):
        assert (run.info.status, run.data.tags["ended_by"]) == ("FINISHED", "last epoch")
        assert run.data.tags[MODEL_ERROR] == REASON
        assert "model_uri" not in run.data.tags
        assert run.data.metrics["epochs"] == 1.0
        assert run.data.metrics["val_pr_auc"] == 0.1
    for again in (sender, load_sender(campaign)):
        assert again.send_campaign(campaign) == SentCount(0, 0, 0)
    assert len(attempts) == 2
    assert sender.tracker.lacks_model(TrialFolder(campaign / "trials" / KEYS[0]))


def test_tracker_that_fails_is_not_the_network_s_fault(
    campaign: Path, fail: Callable[[Exception | None], list[str]]
) -> None:
    fail(ConnectionError("no answer"))
    assert load_sender(campaign).send_campaign(campaign) == SentCount(0, 0, 2, "no answer")
    assert not [run for run in find_trials(campaign) if MODEL_ERROR in run.data.tags]
    fail(None)
    assert load_sender(campaign).send_campaign(campaign).unsent == 0
    assert all("model_uri" in run.data.tags for run in find_trials(campaign))


def test_checkpoint_that_the_code_cannot_build_any_more_is_an_export_error(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*arguments: Any, **more: Any) -> None:
        raise NameError("name 'Unet' is not defined")

    monkeypatch.setattr("tuning.train.checkpoints.create_model", build)
    assert load_sender(campaign).send_campaign(campaign) == SentCount(2, 2, 0)
    for run in find_trials(campaign):
        assert run.data.tags[MODEL_ERROR] == (
            "The trained network cannot be built: name 'Unet' is not defined"
        )


def test_only_another_process_tries_the_export_again(
    campaign: Path, fail: Callable[[Exception | None], list[str]]
) -> None:
    attempts, sender = fail(ExportError(REASON)), load_sender(campaign)
    sender.send_campaign(campaign)
    before = [run.to_dictionary() for run in find_trials(campaign)]
    assert sender.tracker.retry_models(campaign / "trials") == [REASON, REASON]
    assert len(attempts) == 2
    assert load_sender(campaign).tracker.retry_models(campaign / "trials") == [REASON, REASON]
    assert len(attempts) == 4
    assert [run.to_dictionary() for run in find_trials(campaign)] == before
    fail(None)
    again = load_sender(campaign).tracker
    assert again.retry_models(campaign / "trials") == []
    assert not again.lacks_model(TrialFolder(campaign / "trials" / KEYS[0]))
    for run in find_trials(campaign):
        assert MODEL_ERROR not in run.data.tags
        assert run.data.tags["model_uri"] == f"models:/m-{'0' * 32}"


def test_run_whose_checkpoint_is_gone_keeps_its_reason(
    campaign: Path, fail: Callable[[Exception | None], list[str]]
) -> None:
    fail(ExportError(REASON))
    load_sender(campaign).send_campaign(campaign)
    fail(None)
    TrialFolder(campaign / "trials" / KEYS[0]).best.unlink()
    assert load_sender(campaign).tracker.retry_models(campaign / "trials") == [REASON]
    tags = {run.data.tags["key"]: run.data.tags for run in find_trials(campaign)}
    assert tags[KEYS[0]][MODEL_ERROR] == REASON
    assert MODEL_ERROR not in tags[KEYS[1]]


def test_replay_exports_again_once_the_code_is_mended(
    campaign: Path,
    fail: Callable[[Exception | None], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def campaign_status() -> str:
        run = load_sender(campaign).tracker.find_run("campaign")
        return str(run.info.status) if run else ""

    fail(ExportError(REASON))
    for sent in ("Sent 2 epochs and the end of 2 of 2 trials", "Sent 0 epochs"):
        assert main(["replay", str(campaign)]) == 1
        error = capsys.readouterr().err
        assert sent in error
        assert f"; 2 runs still without a model, with all their scores: {REASON}\n" in error
        assert campaign_status() == "FAILED"
    fail(None)
    assert main(["replay", str(campaign)]) == 0
    assert "Report: python -m tuning.report" in capsys.readouterr().out
    assert campaign_status() == "FINISHED"
