"""Registration of each architecture's best run."""

import logging

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.registry import aliases
from tuning.registry.model_card import (
    GATE_TAG,
    make_tags,
)
from tuning.registry.names import read_learnt_regions, registered_name
from tuning.registry.register import apply_gate, register_version
from tuning.report.ranking import Ranking

logger = logging.getLogger(__name__)


def register_models(
    client: MlflowClient, ranking: Ranking, table: pd.DataFrame, campaign_run: Run
) -> None:
    """Register each architecture's chosen run, run its gate, and update the aliases.

    A version gets no alias but a warning if it fails its gate, or if its campaign has no ``gate.npz``.

    Args:
        client: MLflow client.
        ranking: The campaign's models.
        table: Content of ``benchmark_master.csv``.
        campaign_run: The campaign's run, which holds ``gate.npz``.

    Raises:
        ValueError: If a loaded model's output differs from its network's.
    """
    rows = {row["model"]: row for row in table.to_dict("records")}
    for model in ranking.models:
        if model.is_baseline:
            continue
        row = rows[model.title]
        regions = read_learnt_regions(client, row["weights_path"])
        number = register_version(
            client, model.key, row["weights_path"], row["run_id"], make_tags(row, regions)
        )
        name = registered_name(model.key, regions)
        try:
            version = apply_gate(client, name, number, campaign_run)
        except FileNotFoundError as error:
            logger.warning("Not promoted: %s version %s. %s", name, number, error)
            continue
        if not aliases.has_passed_gate(version):
            outcome = version.tags[GATE_TAG]
            logger.warning("Not promoted: %s version %s: its gate %s.", name, number, outcome)
        aliases.update_aliases(client, version)
    aliases.update_best_alias(client)
