"""The start of a campaign: data made ready, its run and its studies' runs opened, what they rest on kept with them."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import torch

from data.io.shared_storage import SharedStorage
from data.splits import PARTS, Split
from tuning.baselines.baselines import is_deterministic
from tuning.campaign.data import describe_data, prepare_data
from tuning.registry.gate_tiles import write_gate_tiles
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.write_report import EXCLUDED_FILE, EXPECTED_RUNS_TAG, SUSPICIOUS_FILE
from tuning.settings.lock import lock_setup
from tuning.settings.presets import get_preset
from tuning.settings.settings import Settings, campaign_folder
from tuning.tracking.client import read_commit, tracking_uri
from tuning.tracking.descriptions import describe_campaign, describe_study
from tuning.tracking.errors import tracker_errors
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.sender import MLflowSender, read_identity, write_context
from tuning.tracking.tracker import IDENTITY, Tracker
from tuning.tracking.ui_links import publish_views
from tuning.trial.disk import check_output_folder
from tuning.trial.search_space import make_space
from tuning.trial.sync import TrialSync


class OpenedCampaign:
    """A campaign as it is before its first trial: settings, data, tracker, its run and its studies'."""

    def __init__(self, root: Path, settings: Settings) -> None:
        torch.set_num_threads(1)  # the driver leaves the cores to the trials
        self.root, self.settings = root.resolve(), settings
        self.preset = get_preset(settings.preset)
        self.folder = campaign_folder(root, settings.campaign)
        self.trials = self.folder / "trials"
        check_output_folder(self.root)
        with lock_setup(self.root):
            self.pack, self.splits = prepare_data(self.root, settings, self.preset)
            self.context = self._make_context()
            data = describe_data(self.pack, self.splits, settings)
            self.delivery = MLflowSender(self.root, self.context, data)
            self.delivery.connect()  # the first time makes the database
        identity = read_identity(self.folder) or uuid4().hex
        if settings.storage:
            trials = SharedStorage(settings.storage).subfolder(f"trials/{identity}")
            self.delivery.relay = TrialSync(trials)
        write_context(self.folder, identity, self.delivery)
        with tracker_errors(tracking_uri(self.root)):
            self.run_id = self._open_campaign(identity)
            for model in (*settings.models, *settings.baselines):
                self._open_study(model)

    def _make_context(self) -> CampaignContext:
        settings = self.settings
        return CampaignContext(
            campaign=settings.campaign,
            preset=settings.preset,
            split=settings.split,
            split_hash=_hash_splits(self.splits),
            data_hash=self.pack.hash,
            data="synthetic" if self.pack.synthetic else "real",
            channels=" ".join(settings.channels),
            acquisitions=f"{settings.timesteps} {settings.steps}",
            git_commit=read_commit(Path(__file__).parent),
        )

    @property
    def tracker(self) -> Tracker:
        """The connection to MLflow."""
        return self.delivery.tracker

    def _open_campaign(self, identity: str) -> str:
        tags = {
            IDENTITY: identity,
            "excluded_tiles": str(len(self.pack.excluded)),
            "suspicious_tiles": str(len(self.pack.suspicious)),
            EXPECTED_RUNS_TAG: json.dumps(self._expect()),
        }
        name, params = self.settings.campaign, asdict(self.settings)
        run_id = self.tracker.open_run("campaign", "campaign", name, tags=tags, params=params)
        self.tracker.claim(run_id, identity)
        self.tracker.reopen(run_id)
        self.tracker.describe(run_id, self._tell())
        publish_views(self.tracker.client, self.tracker.experiment_id, name)
        self.tracker.client.log_dict(run_id, self.pack.excluded, EXCLUDED_FILE)
        self.tracker.client.log_dict(run_id, self.pack.suspicious, SUSPICIOUS_FILE)
        test = sorted({tile for split in self.splits for tile in split.test})
        with tempfile.TemporaryDirectory() as folder:
            files = [write_reference_layers(self.pack, test, Path(folder))]
            files += self._write_gate(Path(folder))
            files += write_split_audit(self.pack, self.splits, self.settings.split, Path(folder))
            for file in files:
                self.tracker.client.log_artifact(run_id, str(file))
        return run_id

    def _write_gate(self, folder: Path) -> list[Path]:
        """Write the val tiles of the first split on which models are tried before promotion."""
        asked = self.settings
        return write_gate_tiles(
            self.pack, self.splits[0].val, asked.channels, asked.timesteps, asked.steps, folder
        )

    def _expect(self) -> dict[str, int]:
        """Count the repeat runs that each model should have in the end."""
        folds, seeds = len(self.splits), self.settings.seeds
        once = {
            key: folds * (1 if is_deterministic(key) else seeds) for key in self.settings.baselines
        }
        return dict.fromkeys(self.settings.models, folds * seeds) | once

    def _tell(self) -> str:
        """Describe the campaign as far as it is known at its start."""
        parts = {s.name: {part: len(s.part(part)) for part in PARTS} for s in self.splits}
        models = ", ".join((*self.settings.models, *self.settings.baselines))
        return describe_campaign(self.context, parts, models)

    def _open_study(self, model: str) -> None:
        run_id = self.delivery.open_study(model)
        self.tracker.reopen(run_id)
        if model in self.settings.models:
            self.tracker.describe(
                run_id, describe_study(model, make_space(model, self.preset.narrow))
            )


def _hash_splits(splits: Sequence[Split]) -> str:
    """Return the split's hash, or twelve digits over those of all folds."""
    if len(splits) == 1:
        return splits[0].hash
    return hashlib.sha256(" ".join(split.hash for split in splits).encode()).hexdigest()[:12]
