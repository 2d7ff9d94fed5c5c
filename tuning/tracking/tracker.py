"""A campaign's runs in MLflow, filled from trial folders."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from mlflow.entities import LoggedModelStatus, Run

from data.io.errors import format_error
from data.io.safe_json import is_safe_name
from tuning.serving.onnx_export import ExportError
from tuning.tracking.campaign_runs import IDENTITY, CampaignRuns
from tuning.tracking.descriptions import describe_trial
from tuning.tracking.errors import explain_denied_access
from tuning.tracking.log_model import collect_scores, log_model
from tuning.tracking.payloads import CampaignContext, make_epoch_metrics, make_scalars
from tuning.tracking.trial_artifacts import log_trial_artifacts
from tuning.trial.entry import TrialEntry
from tuning.trial.folder import TrialFolder
from tuning.trial.status import is_finished, read_end

__all__ = ["IDENTITY", "MODEL_ERROR", "STATUS", "Tracker"]

logger = logging.getLogger(__name__)

MODEL_ERROR = "model_error"  # tag of a run: why its network could not be exported
MAX_REASON = 1000  # characters of it

# MLflow status by how a trial ended: an early stop must not look like a full training.
STATUS = {
    "last epoch": "FINISHED",
    "patience": "FINISHED",
    "scheduler": "KILLED",
    "error": "FAILED",
    "kill": "KILLED",
}


class Tracker(CampaignRuns):
    """A campaign's runs in MLflow, filled from trial folders: whatever a run lacks is logged.

    Attributes:
        context: Tags of every run.
        client: The MLflow client.
        experiment_id: Experiment of all campaigns.
    """

    def __init__(self, root: Path, context: CampaignContext) -> None:
        super().__init__(root, context)
        self._logged: dict[str, int] = {}  # last epoch by run id
        self._refused: dict[
            str, str
        ] = {}  # why this process could not export a model, by trial key

    @property
    def synthetic(self) -> bool:
        """Whether the tiles are the synthetic twin's."""
        return self.context.data == "synthetic"

    def has_whole(self, run: Run, folder: TrialFolder, entry: TrialEntry) -> bool:
        """Return whether a run has all of an ended trial: the tracker is asked, since it may have lost or got back any.

        Args:
            run: The trial's run, as the tracker has it now.
            folder: The trial's folder.
            entry: The trial's entry.
        """
        end = read_end(folder, entry.kind)
        if end is None:
            return False
        tags = run.data.tags
        if tags.get("ended_by") != end[0] or run.info.status != STATUS[end[0]]:
            return False
        if not is_finished(folder, entry.kind):
            return self._count_epochs(run.info.run_id) >= len(folder.history())
        has_model = bool({"model_uri", MODEL_ERROR} & tags.keys())  # or all that it can have
        return _has_files(run, folder) and (
            has_model or not (entry.model and folder.best.is_file())
        )

    def _count_epochs(self, run_id: str) -> int:
        history = self.client.get_metric_history(run_id, "val_pr_auc")
        return max((metric.step for metric in history), default=0)

    def send_epochs(self, run_id: str, folder: TrialFolder) -> int:
        """Log the epochs that a trial's run lacks, one batch per epoch; return their number."""
        sent = 0
        if run_id not in self._logged:
            self._logged[run_id] = self._count_epochs(run_id)
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
            if not _has_files(self.client.get_run(run_id), folder):
                log_trial_artifacts(self.client, run_id, folder, self.synthetic)
            if model:
                self.log_best_model(run_id, folder)
        self.describe(run_id, describe_trial(run_id, ended_by, folder.history(), message))
        if message:
            self.client.set_tag(run_id, "error", message[-4000:])
        self.close(run_id, STATUS[ended_by], ended_ms)
        self.client.set_tag(run_id, "ended_by", ended_by)  # last: it marks the run as complete

    def log_best_model(self, run_id: str, folder: TrialFolder) -> str:
        """Log a trial's best checkpoint as a model, once; a network that cannot be exported costs the run its model alone.

        Returns:
            Why the network cannot be exported, which the run's tag ``model_error`` says too; nothing if it could.
        """
        tags = self.client.get_run(run_id).data.tags
        if "model_uri" not in tags:
            if not folder.best.is_file():
                return tags.get(MODEL_ERROR, "")
            try:
                uri = self._find_model(run_id) or self._log_model(run_id, folder)
            except ExportError as error:
                return self._refuse_model(run_id, folder, format_error(error))
            self.client.set_tag(run_id, "model_uri", uri)
        if MODEL_ERROR in tags:
            self._delete_tag(run_id, MODEL_ERROR)
        self._refused.pop(folder.path.name, None)
        return ""

    def _log_model(self, run_id: str, folder: TrialFolder) -> str:
        facts, scores = asdict(self.context), collect_scores(folder)
        return log_model(self.client, self.experiment_id, run_id, folder, facts, scores)

    def _refuse_model(self, run_id: str, folder: TrialFolder, reason: str) -> str:
        self._refused[folder.path.name] = reason
        self.client.set_tag(run_id, MODEL_ERROR, reason[:MAX_REASON])
        logger.warning(
            "Trial %s has its scores, but no model: %s. Correct models/ and continue the campaign with --resume.",
            *(folder.path.name, reason.rstrip(".")),
        )
        return reason

    def lacks_model(self, folder: TrialFolder) -> bool:
        """Return whether this process could not export a trial's network; the tracker is not asked."""
        return folder.path.name in self._refused

    def retry_models(self, trials: Path) -> list[str]:
        """Export once more the checkpoints that could not be exported: the code may have been mended since.

        Args:
            trials: Folder that holds one folder per trial key.

        Returns:
            The reasons of the runs that still lack their model; what else these runs have stays as it is.
        """
        left = []
        for key, run in self.map_trials().items():
            if MODEL_ERROR not in run.data.tags or not is_safe_name(key):
                continue
            folder, known = TrialFolder(trials / key), self._refused.get(key)
            reason = known or self.log_best_model(run.info.run_id, folder)
            left += [reason] if reason else []
        return left

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
        for run in self.map_trials().values():
            for name, value in run.data.metrics.items():
                if name.startswith(prefix):
                    totals[name] = totals.get(name, 0.0) + value
        return totals


def _has_files(run: Run, folder: TrialFolder) -> bool:
    """Return whether a run has the scores, curves and files of an ended trial, of all its epochs."""
    epochs = run.data.metrics.get("epochs", 0.0)
    return "curves" in run.data.tags and epochs >= len(folder.history())
