"""Set-up of a campaign: its data, the connection to MLflow, the campaign's run and a run for each study."""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import torch

from data.check.leak_file import LEAK_TAG, summarise_leaks, write_leak_audit
from data.command.version import read_commit
from data.io.durable import remove_leftovers
from data.io.shared_storage import SharedStorage
from data.splits import PARTS, hash_splits
from tuning.baselines.baselines import is_deterministic
from tuning.campaign.dates import find_refused, restrict_space, settle_dates
from tuning.campaign.identity import describe_inputs, keep_inputs, read_inputs
from tuning.campaign.initial import describe_training, keep_arch
from tuning.campaign.leak import audit_campaign
from tuning.campaign.prepare_data import describe_data, list_events, prepare_data
from tuning.registry.gate_file import write_gate_tiles
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.sections.dates import DATES_TAG
from tuning.report.write_report import EXCLUDED_FILE, SUSPICIOUS_FILE
from tuning.search.scope import SCOPE_TAG, make_scope
from tuning.settings.cell import CELL_TAG, MATRIX_TAG, format_cell
from tuning.settings.lock import lock_setup
from tuning.settings.presets import get_preset
from tuning.settings.saved_campaigns import campaign_folder
from tuning.settings.settings import PACKS, Settings
from tuning.tracking.campaign.saved import read_identity, write_context
from tuning.tracking.campaign.views import publish_views
from tuning.tracking.client import tracking_uri
from tuning.tracking.descriptions import describe_campaign, describe_study
from tuning.tracking.errors import tracker_errors
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.sender import MLflowSender
from tuning.tracking.tracker import IDENTITY, Tracker
from tuning.tracking.validate_runs import NETWORKS_TAG
from tuning.trial.disk import check_output_folder
from tuning.trial.repair import repair_trials
from tuning.trial.search_space import Domain, make_space
from tuning.trial.sync import TrialSync

logger = logging.getLogger(__name__)


class CampaignSetup:
    """A campaign before its first trial.

    Attributes:
        root: Output folder.
        settings: The user's settings.
        preset: The preset that they name.
        refused: Architectures that are not trained, with the reason.
        folder: The campaign's folder.
        trials: Folder that holds one folder per trial.
        pack: The packed tiles.
        splits: The split of every fold; a single one without cross-validation.
        scope: The folds that are searched.
        leaks: The audit of the dates that the models read, one for each region.
        dates: Whether networks may read dates.
        context: Tags of every run.
        sender: Sends the trials to MLflow.
        run_id: The campaign's run.

    Raises:
        ValueError: If the data cannot be used or are not those that a resumed campaign began with, or another campaign on
            the tracker has the same name.
        OSError: If the output folder cannot be written, or the tracker does not answer.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        *,
        keep_pack: bool = False,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        torch.set_num_threads(1)  # the driver leaves the cores to the trials
        self.root, self.settings = root.resolve(), settings
        self.preset, self.refused = get_preset(settings.preset), dict(refused or {})
        self.folder = campaign_folder(root, settings.campaign)
        self.trials = self.folder / "trials"
        check_output_folder(self.root)
        with lock_setup(self.root):
            remove_leftovers(self.root / PACKS)
            kept = read_inputs(self.folder)
            self.pack, self.splits = prepare_data(
                self.root, settings, self.preset, kept, keep_pack=keep_pack
            )
            self.scope = make_scope(
                self.splits, settings.search, settings.recipe, self.preset.narrow != "none"
            )
            self.context = self._make_context()
            data = describe_data(self.pack, self.splits, settings)
            self.sender = MLflowSender(self.root, self.context, data)
            self.sender.connect()  # creates the database if there is none
        kept = kept or describe_inputs(self.pack, self.splits)
        keep_inputs(self.folder, kept, self.context.git_commit)
        repair_trials(self.trials)
        identity = read_identity(self.folder) or uuid4().hex
        if settings.storage:
            storage = SharedStorage(settings.storage).subfolder(f"trials/{identity}")
            self.sender.sync = TrialSync(storage)
        write_context(self.folder, identity, self.sender)
        self._identity = identity
        self._settle_dates()
        self._open_runs()

    def _settle_dates(self) -> None:
        """Audit the dates, and refuse networks that cannot but read them where that is not allowed."""
        settings = self.settings
        inputs = (settings.channels, settings.timesteps, settings.steps)
        self.leaks = audit_campaign(self.pack, self.splits, *inputs)
        self.dates = settle_dates(
            self.leaks, synthetic=self.pack.synthetic, given=settings.allow_dates
        )
        spaces = {name: self.space(name) for name in settings.models if name not in self.refused}
        refused = find_refused(spaces, len(settings.channels), settings.timesteps, self.dates)
        for reason in refused.values():
            logger.error("%s Not trained.", reason)
        self.refused |= refused
        if refused and len(self.refused) == len(settings.models) and not settings.baselines:
            raise ValueError(" ".join(self.refused.values()))

    def space(self, model: str) -> dict[str, Domain]:
        """Return the search space of an architecture in this campaign."""
        settings = self.settings
        whole = make_space(model, self.preset.narrow, settings.recipe, loss=settings.loss)
        return keep_arch(restrict_space(whole, self.dates), self.root, settings, model)

    def _open_runs(self) -> None:
        with tracker_errors(tracking_uri(self.root)):
            self.run_id = self._open_campaign(self._identity)
            for model in (*self.settings.models, *self.settings.baselines):
                self._open_study(model)
            self.tracker.retry_models(self.trials)  # of a resumed campaign

    def open_again(self) -> None:
        """Make the campaign's run anew if somebody deleted it while the campaign ran."""
        self.tracker.ask_parents()
        found = self.tracker.find_run("campaign")
        if found is None or found.info.run_id != self.run_id:
            self._open_runs()

    def _make_context(self) -> CampaignContext:
        settings = self.settings
        return CampaignContext(
            campaign=settings.campaign,
            preset=settings.preset,
            split=settings.split,
            split_hash=hash_splits(self.splits),
            data_hash=self.pack.hash,
            data="synthetic" if self.pack.synthetic else "real",
            channels=" ".join(settings.channels),
            acquisitions=f"{settings.timesteps} {settings.steps}",
            git_commit=read_commit(Path(__file__).parent),
            regions=" ".join(sorted(set(self.pack.regions))),
            events=list_events(self.pack),
            training=describe_training(settings),
        )

    @property
    def tracker(self) -> Tracker:
        """The connection to MLflow."""
        return self.sender.tracker

    def _open_campaign(self, identity: str) -> str:
        """Find or create the campaign's run, with its params, tags, description and artifacts; return its id."""
        settings = self.settings
        leak, aucs = summarise_leaks(self.leaks)
        tags = {
            LEAK_TAG: leak,
            DATES_TAG: self.dates.reason,
            IDENTITY: identity,
            "excluded_tiles": str(len(self.pack.excluded)),
            "suspicious_tiles": str(len(self.pack.suspicious)),
            EXPECTED_RUNS_TAG: json.dumps(self._count_repeats()),
            SCOPE_TAG: self.scope.to_tag(),
            NETWORKS_TAG: json.dumps(
                {name: made["title"] for name, made in settings.networks.items()}
            ),
        }
        tracker, name, params = self.tracker, settings.campaign, asdict(settings)
        matrix = tracker.find_matrix(settings.matrix) if settings.matrix else None
        if settings.matrix:
            tags |= {MATRIX_TAG: settings.matrix, CELL_TAG: format_cell(settings.places)}
        run_id = tracker.open_run("campaign", "campaign", name, matrix, tags, params)
        tracker.claim(run_id, identity)
        tracker.reopen(run_id)
        tracker.describe(run_id, self._describe())
        publish_views(tracker.client, tracker.experiment_id, name, settings.loss)
        tracker.client.log_dict(run_id, self.pack.excluded, EXCLUDED_FILE)
        tracker.client.log_dict(run_id, self.pack.suspicious, SUSPICIOUS_FILE)
        tracker.log_scores(run_id, aucs)
        with tempfile.TemporaryDirectory() as folder:
            for file in (
                write_leak_audit(self.leaks, Path(folder)),
                *self._write_artifacts(Path(folder)),
            ):
                tracker.client.log_artifact(run_id, str(file))
        return run_id

    def _write_artifacts(self, folder: Path) -> list[Path]:
        """Write the reference layers of the test tiles, the gate's val tiles and the split's audit."""
        settings = self.settings
        inputs = (settings.channels, settings.timesteps, settings.steps)
        test = sorted({tile for split in self.splits for tile in split.test})
        return [
            write_reference_layers(self.pack, test, folder),
            *write_gate_tiles(self.pack, self.splits[0].val, *inputs, folder),
            *write_split_audit(self.pack, self.splits, settings.split, folder),
        ]

    def _count_repeats(self) -> dict[str, int]:
        """Count the repeat runs of a complete campaign, by model."""
        folds, seeds = len(self.splits), self.settings.seeds
        baselines = {
            key: folds * (1 if is_deterministic(key) else seeds) for key in self.settings.baselines
        }
        return dict.fromkeys(self.settings.models, folds * seeds) | baselines

    def _describe(self) -> str:
        """Describe the campaign in Markdown: models, tiles of each split, input, code."""
        tiles = {s.name: {part: len(s.part(part)) for part in PARTS} for s in self.splits}
        models = ", ".join((*self.settings.models, *self.settings.baselines))
        searched = self.scope.describe() if self.settings.models else ""
        return describe_campaign(self.context, tiles, models, searched)

    def _open_study(self, model: str) -> None:
        run_id = self.sender.open_study(model)
        self.tracker.reopen(run_id)
        if model in self.settings.models:
            self.tracker.describe(run_id, describe_study(model, self.space(model)))
        if model in self.refused:
            self.tracker.client.set_tag(run_id, "error", self.refused[model][-4000:])
