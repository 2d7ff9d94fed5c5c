"""A small campaign in MLflow, as the driver logs it, without Ray."""

import json
from pathlib import Path

import torch

from data.pack import Pack
from data.splits import Split
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.tracking.campaign.views import publish_views
from tuning.tracking.descriptions import describe_campaign
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.tracking.tracker import Tracker
from tuning.train.evaluate import measure_test
from tuning.train.fit import fit
from tuning.trial.entry import register_trial
from tuning.trial.folder import Config
from tuning.trial.stage import Stage, StageJob

CPU = torch.device("cpu")
BASELINE = "log_ratio_vv"
RATES = (3e-3, 1e-2, 2.5e-4)  # of the search; the last one is stopped after an epoch
SEEDS = (42, 123)
CAMPAIGN = "pages"


class StoppedError(Exception):
    """The scheduler stops the trial."""


def track_campaign(root: Path, config: Config, pack: Pack, split: Split) -> Tracker:
    """Log a campaign of one network, three search trials and two repeats, and of a baseline."""
    context = CampaignContext(
        CAMPAIGN, "smoke", split.name, split.hash, pack.hash, "synthetic", "s1", "2 even", "c" * 40
    )
    data = DataRecord("hokkaido-twin", pack.hash, "twin:1", {"channels": ["s1"]}, {})
    sender = MLflowSender(root, context, data)
    tracker = sender.tracker
    expected = {EXPECTED_RUNS_TAG: json.dumps({"unet": len(SEEDS), BASELINE: 1})}
    campaign = tracker.open_run("campaign", "campaign", CAMPAIGN, tags=expected)
    tracker.describe(campaign, describe_campaign(context, {split.name: {"train": 4}}, "unet"))
    publish_views(tracker.client, tracker.experiment_id, CAMPAIGN)
    files = root / "files"
    files.mkdir(parents=True)
    ground = write_reference_layers(pack, split.test, files)
    for file in (ground, *write_split_audit(pack, [split], "blocks", files)):
        tracker.client.log_artifact(campaign, str(file))
    studies = {name: sender.open_study(name) for name in ("unet", BASELINE)}
    for kind, changes in (
        ("search", [{"lr": rate} for rate in RATES]),
        ("repeat", [{"seed": seed} for seed in SEEDS]),
    ):
        job = StageJob(kind, {}, str(pack.path), str(root / "trials"))
        stage = Stage(kind, job, len(changes), config["epochs"])
        for number, change in enumerate(changes, 1):
            register_trial(stage, {"config": config | change}, number)
            track_trial(sender, stage, config | change, pack, split)
    one = make_baseline_config(BASELINE, split.name, pack.hash, 0)
    tags = {"study": BASELINE, "stage": "repeat", "seed": "0", "fold": split.name}
    run_id = tracker.open_run("trial", BASELINE, BASELINE, studies[BASELINE], tags, one)
    tracker.finish(run_id, run_baseline(one, pack, split, files / "b"), "last epoch")
    tracker.close(campaign, "FINISHED")
    return tracker


def track_trial(
    sender: MLflowSender, stage: Stage, config: Config, pack: Pack, split: Split
) -> str:
    """Train and log one trial; a search trial with the last of ``RATES`` is stopped early."""
    folder = stage.job.folder({"config": config})
    run_id = sender.open_trial(folder)

    def report(row: dict[str, object]) -> None:
        if stage.job.stage == "search" and config["lr"] == RATES[-1]:
            raise StoppedError

    reason = "scheduler"
    try:
        reason = fit(config, pack, folder.path, report, device=CPU)
    except StoppedError:
        folder.end(reason, epoch=1)
    if stage.job.stage == "repeat":
        measure_test(folder, pack, split, CPU)
    sender.tracker.finish(run_id, folder, reason, model=stage.job.stage == "repeat")
    return run_id
