"""The campaign's side of MLflow: its campaign, study and trial runs, found by key and never made twice."""

import getpass
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow.entities import DatasetInput, LoggedModelStatus, Param, Run

from tuning.tracking.client import connect, find_runs
from tuning.tracking.descriptions import NOTE, describe_trial
from tuning.tracking.errors import explain_denied_access
from tuning.tracking.log_model import collect_scores, log_model
from tuning.tracking.payloads import CampaignContext, flatten, make_epoch_metrics, make_scalars
from tuning.tracking.trial_artifacts import log_trial_artifacts
from tuning.trial.folder import TrialFolder

logger = logging.getLogger(__name__)

# How a trial ended, by MLflow status: an early stop must not look like a full training.
STATUS = {
    "last epoch": "FINISHED",
    "patience": "FINISHED",
    "scheduler": "KILLED",
    "error": "FAILED",
    "kill": "KILLED",
}
IDENTITY = "campaign_id"  # tag of a campaign's run: tells it from another one of its name
_OPENED = "opened"  # tag: params and data are there


class Tracker:
    """The campaign's side of MLflow.

    Attributes:
        context: What every run is tagged with.
        client: The MLflow client.
        experiment_id: Experiment of all campaigns.
    """

    def __init__(self, root: Path, context: CampaignContext) -> None:
        self.context = context
        self.client, self.experiment_id = connect(root)
        self._logged: dict[str, int] = {}  # last epoch by run id
        self._run_ids: dict[str, str] = {}  # run id by key
        self._made_all = False  # whether the campaign has no runs but those made here

    @property
    def synthetic(self) -> bool:
        """Whether the tiles are the twin's."""
        return self.context.data == "synthetic"

    def open_run(
        self,
        kind: str,
        key: str,
        name: str,
        parent: str | None = None,
        tags: dict[str, str] | None = None,
        params: dict[str, Any] | None = None,
        data: DatasetInput | None = None,
        began_ms: int | None = None,
    ) -> str:
        """Find the run of a key in this campaign, or create it; return its id.

        In a campaign that begins here none is looked for: among 20,000 runs each search took half a second.

        Args:
            kind: ``campaign``, ``study`` or ``trial``.
            key: What identifies the run within the campaign.
            name: Name for people.
            parent: Id of the parent run.
            tags: Further tags.
            params: Params, logged once.
            data: The data set that it reads.
            began_ms: When it began, which may be before it is sent; now when left out.
        """
        if key in self._run_ids:
            return self._run_ids[key]
        # A call that fails may have made the run all the same: after it, runs are looked for.
        made_all, self._made_all = self._made_all, False
        found = [] if made_all else self._find(key=key)
        is_new = kind == "campaign" and not found and not self._find()
        if found:
            run = found[0]
        else:
            every = {"kind": kind, "key": key, "mlflow.runName": name, **self._origin()}
            every |= {"mlflow.parentRunId": parent} if parent else {}
            run = self.client.create_run(self.experiment_id, began_ms, {**every, **(tags or {})})
        if _OPENED not in run.data.tags:
            self._tell_start(run.info.run_id, params or {}, data)
        self._run_ids[key] = run.info.run_id
        self._made_all = made_all or is_new
        return self._run_ids[key]

    def _tell_start(self, run_id: str, params: dict[str, Any], data: DatasetInput | None) -> None:
        """Log a new run's params and data; once more after a kill in between."""
        entries = [Param(name, str(value)) for name, value in flatten(params).items()]
        self.client.log_batch(run_id, params=entries)
        if data is not None:
            self.client.log_inputs(run_id, [data])
        self.client.set_tag(run_id, _OPENED, "yes")

    def claim(self, run_id: str, identity: str) -> None:
        """Make sure that a campaign's name is this campaign's own on the tracker.

        Args:
            run_id: The run found or made for the campaign.
            identity: What tells this campaign from others of its name.

        Raises:
            ValueError: If another campaign has the name.
        """
        name = self.context.campaign
        found = self._find(kind="campaign")
        tags = found[0].data.tags
        if tags.get(IDENTITY, identity) == identity:
            return
        if run_id != found[0].info.run_id:  # both began at the same moment; this one is new
            with explain_denied_access(f"run {run_id}"):
                self.client.delete_run(run_id)
        raise ValueError(
            f"A campaign's name must be new on its tracker, but {name!r} was begun there by "
            f"{tags.get('mlflow.user', 'somebody')}. Choose another name with --campaign."
        )

    def _origin(self) -> dict[str, str]:
        """Return the tags of every run: the campaign's, and those that MLflow shows as source and version."""
        return {
            **asdict(self.context),
            "mlflow.user": getpass.getuser(),
            "mlflow.source.name": "tuning.run",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": self.context.git_commit.removesuffix("-dirty"),
        }

    def describe(self, run_id: str, note: str) -> None:
        """Set what MLflow shows as a run's description, in Markdown."""
        self.client.set_tag(run_id, NOTE, note)

    def reopen(self, run_id: str) -> None:
        """Mark a run as running again: an interrupted campaign goes on in the runs that it has."""
        run = self.client.get_run(run_id)
        for tag in ("ended_by", "error"):
            if tag in run.data.tags:
                self.client.delete_tag(run_id, tag)
        if run.info.status != "RUNNING":
            self.client.update_run(run_id, status="RUNNING")

    def mirror(self, run_id: str, journal: TrialFolder) -> int:
        """Log the epochs of a trial folder that its run lacks, one batch an epoch; return how many."""
        sent = 0
        if run_id not in self._logged:
            history = self.client.get_metric_history(run_id, "val_pr_auc")
            self._logged[run_id] = max((metric.step for metric in history), default=0)
        for row in journal.history():
            if row["epoch"] > self._logged[run_id]:
                self.client.log_batch(run_id, metrics=make_epoch_metrics(row))
                self._logged[run_id] = row["epoch"]
                sent += 1
        return sent

    def finish(
        self,
        run_id: str,
        journal: TrialFolder,
        ended_by: str,
        message: str = "",
        ended_ms: int | None = None,
        *,
        model: bool = True,
        final: bool = True,
    ) -> None:
        """Bring a trial's run to its end: curves, files, best checkpoint as a model, status.

        Args:
            run_id: The trial's run.
            journal: The trial's folder.
            ended_by: ``last epoch``, ``patience``, ``scheduler``, ``error`` or ``kill``.
            message: What went wrong, for ``error``.
            ended_ms: When it ended; now when left out.
            model: Whether to log the best checkpoint as a model.
            final: Whether it cannot be continued; else it gets epochs, status and reason alone.
        """
        self.mirror(run_id, journal)
        if final:
            if "curves" not in self.client.get_run(run_id).data.tags:
                log_trial_artifacts(self.client, run_id, journal, self.synthetic)
            if model:
                self.keep_model(run_id, journal)
        self.describe(run_id, describe_trial(run_id, ended_by, journal.history(), message))
        if message:
            self.client.set_tag(run_id, "error", message[-4000:])
        self.close(run_id, STATUS[ended_by], ended_ms)
        self.client.set_tag(run_id, "ended_by", ended_by)  # last: with it, nothing is lacking

    def keep_model(self, run_id: str, journal: TrialFolder) -> None:
        """Log a trial's best checkpoint as a model, once."""
        tags = self.client.get_run(run_id).data.tags
        if "model_uri" in tags or not journal.best.is_file():
            return
        uri = self._find_model(run_id)
        if uri is None:
            facts, scores = asdict(self.context), collect_scores(journal)
            uri = log_model(self.client, self.experiment_id, run_id, journal, facts, scores)
        self.client.set_tag(run_id, "model_uri", uri)

    def _find_model(self, run_id: str) -> str | None:
        """Find the model of a run that a kill left without its tag; remove what a kill left unfinished."""
        wanted, found = f"source_run_id = '{run_id}'", None
        for model in self.client.search_logged_models([self.experiment_id], wanted):
            if model.status == LoggedModelStatus.READY:
                found = f"models:/{model.model_id}"
            else:
                with explain_denied_access(f"unfinished model {model.model_id} of run {run_id}"):
                    self.client.delete_logged_model(model.model_id)
        return found

    def log_scores(self, run_id: str, values: Mapping[str, float]) -> None:
        """Log numbers without steps."""
        self.client.log_batch(run_id, metrics=make_scalars(values))

    def add_up(self, prefix: str) -> dict[str, float]:
        """Add up the metrics of a prefix over the campaign's trials."""
        totals: dict[str, float] = {}
        for run in self.find_trials():
            for name, value in run.data.metrics.items():
                if name.startswith(prefix):
                    totals[name] = totals.get(name, 0.0) + value
        return totals

    def close(self, run_id: str, status: str, ended_ms: int | None = None) -> None:
        """Set a run's final status, and when it ended: now when left out."""
        self.client.set_terminated(run_id, status, ended_ms)

    def close_running(self, status: str) -> None:
        """Close every run of the campaign that is still open; a trial among them was cut off."""
        for run in self._find():
            if run.info.status == "RUNNING":
                self.close(run.info.run_id, status)
                if run.data.tags.get("kind") == "trial":
                    self.client.set_tag(run.info.run_id, "ended_by", "kill")

    def find_trials(self, **tags: str) -> list[Run]:
        """List this campaign's trial runs with the given tags, oldest first."""
        return self._find(kind="trial", **tags)

    def _find(self, **tags: str) -> list[Run]:
        campaign = self.context.campaign
        return find_runs(self.client, self.experiment_id, campaign=campaign, **tags)
