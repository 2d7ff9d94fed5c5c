"""The run of a matrix in MLflow, the parent of its campaigns' runs: found by name, created once."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Run

from data.command.account import user_name
from data.command.version import read_commit
from data.io.errors import format_error
from tuning.matrix.plan import CELL_TAG, MATRIX_TAG, PLAN_FILE, Cell, MatrixPlan
from tuning.settings.cell import MATRIX_KIND
from tuning.settings.lock import lock_setup
from tuning.store.creates import create_run
from tuning.tracking.campaign.scores import BEST, log_changes
from tuning.tracking.campaign_runs import IDENTITY
from tuning.tracking.client import connect, find_runs, tracking_uri
from tuning.tracking.descriptions import NOTE
from tuning.tracking.errors import tracker_errors
from tuning.tracking.ui_links import run_address, ui_address

logger = logging.getLogger(__name__)


class MatrixRun:
    """The run of a matrix in MLflow.

    Attributes:
        root: Output folder.
        plan: The plan of the matrix.
        run_id: Id of its run.

    Raises:
        ValueError: If another matrix on the tracker has this name.
        ConnectionError: If the tracker does not answer.
    """

    def __init__(self, root: Path, plan: MatrixPlan, identity: str) -> None:
        self.root, self.plan = root, plan
        with lock_setup(root):  # the first to connect creates the database
            self._client, self._experiment_id = connect(root)
        with tracker_errors(tracking_uri(root)):
            self.run_id = self._open(identity)
            self.describe({})

    def _open(self, identity: str) -> str:
        own = {"kind": MATRIX_KIND, MATRIX_TAG: self.plan.name}
        found = find_runs(self._client, self._experiment_id, **own)
        if found and found[0].data.tags.get(IDENTITY, identity) != identity:
            raise ValueError(
                f"A matrix's name must be new on its tracker, but {self.plan.name!r} was begun there by "
                f"{found[0].data.tags.get('mlflow.user', 'somebody')}. Choose another name with --name."
            )
        if found:
            self._client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
        tags = {
            **own,
            "key": MATRIX_KIND,
            IDENTITY: identity,
            "mlflow.runName": self.plan.name,
            "mlflow.user": user_name(),
            "mlflow.source.name": "tuning.matrix",
            "mlflow.source.type": "LOCAL",
            "git_commit": read_commit(Path(__file__).parent),
        }

        def find() -> Any:
            return next(iter(find_runs(self._client, self._experiment_id, **own)), None)

        run_id = create_run(self._client, self._experiment_id, tags, None, find).info.run_id
        for name, value in list_params(self.plan).items():
            self._client.log_param(run_id, name, value)
        self._client.log_dict(run_id, self.plan.to_json(), PLAN_FILE)
        return str(run_id)

    def describe(self, states: Mapping[str, str]) -> None:
        """Describe the matrix on its page, with a link to each cell's campaign that has a run.

        Args:
            states: How each campaign ended, in words; the plan alone if empty.
        """
        runs = self._find_campaigns()
        place = ui_address(tracking_uri(self.root)), self._experiment_id
        links = {run.data.tags["campaign"]: run_address(*place, run.info.run_id) for run in runs}
        text = describe_matrix(self.plan, links, states)
        self._client.set_tag(self.run_id, NOTE, text)

    def _find_campaigns(self) -> list[Run]:
        tags = {"kind": "campaign", MATRIX_TAG: self.plan.name}
        return find_runs(self._client, self._experiment_id, **tags)

    def log_scores(self) -> None:
        """Log the score of each cell's best model as a metric ``cells/<campaign>``."""
        scores = {
            f"cells/{run.data.tags['campaign']}": run.data.metrics[BEST]
            for run in self._find_campaigns()
            if BEST in run.data.metrics
        }
        log_changes(self._client, self.run_id, scores)

    def close(self, status: str, states: Mapping[str, str]) -> None:
        """Set the final status, and describe the matrix with its results and the scores of its cells.

        Raises:
            ConnectionError: If the tracker does not answer.
        """
        with tracker_errors(tracking_uri(self.root)):
            self.describe(states)
            self.log_scores()
            self._client.set_terminated(self.run_id, status, int(time.time() * 1000))

    def close_interrupted(self, status: str) -> None:
        """Set the status of a matrix that did not end; log a warning if the tracker does not answer."""
        try:
            self._client.set_terminated(self.run_id, status)
        except Exception as error:  # noqa: BLE001 - the caller raises the first error
            logger.warning(
                "The run of matrix %s stays open in MLflow (%s) until it is resumed.",
                *(self.plan.name, format_error(error)),
            )


def list_params(plan: MatrixPlan) -> dict[str, str]:
    """Return the params of a matrix's run."""
    axes = {f"axis.{axis.name}": ", ".join(lv.text for lv in axis.levels) for axis in plan.axes}
    references = {f"reference.{axis.name}": axis.reference for axis in plan.axes}
    return {
        **{name: value[:6000] for name, value in axes.items()},
        **references,
        "models": ", ".join((*plan.models, *plan.baselines))[:6000],
        "primary": plan.primary,
        "search": plan.search,
        "margin": str(plan.margin),
        "block_tiles": str(plan.block_tiles),
        "seeds": str(plan.seeds),
        "dropped_seeds": str(plan.dropped_seeds),
    }


def describe_matrix(plan: MatrixPlan, links: Mapping[str, str], states: Mapping[str, str]) -> str:
    """Describe a matrix in Markdown: its axes, and a table of its cells.

    Args:
        plan: Its plan.
        links: URL of each campaign's run.
        states: How each campaign ended, in words.
    """
    models = ", ".join((*plan.models, *plan.baselines))
    lines = [
        f"Matrix of {len(plan.cells)} campaigns, each with {plan.seeds} seeds; models: {models}.",
        "",
    ]
    for axis in plan.axes:
        kind = "primary" if axis.name == plan.primary else "exploratory"
        levels = ", ".join(level.text for level in axis.levels)
        lines.append(
            f"- `{axis.name}` ({axis.label}, {kind}): {levels}; reference {axis.reference}"
        )
    lines += ["", f"| {CELL_TAG} | campaign | state |", "|---|---|---|"]
    for cell in plan.cells:
        name = cell.campaign
        link = f"[{name}]({links[name]})" if name in links else name
        lines.append(f"| {format_places(cell)} | {link} | {states.get(name, 'planned')} |")
    return "\n".join(lines)


def format_places(cell: Cell) -> str:
    """Return where a cell stands, such as ``channels=VV``."""
    return "; ".join(f"{axis}={level}" for axis, level in cell.places)
