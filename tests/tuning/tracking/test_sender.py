"""Sending trial folders to MLflow: at once, after a kill, and after an outage of the tracker."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.pack import Pack
from tuning.tracking.__main__ import main
from tuning.tracking.campaign.saved import load_sender, read_identity, write_context
from tuning.tracking.descriptions import NOTE
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender, SentCount
from tuning.train.fit import fit
from tuning.trial.entry import list_trials, register_trial
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.stage import Stage, StageJob
from tuning.trial.status import mark_failed

CONTEXT = CampaignContext(
    "named", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c" * 40
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def campaign(root: Path, request: pytest.FixtureRequest) -> Path:
    folder = root / "campaigns" / request.node.name.replace("[", "-").replace("]", "")
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def sender(root: Path, campaign: Path, pack: Pack) -> MLflowSender:
    data = DataRecord("hokkaido-twin", pack.hash, "twin:1", {"channels": ["s1"]}, {"blocks": {}})
    return MLflowSender(root, CampaignContext(**{**vars(CONTEXT), "campaign": campaign.name}), data)


@pytest.fixture
def stage(campaign: Path, pack: Pack, config: Config) -> Stage:
    fixed = {name: value for name, value in config.items() if name not in ("lr", "arch")}
    job = StageJob("search", fixed, str(pack.path), str(campaign / "trials"))
    return Stage("search-unet", job, 3, 2)


def begin(stage: Stage, config: Config, rate: float, number: int = 1) -> TrialFolder:
    arch = {f"arch.{name}": value for name, value in config["arch"].items()}
    sample = {"lr": rate, **arch}
    register_trial(stage, sample, number)
    return stage.job.folder(sample)


def train(stage: Stage, config: Config, pack: Pack, rate: float, number: int = 1) -> TrialFolder:
    folder = begin(stage, config, rate, number)
    fit({**config, "lr": rate}, pack, folder.path, lambda row: None)
    return folder


def run_of(sender: MLflowSender, folder: TrialFolder) -> Run:
    return sender.tracker.client.get_run(sender.open_trial(folder))


def test_trial_run_has_data_commit_parent_and_number(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack
) -> None:
    folder = begin(stage, config, 1e-3)
    run = run_of(sender, folder)
    assert run.data.tags["mlflow.parentRunId"] == sender.open_study("unet")
    assert run.data.tags["mlflow.source.git.commit"] == "c" * 40
    assert run.data.tags["number"] == "1"
    assert run.data.params["lr"] == "0.001"
    assert run.info.start_time == folder.read("trial")["began_ms"]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("hokkaido-twin", pack.hash)
    tags = {tag.key: tag.value for tag in used.tags}
    assert tags == {"mlflow.data.context": "train, val", "split": "blocks"}  # test is never read
    assert sender.data.as_input("repeat", "blocks").tags[0].value == "train, val, test"


def test_run_made_just_before_a_kill_gets_its_params_and_data(
    sender: MLflowSender, stage: Stage, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, client = begin(stage, config, 1e-3), sender.tracker.client

    def killed(*arguments: object, **more: object) -> None:
        raise MlflowException("killed")

    with monkeypatch.context() as cut:
        cut.setattr(client, "log_batch", killed)
        with pytest.raises(MlflowException, match="killed"):
            sender.open_trial(folder)
    again = MLflowSender(sender.root, sender.context, sender.data)
    run = run_of(again, folder)
    assert run.data.params["model"] == "unet"
    assert len(run.inputs.dataset_inputs) == 1
    assert len(again.tracker.find_trials()) == 1


def test_interrupted_trial_is_marked_until_it_is_resumed(
    sender: MLflowSender, stage: Stage, config: Config
) -> None:
    folder = begin(stage, config, 1e-3)
    run_id = sender.open_trial(folder)
    sender.tracker.close_running("KILLED")
    assert run_of(sender, folder).data.tags["ended_by"] == "kill"
    sender.submit(folder)
    sender.drain()
    run = sender.tracker.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert "ended_by" not in run.data.tags


@pytest.mark.parametrize("left", ["open", "killed"])
def test_trial_of_a_killed_driver_is_completed(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack, left: str
) -> None:
    folder = train(stage, config, pack, 3e-3)
    run_id = sender.open_trial(folder)
    if left == "killed":
        sender.tracker.close_running("KILLED")
    assert sender.send_all([folder.path]) == SentCount(epochs=3, ended=1, unsent=0)
    run = sender.tracker.client.get_run(run_id)
    assert (run.info.status, run.data.tags["ended_by"]) == ("FINISHED", "last epoch")
    assert run.info.end_time == folder.read("end")["time_ms"]
    assert sender.send_all([folder.path]) == SentCount(epochs=0, ended=0, unsent=0)
    assert "It was trained to its last epoch" in run.data.tags[NOTE]


def test_failed_trial_has_a_reason_until_it_is_resumed(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack
) -> None:
    folder = begin(stage, config, 3e-3)
    mark_failed(folder, "hang", "A trial must end an epoch within 5 minutes.")
    assert sender.send_all([folder.path]).unsent == 0
    run = run_of(sender, folder)
    assert (run.info.status, run.data.tags["ended_by"]) == ("FAILED", "error")
    assert run.data.tags["error"] == "A trial must end an epoch within 5 minutes."
    assert "curves" not in run.data.tags
    folder.drop("failure")
    train(stage, config, pack, 3e-3)
    sender.submit(folder)
    sender.drain()
    run = run_of(sender, folder)
    assert (run.info.status, run.data.tags["ended_by"]) == ("FINISHED", "last epoch")
    assert "error" not in run.data.tags
    assert run.data.tags["curves"] == "val"


def test_model_logged_just_before_a_kill_is_not_logged_again(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack
) -> None:
    folder, tracker = train(stage, config, pack, 3e-3), sender.tracker
    run_id = sender.open_trial(folder)
    tracker.log_best_model(run_id, folder)
    uri = tracker.client.get_run(run_id).data.tags["model_uri"]
    tracker.client.delete_tag(run_id, "model_uri")  # as if killed before it was set
    half = tracker.client.create_logged_model(tracker.experiment_id, "unet", run_id)
    tracker.log_best_model(run_id, folder)
    assert tracker.client.get_run(run_id).data.tags["model_uri"] == uri
    wanted = f"source_run_id = '{run_id}'"
    found = tracker.client.search_logged_models([tracker.experiment_id], wanted)
    assert [f"models:/{model.model_id}" for model in found] == [uri]
    assert half.model_id not in uri


@contextmanager
def silent_server() -> Iterator[str]:
    """Accept connections on loopback and close each at once, like a tracker that is down."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_replay_sends_missing_epochs_in_order_without_gaps_or_duplicates(
    sender: MLflowSender,
    stage: Stage,
    config: Config,
    pack: Pack,
    campaign: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_context(campaign, "id-1", sender)
    sender.open_study("unet")
    folders = [begin(stage, config, rate, number) for number, rate in ((1, 1e-3), (2, 3e-3))]
    sender.send_all(list_trials(campaign / "trials"))  # both runs are open, neither trial has ended
    for folder, rate in zip(folders, (1e-3, 3e-3), strict=True):
        fit({**config, "lr": rate}, pack, folder.path, lambda row: None)
    with silent_server() as address, monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", address)
        away.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        count = MLflowSender(sender.root, sender.context, sender.data).send_campaign(campaign)
        assert (count.epochs, count.ended, count.unsent) == (0, 0, 2)
        assert address in count.reason
        assert main(["replay", str(campaign)]) == 1
        assert f"tracker must answer, but {address}" in capsys.readouterr().err
    assert main(["replay", str(campaign)]) == 0
    out = capsys.readouterr().out
    assert "Sent 6 epochs and the end of 2 of 2 trials to sqlite" in out
    assert f"python -m tuning.report --campaign {campaign.name} --root {sender.root}" in out
    _check_histories(sender, folders)
    assert main(["replay", str(campaign)]) == 0
    assert "Sent 0 epochs and the end of 0 of 2 trials" in capsys.readouterr().out
    _check_histories(sender, folders)
    runs = sender.tracker.find_trials()
    assert sorted(run.data.tags["number"] for run in runs) == ["1", "2"]
    study = sender.tracker.client.get_run(sender.open_study("unet"))
    assert study.info.status == "KILLED"  # the campaign itself has not ended


def _check_histories(sender: MLflowSender, folders: list[TrialFolder]) -> None:
    client: MlflowClient = sender.tracker.client
    for folder in folders:
        history = client.get_metric_history(sender.open_trial(folder), "val_loss")
        sent = [(metric.step, metric.value) for metric in history]
        assert sent == [(row["epoch"], row["val_loss"]) for row in folder.history()]
        assert [step for step, _ in sent] == [1, 2, 3]


def test_replay_closes_studies_and_campaign_with_their_status(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack, campaign: Path
) -> None:
    write_context(campaign, "id-1", sender)
    train(stage, config, pack, 3e-3)
    outcome = {"studies": {"unet": "FAILED"}, "missing": ["Every search trial of unet failed."]}
    (campaign / "outcome.json").write_text(json.dumps(outcome))
    assert main(["replay", str(campaign)]) == 0
    client = sender.tracker.client
    assert client.get_run(sender.open_study("unet")).info.status == "FAILED"
    assert client.get_run(sender.open_campaign()).info.status == "FAILED"


def test_trial_that_cannot_be_sent_blocks_no_other(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack
) -> None:
    bad, good = begin(stage, config, 1e-3, 1), train(stage, config, pack, 3e-3, 2)
    bad.end("last epoch", epoch=1)
    bad.best.write_text("no checkpoint")
    bad.write("trial", bad.read("trial") | {"model": True})
    count = sender.send_all([bad.path, good.path])
    assert (count.ended, count.unsent) == (1, 1)
    assert count.reason
    assert run_of(sender, good).info.status == "FINISHED"


@pytest.mark.parametrize("content", [None, "{}", "[1]", "{", '{"id": 1, "context": {}, "data": 3}'])
def test_replay_refuses_a_folder_that_is_not_a_campaign(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "campaigns" / "x"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "context.json").write_text(content)
    assert main(["replay", str(folder)]) == 2
    assert "A campaign's folder must hold context.json and trials/, but" in capsys.readouterr().err


def test_context_is_the_same_after_loading(sender: MLflowSender, campaign: Path) -> None:
    assert read_identity(campaign) is None
    write_context(campaign, "id-1", sender)
    assert read_identity(campaign) == "id-1"
    loaded = load_sender(campaign)
    assert (loaded.root, loaded.context, loaded.data) == (
        sender.root,
        sender.context,
        sender.data,
    )
