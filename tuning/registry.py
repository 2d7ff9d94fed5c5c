"""Registered models: one per architecture, versions tagged with scores and provenance, aliases moved by val."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tuning.export import check_program
from tuning.integrity import load_registered

logger = logging.getLogger(__name__)

PREFIX = "hokkaido-"
BEST = "best"  # alias of an architecture's best version
CHAMPION = "champion"  # alias of the best architecture's best version, held by one model at a time
_PRESETS = ("smoke", "quick", "paper")


def registered_name(model: str) -> str:
    """Return the registered name of an architecture, such as ``hokkaido-attention-unet``."""
    return PREFIX + model.replace("_", "-")


def register(
    client: MlflowClient, model: str, uri: str, run_id: str, tags: Mapping[str, str]
) -> int:
    """Register a trial's logged model once.

    Args:
        client: MLflow client.
        model: Architecture.
        uri: The logged model, ``models:/m-…``.
        run_id: Run that made it; a second call for the same run adds nothing.
        tags: Scores and provenance of the version; must hold ``run_id``.

    Returns:
        The version's number.

    Raises:
        ValueError: If the model, loaded again, does not answer as its network did.
    """
    name = registered_name(model)
    _make_model(client, name)
    for version in client.search_model_versions(f"name='{name}'"):
        if version.tags.get("run_id") == run_id:
            return int(version.version)
    _check(client, uri, run_id)
    made = client.create_model_version(name, uri, run_id, tags=dict(tags))
    logger.info("Registered %s version %s.", name, made.version)
    return int(made.version)


def _check(client: MlflowClient, uri: str, run_id: str) -> None:
    """Load the model as logged, and compare it with what its network answered in training."""
    with tempfile.TemporaryDirectory() as to:
        file = client.download_artifacts(run_id, "trial/reference.npz", to)
        with np.load(file, allow_pickle=False) as reference:
            check_program(load_registered(client, uri), reference)


def _make_model(client: MlflowClient, name: str) -> None:
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(
            name, description="Landslide probability from Sentinel-1 series."
        )


def rank_of(tags: Mapping[str, str]) -> tuple[int, int, float]:
    """Rank a version: real data before synthetic, a longer preset before a shorter, then val AP."""
    real = int(tags.get("data") == "real")
    preset = tags.get("preset", "")
    length = _PRESETS.index(preset) if preset in _PRESETS else -1
    return real, length, float(tags.get("val_pr_auc", "-1"))


def move_alias(
    client: MlflowClient, alias: str, name: str, version: int, others: Sequence[str]
) -> bool:
    """Give an alias to a version unless a better one holds it, here or in one of *others*.

    Args:
        client: MLflow client.
        alias: ``best`` or ``champion``.
        name: Registered model.
        version: The version that asks for it.
        others: Registered models that must give the alias up.

    Returns:
        Whether the version holds the alias now.
    """
    mine = rank_of(client.get_model_version(name, str(version)).tags)
    holders = [(other, _holder(client, other, alias)) for other in {name, *others}]
    for _, holder in holders:
        if holder is not None and rank_of(holder.tags) > mine:
            return False
    for other, holder in holders:
        if holder is not None and other != name:
            client.delete_registered_model_alias(other, alias)
    client.set_registered_model_alias(name, alias, str(version))
    return True


def _holder(client: MlflowClient, name: str, alias: str) -> Any:
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None
