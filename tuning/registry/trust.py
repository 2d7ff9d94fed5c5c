"""What is known of a model that makes a map: its version, run, files and training data, and whether its gate passed.

A map is made only with a registered version that passed its gate (:mod:`tuning.registry.gate`), unless the user insists; then
the map says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tuning.registry.comparable import make_printable
from tuning.registry.model_card import GATE_TAG, PASSED, PULLED, format_gate
from tuning.registry.names import list_registered_models
from tuning.tracking.model_digest import DIGEST, digest_folder, find_model_id

# Tags of a version, or of a logged model, that say what it learnt from.
TRAINED_ON = (
    *("regions", "data", "data_hash", "split", "split_hash", "campaign", "preset", "seed"),
    *("channels", "acquisitions", "git_commit"),
)
NOT_REGISTERED = "not registered"
UNTRUSTED = "UNTRUSTED"


@dataclass(frozen=True)
class Trust:
    """What is known of a model.

    Attributes:
        name: The model in a sentence, such as ``hokkaido-unet version 3``.
        facts: ``registered_model`` and ``version`` (None if it is not registered), ``run_id``, ``model_sha256``, ``gate``
            and ``trained_on``; plain values, as JSON holds them.
        problem: Why a map needs ``--untrusted``, as a sentence; empty if it does not.
        scores: ``precision`` and ``recall`` on test at the model's threshold, as the registry has them.
    """

    name: str
    facts: dict[str, Any]
    problem: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def warning(self) -> str:
        """The mark of a map that was made in spite of *problem*; empty without."""
        return f"{UNTRUSTED}: {self.problem}" if self.problem else ""


def examine_registered(client: MlflowClient, uri: str) -> Trust:
    """Return what MLflow knows of a registered version or a logged model.

    A logged model (``models:/m-…``) that was registered counts as that version.

    Args:
        client: MLflow client.
        uri: An existing ``models:/NAME/VERSION``, ``models:/NAME@ALIAS`` or ``models:/m-…``.
    """
    model_id = find_model_id(client, uri)
    version = _find_version(client, uri, model_id)
    logged = _read_logged(client, model_id)
    if version is None:
        facts = _make_facts(logged, NOT_REGISTERED)
        return Trust(f"model {model_id}", facts | {"run_id": logged.get("run_id")})
    tags, number = dict(version.tags), int(version.version)
    facts = _make_facts(logged | tags, format_gate(tags)) | {
        "registered_model": version.name,
        "version": number,
        "run_id": version.run_id or tags.get("run_id") or logged.get("run_id"),
    }
    name = f"{version.name} version {number}"
    scores = {key: float(tags[key]) for key in ("precision", "recall") if _is_share(tags.get(key))}
    return Trust(name, facts, _find_problem(name, tags), scores)


def examine_folder(folder: Path, tags: Mapping[str, Any]) -> Trust:
    """Return what a downloaded model's folder says of itself; its gate is not known.

    Args:
        folder: The folder.
        tags: Metadata of its ``MLmodel``.
    """
    known = {name: value for name, value in tags.items() if isinstance(value, str | int | float)}
    facts = _make_facts(known | {DIGEST: digest_folder(folder)}, "unknown, since it is a folder")
    return Trust(f"folder {folder}", facts)


def check_trust(trust: Trust, *, untrusted: bool) -> None:
    """Refuse a registered version that has not passed its gate.

    Raises:
        ValueError: If it has not, and the user does not insist.
    """
    if trust.problem and not untrusted:
        raise ValueError(
            f"A map needs a model that passed its gate. {trust.problem} Choose another version (`python -m tuning.registry "
            "list`), or map with --untrusted: the map is then marked."
        )


def _find_problem(name: str, tags: Mapping[str, str]) -> str:
    """Return why a version needs ``--untrusted``; empty if it passed its gate."""
    if GATE_TAG not in tags and PULLED in tags:
        source = make_printable(tags[PULLED])
        return (
            f"{name} was pulled from {source}, and its gate has not run here: `python -m tuning.registry promote` runs it if "
            "the tiles of its campaign are here."
        )
    if GATE_TAG not in tags:
        return f"{name} has no gate result: `python -m tuning.registry promote` runs its gate."
    if tags[GATE_TAG] == PASSED:
        return ""
    return f"{name} did not pass its gate ({make_printable(tags[GATE_TAG])})."


def _make_facts(tags: Mapping[str, Any], gate: str) -> dict[str, Any]:
    found = {name: tags.get(name) for name in TRAINED_ON}
    shown = {
        name: None if value in (None, "") else make_printable(str(value))
        for name, value in found.items()
    }
    return {
        "registered_model": None,
        "version": None,
        "run_id": None,
        DIGEST: tags.get(DIGEST),
        "gate": make_printable(gate),
        "trained_on": shown,
    }


def _find_version(client: MlflowClient, uri: str, model_id: str) -> ModelVersion | None:
    """Return the registered version of a model; the newest, if several versions hold it."""
    name = uri.removeprefix("models:/")
    if "@" in name:
        return client.get_model_version_by_alias(*name.rsplit("@", 1))
    if "/" in name:
        return client.get_model_version(*name.rsplit("/", 1))
    found = [
        version
        for model in list_registered_models(client)
        for version in client.search_model_versions(f"name = '{model}'")
        if str(version.model_id or version.source).removeprefix("models:/") == model_id
    ]
    return max(found, key=lambda version: int(version.creation_timestamp or 0), default=None)


def _read_logged(client: MlflowClient, model_id: str) -> dict[str, Any]:
    try:
        model = client.get_logged_model(model_id)
    except MlflowException:  # loading it says what is wrong
        return {}
    return {**model.tags, "run_id": model.source_run_id}


def _is_share(text: str | None) -> bool:
    try:
        return text is not None and 0 <= float(text) <= 1
    except ValueError:
        return False
