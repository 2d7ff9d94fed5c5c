"""A campaign's runs in MLflow: found by key, created once, with the right parent."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow.entities import DatasetInput, Param, Run
from mlflow.tracking import MlflowClient

from data.command.account import user_name
from tuning.settings.cell import MATRIX_KIND, MATRIX_TAG
from tuning.store.creates import create_run
from tuning.store.duplicates import choose_run, drop_duplicates, list_duplicates, mark_duplicates
from tuning.store.once import do_once
from tuning.tracking.client import connect, find_runs
from tuning.tracking.descriptions import NOTE
from tuning.tracking.errors import explain_denied_access
from tuning.tracking.payloads import CampaignContext, flatten

logger = logging.getLogger(__name__)

IDENTITY = "campaign_id"  # tag of a campaign's run: distinguishes campaigns of one name
PARENT = "mlflow.parentRunId"
_OPENED = "opened"  # tag: params and data set are logged


class CampaignRuns:
    """A campaign's runs in MLflow.

    Attributes:
        context: Tags of every run.
        client: The MLflow client.
        experiment_id: Experiment of all campaigns.
    """

    client: MlflowClient

    def __init__(self, root: Path, context: CampaignContext) -> None:
        self.context = context
        self.client, self.experiment_id = connect(root)
        self._run_ids: dict[str, str] = {}  # run id by key
        self._is_new = False  # whether this object created all runs of the campaign

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

        A new campaign creates its runs without a search: among 20,000 runs, each search took half a second. A run
        whose parent was deleted gets the present one.

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
        run = None if is_new else self.find_run(key)
        is_new |= kind == "campaign" and run is None and not self._find()
        if run is None:
            all_tags = {"kind": kind, "key": key, "mlflow.runName": name, **self._common_tags()}
            all_tags |= {PARENT: parent} if parent else {}
            run = create_run(
                self.client,
                self.experiment_id,
                all_tags | (tags or {}),
                began_ms,
                lambda: self.find_run(key),
            )
        else:
            self._complete_tags(run, {**(tags or {}), **({PARENT: parent} if parent else {})})
        if _OPENED not in run.data.tags or (params and not run.data.params):
            self._log_inputs(run.info.run_id, params or {}, data)
        self._run_ids[key] = run.info.run_id
        self._is_new = is_new
        return self._run_ids[key]

    def _complete_tags(self, run: Run, tags: dict[str, str]) -> None:
        """Set the tags that a run lacks, and its present parent: the former one may have been deleted."""
        for name, value in tags.items():
            if name not in run.data.tags or (name == PARENT and run.data.tags[name] != value):
                self.client.set_tag(run.info.run_id, name, value)

    def find_run(self, key: str) -> Run | None:
        """Return the run of a key, None if there is none; of several, mark those that do not count."""
        runs = self._find(key=key)
        if len(runs) < 2:
            return runs[0] if runs else None
        chosen = choose_run(self.client, runs)
        mark_duplicates(self.client, list_duplicates(chosen, runs))
        return chosen

    def _log_inputs(self, run_id: str, params: dict[str, Any], data: DatasetInput | None) -> None:
        """Log a new run's params and data set; a run left by a kill is logged again."""
        entries = [Param(name, str(value)) for name, value in flatten(params).items()]
        self.client.log_batch(run_id, params=entries)
        if data is not None:
            self.client.log_inputs(run_id, [data])
        self.client.set_tag(run_id, _OPENED, "yes")

    def find_matrix(self, name: str) -> str | None:
        """Return the id of a matrix's run; None if the tracker has none."""
        tags = {"kind": MATRIX_KIND, MATRIX_TAG: name}
        runs = find_runs(self.client, self.experiment_id, **tags)
        return choose_run(self.client, runs).info.run_id if runs else None

    def ask_run(self, key: str) -> Run | None:
        """Return the run of a key as the tracker has it at this moment; None if it has none, or deleted it."""
        if key in self._run_ids:
            run = self.client.get_run(self._run_ids[key])
            if run.info.lifecycle_stage == "active":
                return run
            self.forget_runs()
        return self.find_run(key)

    def ask_parents(self) -> None:
        """Forget all runs if the run of the campaign or of a study was deleted, so that they are made anew."""
        for key in [key for key in self._run_ids if key == "campaign" or key.startswith("study/")]:
            if key in self._run_ids:
                self.ask_run(key)

    def forget_runs(self) -> None:
        """Forget which runs were found: the next calls ask the tracker."""
        self._run_ids.clear()
        self._is_new = False

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
            "mlflow.user": user_name(),
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
                self._delete_tag(run_id, tag)
        if run.info.status != "RUNNING":
            self.client.update_run(run_id, status="RUNNING")

    def _delete_tag(self, run_id: str, tag: str) -> None:
        do_once(
            lambda: self.client.delete_tag(run_id, tag),
            lambda: tag not in self.client.get_run(run_id).data.tags,
        )

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

    def map_trials(self) -> dict[str, Run]:
        """Return this campaign's trial runs by key; of several with one key, the one that counts."""
        runs, _ = drop_duplicates(self.client, self.find_trials(), ("key",))
        return {run.data.tags.get("key", run.info.run_id): run for run in runs}

    def settle_duplicates(self) -> None:
        """Mark and close the runs of campaign, studies and trials that a lost answer doubled."""
        mark_duplicates(self.client, drop_duplicates(self.client, self._find(), ("key",))[1])

    def _find(self, **tags: str) -> list[Run]:
        campaign = self.context.campaign
        return find_runs(self.client, self.experiment_id, campaign=campaign, **tags)
