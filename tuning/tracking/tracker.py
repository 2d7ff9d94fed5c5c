"""A campaign's runs in MLflow: found by key, never created twice, filled from trial folders."""

import getpass
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

# MLflow status by how a trial ended: an early stop must not look like a full training.
STATUS = {
    "last epoch": "FINISHED",
    "patience": "FINISHED",
    "scheduler": "KILLED",
    "error": "FAILED",
    "kill": "KILLED",
}
IDENTITY = "campaign_id"  # tag of a campaign's run: distinguishes campaigns of one name
_OPENED = "opened"  # tag: params and data set are logged


class Tracker:
    """A campaign's runs in MLflow.

    Attributes:
        context: Tags of every run.
        client: The MLflow client.
        experiment_id: Experiment of all campaigns.
    """

    def __init__(self, root: Path, context: CampaignContext) -> None:
        self.context = context
        self.client, self.experiment_id = connect(root)
        self._logged: dict[str, int] = {}  # last epoch by run id
        self._run_ids: dict[str, str] = {}  # run id by key
        self._is_new = False  # whether this object created all runs of the campaign

    @property
    def synthetic(self) -> bool:
        """Whether the tiles are the synthetic twin's."""
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

        A new campaign creates its runs without a search: among 20,000 runs, each search took half a second.

        Args:
            kind: ``campaign``, ``study`` or ``trial``.
            key: Identifies the run within the campaign.
            name: Displayed name.
            parent: Id of the parent run.
            tags: Further tags.
            params: Params, logged once.
            data: The data set that the trial reads.
            began_ms: Start in ms since 1970, which may be before it is sent; default: now.
        """
        if key in self._run_ids:
            return self._run_ids[key]
        # A failed call may have created the run nevertheless, so the next call searches for it.
        is_new, self._is_new = self._is_new, False
        runs = [] if is_new else self._find(key=key)
        is_new |= kind == "campaign" and not runs and not self._find()
        if runs:
            run = runs[0]
        else:
            all_tags = {"kind": kind, "key": key, "mlflow.runName": name, **self._common_tags()}
            all_tags |= {"mlflow.parentRunId": parent} if parent else {}
            run = self.client.create_run(self.experiment_id, began_ms, all_tags | (tags or {}))
        if _OPENED not in run.data.tags:
            self._log_inputs(run.info.run_id, params or {}, data)
        self._run_ids[key] = run.info.run_id
        self._is_new = is_new
        return self._run_ids[key]

    def _log_inputs(self, run_id: str, params: dict[str, Any], data: DatasetInput | None) -> None:
        """Log a new run's params and data set; a run left by a kill is logged again."""
        entries = [Param(name, str(value)) for name, value in flatten(params).items()]
        self.client.log_batch(run_id, params=entries)
        if data is not None:
            self.client.log_inputs(run_id, [data])
        self.client.set_tag(run_id, _OPENED, "yes")

    def claim(self, run_id: str, identity: str) -> None:
        """Check that no other campaign on the tracker has this campaign's name.

        Args:
            run_id: The run found or created for the campaign.
            identity: The campaign's id.

        Raises:
            ValueError: If another campaign has the name.
        """
        name = self.context.campaign
        first = self._find(kind="campaign")[0]
        tags = first.data.tags
        if tags.get(IDENTITY, identity) == identity:
            return
        if run_id != first.info.run_id:  # both began at the same moment; this run is new
            with explain_denied_access(f"run {run_id}"):
                self.client.delete_run(run_id)
        raise ValueError(
            f"A campaign's name must be new on its tracker, but {name!r} was begun there by "
            f"{tags.get('mlflow.user', 'somebody')}. Choose another name with --campaign."
        )

    def _common_tags(self) -> dict[str, str]:
        """Return the tags of every run: the campaign's, and MLflow's own for source and version."""
        return {
            **asdict(self.context),
            "mlflow.user": getpass.getuser(),
            "mlflow.source.name": "tuning.run",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": self.context.git_commit.removesuffix("-dirty"),
        }

    def describe(self, run_id: str, note: str) -> None:
        """Set a run's description, in Markdown."""
        self.client.set_tag(run_id, NOTE, note)

    def reopen(self, run_id: str) -> None:
        """Set a run's status to RUNNING: a resumed campaign continues its runs."""
        run = self.client.get_run(run_id)
        for tag in ("ended_by", "error"):
            if tag in run.data.tags:
                self.client.delete_tag(run_id, tag)
        if run.info.status != "RUNNING":
            self.client.update_run(run_id, status="RUNNING")

    def send_epochs(self, run_id: str, folder: TrialFolder) -> int:
        """Log the epochs that a trial's run lacks, one batch per epoch; return their number."""
        sent = 0
        if run_id not in self._logged:
            history = self.client.get_metric_history(run_id, "val_pr_auc")
            self._logged[run_id] = max((metric.step for metric in history), default=0)
        for row in folder.history():
            if row["epoch"] > self._logged[run_id]:
                self.client.log_batch(run_id, metrics=make_epoch_metrics(row))
                self._logged[run_id] = row["epoch"]
                sent += 1
        return sent

    def finish(
        self,
        run_id: str,
        folder: TrialFolder,
        ended_by: str,
        message: str = "",
        ended_ms: int | None = None,
        *,
        model: bool = True,
        final: bool = True,
    ) -> None:
        """Complete a trial's run: curves, files, best checkpoint as a model, status.

        Args:
            run_id: The trial's run.
            folder: The trial's folder.
            ended_by: ``last epoch``, ``patience``, ``scheduler``, ``error`` or ``kill``.
            message: The error's message, for ``error``.
            ended_ms: End in ms since 1970; default: now.
            model: Whether to log the best checkpoint as a model.
            final: Whether the trial cannot be resumed; otherwise only epochs, status and reason are logged.
        """
        self.send_epochs(run_id, folder)
        if final:
            if "curves" not in self.client.get_run(run_id).data.tags:
                log_trial_artifacts(self.client, run_id, folder, self.synthetic)
            if model:
                self.log_best_model(run_id, folder)
        self.describe(run_id, describe_trial(run_id, ended_by, folder.history(), message))
        if message:
            self.client.set_tag(run_id, "error", message[-4000:])
        self.close(run_id, STATUS[ended_by], ended_ms)
        self.client.set_tag(run_id, "ended_by", ended_by)  # last: it marks the run as complete

    def log_best_model(self, run_id: str, folder: TrialFolder) -> None:
        """Log a trial's best checkpoint as a model, once."""
        tags = self.client.get_run(run_id).data.tags
        if "model_uri" in tags or not folder.best.is_file():
            return
        uri = self._find_model(run_id)
        if uri is None:
            facts, scores = asdict(self.context), collect_scores(folder)
            uri = log_model(self.client, self.experiment_id, run_id, folder, facts, scores)
        self.client.set_tag(run_id, "model_uri", uri)

    def _find_model(self, run_id: str) -> str | None:
        """Find the complete model of a run that a kill left without its tag; delete unfinished models."""
        query, uri = f"source_run_id = '{run_id}'", None
        for model in self.client.search_logged_models([self.experiment_id], query):
            if model.status == LoggedModelStatus.READY:
                uri = f"models:/{model.model_id}"
            else:
                with explain_denied_access(f"unfinished model {model.model_id} of run {run_id}"):
                    self.client.delete_logged_model(model.model_id)
        return uri

    def log_scores(self, run_id: str, values: Mapping[str, float]) -> None:
        """Log metrics without steps."""
        self.client.log_batch(run_id, metrics=make_scalars(values))

    def sum_metrics(self, prefix: str) -> dict[str, float]:
        """Sum the metrics whose names begin with *prefix* over the campaign's trials."""
        totals: dict[str, float] = {}
        for run in self.find_trials():
            for name, value in run.data.metrics.items():
                if name.startswith(prefix):
                    totals[name] = totals.get(name, 0.0) + value
        return totals

    def close(self, run_id: str, status: str, ended_ms: int | None = None) -> None:
        """Set a run's final status and its end in ms since 1970; default: now."""
        self.client.set_terminated(run_id, status, ended_ms)

    def close_running(self, status: str) -> None:
        """Close every open run of the campaign; tag its open trials as killed."""
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
