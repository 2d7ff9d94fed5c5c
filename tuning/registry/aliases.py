"""Aliases of the registered models: champion and challenger of each model, and the best champion of each region.

A version competes for the aliases once, in the first report after its gate has run; later reports do not undo a
promotion or a rollback by hand. A tag of the registered model records every change of champion.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.io.safe_json import is_number, parse_json, refused_error, show_value
from tuning.registry.model_card import GATE_TAG, PASSED
from tuning.registry.names import list_registered_models, split_name
from tuning.tracking.client import quote, walk_pages
from tuning.tracking.errors import explain_denied_access

CHAMPION = "champion"  # alias of the version in use
CHALLENGER = "challenger"  # alias of the second-best version, or of the former champion
BEST = "best"  # alias of the best architecture's champion; one model of a region at a time has it
CONSIDERED = "considered"  # tag of a version: when it competed
HISTORY = "champion_history"  # tag of a model: [version, by, time] of each champion, as JSON
_PRESETS = ("smoke", "quick", "paper")  # shortest first
_PAGE = 100


def version_rank(tags: Mapping[str, str], score: str = "val_pr_auc") -> tuple[int, int, float]:
    """Return a sort key of a version, higher is better: real data before synthetic, longer preset, val AP.

    Raises:
        ValueError: If the tag *score* is not a number.
    """
    real = int(tags.get("data") == "real")
    preset = tags.get("preset", "")
    length = _PRESETS.index(preset) if preset in _PRESETS else -1
    try:
        return real, length, float(tags.get(score, "-1"))
    except ValueError as error:
        rule, remedy = f"The tag {score} must be a number", "Correct the tag in MLflow."
        raise refused_error(
            rule, show_value(tags[score]), "a registered version", remedy
        ) from error


def list_model_versions(client: MlflowClient, name: str, condition: str = "") -> list[ModelVersion]:
    """List a registered model's versions, oldest first.

    Args:
        client: MLflow client.
        name: Registered model.
        condition: Appended to MLflow's filter, such as ``" and tags.run_id = '…'"``.
    """
    query = f"name = {quote(name)}{condition}"
    versions = walk_pages(
        lambda token: client.search_model_versions(query, max_results=_PAGE, page_token=token)
    )
    return sorted(versions, key=lambda version: int(version.version))


def find_version_by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """Return the version with an alias, or None."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def has_passed_gate(version: ModelVersion | None) -> bool:
    """Return whether the version exists and passed its gate."""
    return version is not None and version.tags.get(GATE_TAG) == PASSED


def update_aliases(client: MlflowClient, version: ModelVersion) -> None:
    """Let a version with a gate result compete for the aliases of its model, once.

    If the process is killed at any point, the next call repeats the update with the same result.
    """
    if CONSIDERED in version.tags:
        return
    name = version.name
    if has_passed_gate(version):
        champion = find_version_by_alias(client, name, CHAMPION)
        if champion is None or not has_passed_gate(champion) or _beats(version, champion):
            set_champion(client, version, "report")
        else:
            _set_challenger(client, name, int(champion.version))
    _mark_considered(client, name, version.version)


def _beats(version: ModelVersion, champion: ModelVersion) -> bool:
    return version_rank(version.tags) >= version_rank(champion.tags)  # of two equals, the newer


def set_champion(
    client: MlflowClient, version: ModelVersion, by: str, challenger: ModelVersion | None = None
) -> None:
    """Make a version the champion of its model, and choose the challenger.

    Args:
        client: MLflow client.
        version: The new champion.
        by: ``report``, ``promote`` or ``rollback``.
        challenger: The new challenger if it passed its gate; otherwise the best other version that passed.
    """
    name, number = version.name, int(version.version)
    _append_history(client, name, number, by)
    _set_challenger(client, name, number, challenger)
    client.set_registered_model_alias(name, CHAMPION, str(number))
    _mark_considered(client, name, number)


def _mark_considered(client: MlflowClient, name: str, version: int | str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.set_model_version_tag(name, str(version), CONSIDERED, now)


def _set_challenger(
    client: MlflowClient, name: str, champion: int, preferred: ModelVersion | None = None
) -> None:
    """Set the challenger to *preferred*, or to the best other version that passed; remove it if there is none."""
    others = [
        version
        for version in list_model_versions(client, name)
        if has_passed_gate(version) and int(version.version) != champion
    ]
    best = max(others, key=lambda version: version_rank(version.tags), default=None)
    challenger = preferred if has_passed_gate(preferred) else best
    if challenger is not None:
        client.set_registered_model_alias(name, CHALLENGER, str(challenger.version))
    elif find_version_by_alias(client, name, CHALLENGER) is not None:
        _delete_alias(client, name, CHALLENGER)


def update_best_alias(client: MlflowClient) -> dict[str, ModelVersion]:
    """Set ``best`` on each region's champion with the highest val AP, mean over seeds; return them by region."""
    models: dict[str, list[str]] = {}
    for name in list_registered_models(client):
        models.setdefault(split_name(name)[0], []).append(name)
    found = {region: _set_best(client, names) for region, names in models.items()}
    return {region: version for region, version in found.items() if version is not None}


def _set_best(client: MlflowClient, names: Sequence[str]) -> ModelVersion | None:
    champions = [find_version_by_alias(client, name, CHAMPION) for name in names]
    passed = [version for version in champions if version is not None and has_passed_gate(version)]
    best = max(
        passed, key=lambda version: version_rank(version.tags, "val_pr_auc_mean"), default=None
    )
    if best is not None:
        client.set_registered_model_alias(best.name, BEST, str(best.version))
    for name in names:
        is_best = best is not None and name == best.name
        if not is_best and find_version_by_alias(client, name, BEST) is not None:
            _delete_alias(client, name, BEST)
    return best


def _delete_alias(client: MlflowClient, name: str, alias: str) -> None:
    with explain_denied_access(f"alias {alias} of registered model {name}"):
        client.delete_registered_model_alias(name, alias)


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


def _append_history(client: MlflowClient, name: str, version: int, by: str) -> None:
    """Append a champion to the history, preceded by the current champion if that is missing."""
    history, now = read_history(client, name), datetime.now(UTC).isoformat(timespec="seconds")
    current = find_version_by_alias(client, name, CHAMPION)
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


def restore_previous_champion(client: MlflowClient, name: str) -> tuple[int | None, int]:
    """Make the previous champion of a model the champion again.

    Returns:
        The former and the new champion's version.

    Raises:
        ValueError: If no earlier champion exists that passed its gate.
    """
    passed = {
        int(version.version): version
        for version in list_model_versions(client, name)
        if has_passed_gate(version)
    }
    current = find_version_by_alias(client, name, CHAMPION)
    former = None if current is None else int(current.version)
    past = [
        version for version in list_past_champions(read_history(client, name)) if version in passed
    ]
    while past and past[-1] == former:
        past.pop()
    if not past:
        raise ValueError(
            f"A rollback needs an earlier champion that passed its gate, but {name} has none. "
            f"Promote a version with `python -m tuning.registry promote {name} VERSION`."
        )
    set_champion(client, passed[past[-1]], "rollback", current)
    if former is not None:
        _mark_considered(client, name, former)  # or a later report would make it champion again
    return former, past[-1]
