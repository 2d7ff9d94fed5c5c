"""Which version users get: champion and challenger of each registered model, and the best of all champions.

A version competes once, in the first report that knows its gate's outcome; what a person promotes or rolls back
stays so. Every change of champion is kept in a tag of the registered model.
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
from tuning.tracking.client import explain_denied_access, quote, walk_pages

PREFIX = "hokkaido-"
CHAMPION = "champion"  # alias of an architecture's version in use
CHALLENGER = "challenger"  # alias of the version next to it
BEST = "best"  # alias of the best architecture's champion, held by one model at a time
CONSIDERED = "considered"  # tag of a version: when it competed
HISTORY = (
    "champion_history"  # tag of a registered model: [version, by, time] of each champion, as JSON
)
_PRESETS = ("smoke", "quick", "paper")
_PAGE = 100


def registered_name(model: str) -> str:
    """Return the registered name of an architecture, such as ``hokkaido-attention-unet``."""
    return PREFIX + model.replace("_", "-")


def version_rank(tags: Mapping[str, str], score: str = "val_pr_auc") -> tuple[int, int, float]:
    """Rank a version: real data before synthetic, a longer preset before a shorter, then val AP."""
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


def list_registered_models(client: MlflowClient) -> list[str]:
    """List the registered models of this project, by name."""
    wanted = f"name LIKE '{PREFIX}%'"
    found = walk_pages(
        lambda token: client.search_registered_models(wanted, max_results=_PAGE, page_token=token)
    )
    return sorted(str(model.name) for model in found)


def list_model_versions(client: MlflowClient, name: str, where: str = "") -> list[ModelVersion]:
    """List a registered model's versions, oldest first."""
    wanted = f"name = {quote(name)}{where}"
    found = walk_pages(
        lambda token: client.search_model_versions(wanted, max_results=_PAGE, page_token=token)
    )
    return sorted(found, key=lambda version: int(version.version))


def find_version_by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """Return the version that holds an alias, None where there is none."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def has_passed_gate(version: ModelVersion | None) -> bool:
    """Tell whether there is a version, and its gate let it pass."""
    return version is not None and version.tags.get(GATE_TAG) == PASSED


def update_aliases(client: MlflowClient, version: ModelVersion) -> None:
    """Let a version whose gate was tried compete for the aliases of its model, once.

    A kill at any point leaves the version to be considered again, with the same end.
    """
    if CONSIDERED in version.tags:
        return
    name = version.name
    if has_passed_gate(version):
        champion = find_version_by_alias(client, name, CHAMPION)
        if champion is None or not has_passed_gate(champion) or _beats(version, champion):
            set_champion(client, version, "report")
        else:
            _name_challenger(client, name, int(champion.version))
    _mark(client, name, version.version)


def _beats(version: ModelVersion, champion: ModelVersion) -> bool:
    return version_rank(version.tags) >= version_rank(champion.tags)  # of two equals, the newer


def set_champion(
    client: MlflowClient, version: ModelVersion, by: str, former: ModelVersion | None = None
) -> None:
    """Make a version the champion of its model, and name the challenger.

    Args:
        client: MLflow client.
        version: The new champion.
        by: ``report``, ``promote`` or ``rollback``.
        former: Who becomes challenger; the best other version that passed when left out.
    """
    name, number = version.name, int(version.version)
    _note(client, name, number, by)
    _name_challenger(client, name, number, former)
    client.set_registered_model_alias(name, CHAMPION, str(number))
    _mark(client, name, number)


def _mark(client: MlflowClient, name: str, version: int | str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.set_model_version_tag(name, str(version), CONSIDERED, now)


def _name_challenger(
    client: MlflowClient, name: str, champion: int, former: ModelVersion | None = None
) -> None:
    others = [
        version
        for version in list_model_versions(client, name)
        if has_passed_gate(version) and int(version.version) != champion
    ]
    chosen = (
        former
        if has_passed_gate(former)
        else max(others, key=lambda version: version_rank(version.tags), default=None)
    )
    if chosen is not None:
        client.set_registered_model_alias(name, CHALLENGER, str(chosen.version))
    elif find_version_by_alias(client, name, CHALLENGER) is not None:
        _take_alias(client, name, CHALLENGER)


def update_best_alias(client: MlflowClient) -> ModelVersion | None:
    """Give ``best`` to the champion of the architecture that is best on val, mean over seeds; return it."""
    names = list_registered_models(client)
    champions = [find_version_by_alias(client, name, CHAMPION) for name in names]
    passed = [version for version in champions if version is not None and has_passed_gate(version)]
    best = max(
        passed, key=lambda version: version_rank(version.tags, "val_pr_auc_mean"), default=None
    )
    if best is not None:
        client.set_registered_model_alias(best.name, BEST, str(best.version))
    for name in names:
        if (best is None or name != best.name) and find_version_by_alias(
            client, name, BEST
        ) is not None:
            _take_alias(client, name, BEST)
    return best


def _take_alias(client: MlflowClient, name: str, alias: str) -> None:
    with explain_denied_access(f"alias {alias} of registered model {name}"):
        client.delete_registered_model_alias(name, alias)


def read_history(client: MlflowClient, name: str) -> list[list[Any]]:
    """Read the champions of a model so far: version, ``report``, ``promote`` or ``rollback``, and time."""
    place = f"the tag {HISTORY} of {name}"
    history = parse_json(client.get_registered_model(name).tags.get(HISTORY, "[]"), place)
    if not isinstance(history, list) or not all(map(_is_entry, history)):
        remedy = "Delete the tag in MLflow: the history then begins anew."
        raise refused_error(
            "Entries must be [version, by, time]", show_value(history), place, remedy
        )
    return history


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    return is_number(entry[0], 1, 1e9, whole=True) and all(isinstance(x, str) for x in entry[1:])


def _note(client: MlflowClient, name: str, version: int, by: str) -> None:
    """Add a champion to the history, the one before it too where the history lacks it."""
    history, now = read_history(client, name), datetime.now(UTC).isoformat(timespec="seconds")
    before = find_version_by_alias(client, name, CHAMPION)
    if before is not None and int(before.version) not in [entry[0] for entry in history]:
        history.append([int(before.version), "found", now])
    if not history or history[-1][0] != version:
        history.append([version, by, now])
    client.set_registered_model_tag(name, HISTORY, json.dumps(history))


def list_past_champions(history: Sequence[Sequence[Any]]) -> list[int]:
    """Return the champions that a rollback would go through, the present one last."""
    stack: list[int] = []
    for version, by, _ in history:
        if by == "rollback" and version in stack:
            while stack[-1] != version:
                stack.pop()
        else:
            stack.append(version)
    return stack


def restore_previous_champion(client: MlflowClient, name: str) -> tuple[int | None, int]:
    """Make the previous champion of a model the champion again.

    Returns:
        The champion until now, and the champion now.

    Raises:
        ValueError: If no other champion before it is there and passed its gate.
    """
    every = list_model_versions(client, name)
    there = {int(version.version): version for version in every if has_passed_gate(version)}
    current = find_version_by_alias(client, name, CHAMPION)
    held = None if current is None else int(current.version)
    earlier = [
        version for version in list_past_champions(read_history(client, name)) if version in there
    ]
    while earlier and earlier[-1] == held:
        earlier.pop()
    if not earlier:
        raise ValueError(
            f"A rollback needs an earlier champion that passed its gate, but {name} has none. "
            f"Promote a version with `python -m tuning.registry promote {name} VERSION`."
        )
    set_champion(client, there[earlier[-1]], "rollback", current)
    if held is not None:
        _mark(client, name, held)  # a later report must not bring it back
    return held, earlier[-1]
