"""Registration of a report's winners."""

import logging

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.registry import aliases
from tuning.registry.model_card import (
    GATE_TAG,
    make_tags,
)
from tuning.registry.register import apply_gate, register_version
from tuning.report.ranking import Ranking

logger = logging.getLogger(__name__)


def register_models(
    client: MlflowClient, ranking: Ranking, table: pd.DataFrame, campaign_run: Run
) -> None:
    """Register each architecture's chosen run, try its gate, and let it compete for the aliases.

    A version that fails its gate, or whose campaign kept nothing to try it on, is named in a warning and gets
    no alias.

    Args:
        client: MLflow client.
        ranking: The campaign's models.
        table: Content of ``benchmark_master.csv``.
        campaign_run: The campaign's run, which holds ``gate.npz``.

    Raises:
        ValueError: If a model, loaded again, does not answer as its network did.
    """
    rows = {row["model"]: row for row in table.to_dict("records")}
    for model in ranking.models:
        if model.is_baseline:
            continue
        row = rows[model.title]
        number = register_version(
            client, model.key, row["weights_path"], row["run_id"], make_tags(row)
        )
        name = aliases.registered_name(model.key)
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
