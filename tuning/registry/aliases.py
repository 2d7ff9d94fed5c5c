"""Aliases of the registered models: champion, challenger and rapid of each model, and the best champion of each region.

A version competes for the aliases once, in the first report after its gate has run; later reports do not undo a
promotion or a rollback by hand. It competes with comparable versions alone (:mod:`tuning.registry.comparable`): if the
champion is not, the alias stays, and a person may promote the version. A tag of the registered model records every
change of champion.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tuning.registry.champion_history import append_history, list_past_champions, read_history
from tuning.registry.comparable import explain_incomparable, version_rank
from tuning.registry.model_card import GATE_TAG, PASSED
from tuning.registry.names import list_registered_models, split_name
from tuning.tracking.client import quote, walk_pages
from tuning.tracking.errors import explain_denied_access

logger = logging.getLogger(__name__)

CHAMPION = "champion"  # alias of the version in use
CHALLENGER = "challenger"  # alias of the second-best version, or of the former champion
RAPID = "rapid"  # alias of the version that is best on val with one acquisition after the event
BEST = "best"  # alias of the best architecture's champion; one model of a region at a time has it
CONSIDERED = "considered"  # tag of a version: when it competed
REFUSED = "not_compared"  # tag of a version: why it could not be compared with the champion
EARLY_SCORE = "early_val_pr_auc"  # tag of a version: val AP with one acquisition after the event
_PAGE = 100


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
        if champion is None or not has_passed_gate(champion):
            set_champion(client, version, "report")
        elif reason := explain_incomparable(version, champion):
            _refuse(client, version, reason)
        elif version_rank(version.tags) >= version_rank(champion.tags):  # of two equals, the newer
            set_champion(client, version, "report")
        else:
            _set_challenger(client, champion)
        _update_rapid(client, version)
    _mark_considered(client, name, version.version)


def _update_rapid(client: MlflowClient, version: ModelVersion) -> None:
    """Give a version the alias ``rapid`` if it is best on val with one acquisition after the event."""
    if version.tags.get(EARLY_SCORE, "nan") == "nan":
        return  # not measured: it does not map a scene with so few
    rapid = find_version_by_alias(client, version.name, RAPID)
    if rapid is not None and has_passed_gate(rapid):
        if explain_incomparable(version, rapid):
            return
        if version_rank(version.tags, EARLY_SCORE) < version_rank(rapid.tags, EARLY_SCORE):
            return
    client.set_registered_model_alias(version.name, RAPID, str(version.version))


def _refuse(client: MlflowClient, version: ModelVersion, reason: str) -> None:
    """Leave the aliases as they are, and say why in the log and in a tag of the version."""
    text = (
        f"{reason} The champion stays. Promote by hand with `python -m tuning.registry promote {version.name} "
        f"{version.version}`."
    )
    client.set_model_version_tag(version.name, str(version.version), REFUSED, text)
    logger.warning("Not promoted: %s", text)


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
    append_history(client, name, number, by, find_version_by_alias(client, name, CHAMPION))
    _set_challenger(client, version, challenger)
    client.set_registered_model_alias(name, CHAMPION, str(number))
    _mark_considered(client, name, number)


def _mark_considered(client: MlflowClient, name: str, version: int | str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.set_model_version_tag(name, str(version), CONSIDERED, now)


def _set_challenger(
    client: MlflowClient, champion: ModelVersion, preferred: ModelVersion | None = None
) -> None:
    """Set the challenger to *preferred*, or to the best other comparable version that passed; remove it if none is."""
    name = champion.name
    others = [
        version
        for version in list_model_versions(client, name)
        if has_passed_gate(version) and int(version.version) != int(champion.version)
    ]
    rivals = [version for version in others if not explain_incomparable(version, champion)]
    best = max(rivals, key=lambda version: version_rank(version.tags), default=None)
    challenger = preferred if has_passed_gate(preferred) else best
    if challenger is not None:
        client.set_registered_model_alias(name, CHALLENGER, str(challenger.version))
    elif find_version_by_alias(client, name, CHALLENGER) is not None:
        _delete_alias(client, name, CHALLENGER)


def update_best_alias(client: MlflowClient) -> dict[str, ModelVersion]:
    """Set ``best`` on each region's champion with the highest val AP, mean over seeds; return them by region.

    Compared are the champions that are comparable with that of the model that has the alias; without such a model, with
    the newest champion.
    """
    models: dict[str, list[str]] = {}
    for name in list_registered_models(client):
        models.setdefault(split_name(name)[0], []).append(name)
    found = {region: _set_best(client, names) for region, names in models.items()}
    return {region: version for region, version in found.items() if version is not None}


def _set_best(client: MlflowClient, names: Sequence[str]) -> ModelVersion | None:
    champions = [find_version_by_alias(client, name, CHAMPION) for name in names]
    passed = [version for version in champions if version is not None and has_passed_gate(version)]
    holders = [name for name in names if find_version_by_alias(client, name, BEST) is not None]
    best = _choose_best(passed, holders)
    if best is not None:
        client.set_registered_model_alias(best.name, BEST, str(best.version))
    for name in holders:
        if best is None or name != best.name:
            _delete_alias(client, name, BEST)
    return best


def _choose_best(champions: Sequence[ModelVersion], holders: Sequence[str]) -> ModelVersion | None:
    """Return the best of the champions that are comparable with a holder's, or else with the newest."""

    def rank(version: ModelVersion) -> tuple[int, float]:
        return version_rank(version.tags, "val_pr_auc_mean")

    if not champions:
        return None
    held = [version for version in champions if version.name in holders]
    newest = max(champions, key=lambda version: (version.creation_timestamp, version.name))
    reference = max(held, key=rank, default=newest)
    rivals = [version for version in champions if not explain_incomparable(version, reference)]
    return max([reference, *rivals], key=rank)


def _delete_alias(client: MlflowClient, name: str, alias: str) -> None:
    with explain_denied_access(f"alias {alias} of registered model {name}"):
        client.delete_registered_model_alias(name, alias)


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
