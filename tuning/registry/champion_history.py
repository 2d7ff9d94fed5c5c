"""The champions that a registered model has had, in a tag of the model: so that a promotion can be rolled back."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from data.io.safe_json import is_number, parse_json, refused_error, show_value

HISTORY = "champion_history"  # tag of a model: [version, by, time] of each champion, as JSON


def read_history(client: MlflowClient, name: str) -> list[list[Any]]:
    """Read a model's champions, oldest first: version, ``report``, ``promote`` or ``rollback``, and time.

    Raises:
        ValueError: If the tag is not a list of such entries.
    """
    place = f"the tag {HISTORY} of {name}"
    history = parse_json(client.get_registered_model(name).tags.get(HISTORY, "[]"), place)
    if not isinstance(history, list) or not all(map(_is_entry, history)):
        remedy = "Delete the tag in MLflow to start a new history."
        raise refused_error(
            "Entries must be [version, by, time]", show_value(history), place, remedy
        )
    return history


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    return is_number(entry[0], 1, 1e9, whole=True) and all(isinstance(x, str) for x in entry[1:])


def append_history(
    client: MlflowClient, name: str, version: int, by: str, current: ModelVersion | None
) -> None:
    """Append a champion to a model's history, preceded by the current champion if that is missing.

    Args:
        client: MLflow client.
        name: Registered model.
        version: The new champion.
        by: ``report``, ``promote`` or ``rollback``.
        current: The present champion, if there is one.

    Raises:
        ValueError: If the tag is not a list of entries.
    """
    history, now = read_history(client, name), datetime.now(UTC).isoformat(timespec="seconds")
    if current is not None and int(current.version) not in [entry[0] for entry in history]:
        history.append([int(current.version), "found", now])
    if not history or history[-1][0] != version:
        history.append([version, by, now])
    client.set_registered_model_tag(name, HISTORY, json.dumps(history))


def list_past_champions(history: Sequence[Sequence[Any]]) -> list[int]:
    """Return the champions that repeated rollbacks restore, the current one last."""
    champions: list[int] = []
    for version, by, _ in history:
        if by == "rollback" and version in champions:
            while champions[-1] != version:
                champions.pop()
        else:
            champions.append(version)
    return champions
