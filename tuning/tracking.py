"""Everything written to MLflow, by the driver alone: campaign, study and trial runs, mirrored from trial folders."""

import logging
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run

from tuning import figures
from tuning.journal import Journal
from tuning.metrics import Curve, average_precision, trace_curve
from tuning.packaging import collect_scores, log_model
from tuning.records import (
    Context,
    flatten,
    make_epoch_metrics,
    make_overlay,
    make_scalars,
    write_curve,
)
from tuning.store import connect, find_runs

logger = logging.getLogger(__name__)

# How a trial ended, by MLflow status: an early stop must not look like a full training.
STATUS = {
    "last epoch": "FINISHED",
    "patience": "FINISHED",
    "scheduler": "KILLED",
    "error": "FAILED",
}


class Tracker:
    """The campaign's side of MLflow.

    Attributes:
        context: What every run is tagged with.
        client: The MLflow client.
        experiment_id: Experiment of all campaigns.
    """

    def __init__(self, root: Path, context: Context) -> None:
        self.context = context
        self.client, self.experiment_id = connect(root)
        self._logged: dict[str, int] = {}  # last epoch by run id
        self._run_ids: dict[str, str] = {}  # run id by key

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
    ) -> str:
        """Find the run of a key in this campaign, or create it; return its id.

        Args:
            kind: ``campaign``, ``study`` or ``trial``.
            key: What identifies the run within the campaign.
            name: Name for people.
            parent: Id of the parent run.
            tags: Further tags.
            params: Params, logged once.
        """
        if key in self._run_ids:
            return self._run_ids[key]
        campaign = self.context.campaign
        found = find_runs(self.client, self.experiment_id, campaign=campaign, key=key)
        if found:
            self._run_ids[key] = found[0].info.run_id
            return self._run_ids[key]
        every = {"kind": kind, "key": key, "mlflow.runName": name, **asdict(self.context)}
        every |= {"mlflow.parentRunId": parent} if parent else {}
        run = self.client.create_run(self.experiment_id, tags={**every, **(tags or {})})
        entries = [Param(name, str(value)) for name, value in flatten(params or {}).items()]
        self.client.log_batch(run.info.run_id, params=entries)
        self._run_ids[key] = run.info.run_id
        return self._run_ids[key]

    def reopen(self, run_id: str) -> None:
        """Mark a run as running again: an interrupted campaign goes on in the runs that it has."""
        if self.client.get_run(run_id).info.status != "RUNNING":
            self.client.update_run(run_id, status="RUNNING")

    def mirror(self, run_id: str, journal: Journal) -> None:
        """Log the epochs of a trial folder that its run lacks; one batch an epoch."""
        if run_id not in self._logged:
            history = self.client.get_metric_history(run_id, "val_pr_auc")
            self._logged[run_id] = max((metric.step for metric in history), default=0)
        for row in journal.history():
            if row["epoch"] > self._logged[run_id]:
                self.client.log_batch(run_id, metrics=make_epoch_metrics(row))
                self._logged[run_id] = row["epoch"]

    def finish(self, run_id: str, journal: Journal, ended_by: str, message: str = "") -> None:
        """Bring a trial's run to its end: curves, files, best checkpoint as a model, status.

        Args:
            run_id: The trial's run.
            journal: The trial's folder.
            ended_by: ``last epoch``, ``patience``, ``scheduler`` or ``error``.
            message: What went wrong, for ``error``.
        """
        self.mirror(run_id, journal)
        tags = self.client.get_run(run_id).data.tags
        if "model_uri" not in tags and journal.best.is_file():
            facts, scores = asdict(self.context), collect_scores(journal)
            tags["model_uri"] = log_model(
                self.client, self.experiment_id, run_id, journal, facts, scores
            )
            self.client.set_tag(run_id, "model_uri", tags["model_uri"])
        if "curves" not in tags:
            self._log_results(run_id, journal)
        self.client.set_tag(run_id, "ended_by", ended_by)
        if message:
            self.client.set_tag(run_id, "error", message[-4000:])
        self.close(run_id, STATUS[ended_by])

    def close(self, run_id: str, status: str) -> None:
        """Set a run's final status."""
        self.client.set_terminated(run_id, status)

    def close_running(self, status: str) -> None:
        """Close every run of the campaign that is still open."""
        campaign = self.context.campaign
        for run in find_runs(self.client, self.experiment_id, campaign=campaign):
            if run.info.status == "RUNNING":
                self.close(run.info.run_id, status)

    def _log_results(self, run_id: str, journal: Journal) -> None:
        """Log PR curves, scores and files."""
        name = self.client.get_run(run_id).info.run_name
        curves: dict[str, tuple[Curve, float]] = {}
        metrics: list[Metric] = []
        for part in ("val", "test"):
            counts = journal.counts(part)
            if counts is not None and counts[1].sum():
                curve, area = trace_curve(counts), average_precision(counts)
                curves[part] = (curve, area)
                metrics += make_overlay(f"pr/{part}_precision", curve)
                metrics += make_scalars({f"best/{part}_pr_auc": area})
        metrics += make_scalars({"epochs": len(journal.history())})
        for group, file in (("test", "test"), ("cost", "cost")):
            found = journal.read(file) or {}
            metrics += make_scalars({f"{group}/{key}": value for key, value in found.items()})
        self.client.log_batch(run_id, metrics=metrics)
        with tempfile.TemporaryDirectory() as folder:
            for part, (curve, area) in curves.items():
                (Path(folder) / f"pr_{part}.json").write_text(
                    write_curve(curve, area, self.synthetic)
                )
            if curves:
                figure = figures.draw_pr(curves, str(name), self.synthetic)
                figures.save(figure, Path(folder) / "pr.png")
            self.client.log_artifacts(run_id, folder, "curves")
        for file in (
            "config.json",
            "val_counts.npy",
            "test_counts.npy",
            "test_probs.npz",
            "test.json",
            "end.json",
            "examples.npz",
        ):
            if (journal.path / file).is_file():
                self.client.log_artifact(run_id, str(journal.path / file), "trial")
        self.client.set_tag(run_id, "curves", ",".join(curves))

    def find_trials(self, **tags: str) -> list[Run]:
        """List this campaign's trial runs with the given tags, oldest first."""
        return find_runs(
            self.client, self.experiment_id, campaign=self.context.campaign, kind="trial", **tags
        )
