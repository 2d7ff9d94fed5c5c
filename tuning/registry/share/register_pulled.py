"""A pulled model in this registry: run, logged model and version, with what its publisher claims marked as such."""

import re
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import LoggedModelOutput, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from data.io.safe_json import show_value
from models import is_network, paper_name
from tuning.registry.aliases import list_model_versions
from tuning.registry.model_card import (
    CARD_TAGS,
    MAP_THRESHOLD,
    PULLED,
    describe_model,
    describe_source,
)
from tuning.registry.names import (
    MULTI,
    REGIONS_TAG,
    list_registered_models,
    read_regions_tag,
    registered_name,
)
from tuning.registry.share.received import Received
from tuning.registry.trust import TRAINED_ON
from tuning.store.creates import (
    create_logged_model,
    create_registered_model,
    create_run,
    create_version,
    log_output,
)
from tuning.tracking.client import find_runs, quote
from tuning.tracking.log_model import finalized
from tuning.tracking.model_digest import DIGEST
from tuning.tracking.model_facts import LICENCES

CLAIMED = "claimed_"  # before the names of tags that hold what the publisher measured
CODE_TAG = "served_code"  # tag of a version: whose code file it holds
OWN_CODE, FOREIGN_CODE = "this project's", "its publisher's: do not load with mlflow.pyfunc"
_PROVENANCE = ("model", *TRAINED_ON)
_NAME = re.compile(r"[a-z0-9_]{1,60}-[a-z0-9-]{1,60}")


def check_name(client: MlflowClient, name: str) -> None:
    """Refuse a name that this project's registered models do not have.

    Raises:
        ValueError: If it is not like ``hokkaido-unet``, or another project's model has it.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "A registered model's name must be a region or group, '-' and a name, in small letters, digits and '-', such as "
            f"anna-unet, but got --as {show_value(name)}. Choose another."
        )
    exists = client.search_registered_models(f"name = {quote(name)}")
    if exists and name not in list_registered_models(client):
        raise ValueError(
            f"A pulled model must not join another project's, but the registered model {name} is not this project's. "
            "Choose another name with --as."
        )


def format_version(version: ModelVersion) -> str:
    """Return a version's name in a sentence."""
    return f"{version.name} version {version.version}"


def find_pulled(client: MlflowClient, source: str, name: str | None = None) -> ModelVersion | None:
    """Return the version that was pulled from a commit, or None.

    Args:
        client: MLflow client.
        source: ``hf:USER/REPO@COMMIT``.
        name: Registered model to look in (default: all).
    """
    for model in list_registered_models(client):
        if name in (None, model):
            for version in list_model_versions(
                client, model, f" and tags.{PULLED} = {quote(source)}"
            ):
                return version
    return None


def register_pulled(
    client: MlflowClient,
    experiment_id: str,
    source: str,
    folder: Path,
    received: Received,
    name: str | None,
) -> ModelVersion:
    """Register a checked model.

    Args:
        client: MLflow client.
        experiment_id: Experiment for the run and the logged model.
        source: ``hf:USER/REPO@COMMIT``.
        folder: Its files.
        received: What is known of it.
        name: Registered model (default: region and architecture).

    Returns:
        The version, without an alias and without a gate result.
    """
    known = {**received.claims, **received.metadata, "model": received.model}
    regions = read_regions_tag(known, source)
    name = name or registered_name(received.model, regions)
    check_name(client, name)
    tags = _make_tags(source, received, known, regions)
    group = {REGIONS_TAG: " ".join(regions) if len(regions) == 1 else MULTI}
    create_registered_model(client, name, group, describe_model(_title(received)))
    run_id = _open_run(client, experiment_id, source, name)
    uri = _log_folder(client, experiment_id, run_id, folder, tags)
    version = create_version(client, name, uri, run_id, tags | {"run_id": run_id})
    client.update_model_version(name, str(version.version), _make_card(tags, received))
    client.set_terminated(run_id)
    return version


def _make_tags(
    source: str, received: Received, known: Mapping[str, str], regions: tuple[str, ...]
) -> dict[str, str]:
    """Return a version's tags: where it comes from, what it learnt from, and what its publisher claims.

    Nothing here is a tag that the gate or an alias reads.
    """
    kind = "real" if known.get("data") == "real" else "synthetic"
    provenance = {key: known[key] for key in _PROVENANCE if key in known}
    claims = {key: received.claims[key] for key in CARD_TAGS if key in received.claims}
    scores = {key: value for key, value in claims.items() if key not in provenance}
    origin = {f"{CLAIMED}{key}": value for key, value in received.origin.items()}
    return {
        **provenance,
        **{f"{CLAIMED}{key}": value for key, value in scores.items()},
        **origin,
        REGIONS_TAG: " ".join(regions),
        "data": kind,
        "licence": LICENCES[kind],
        "data_source": describe_source(kind, regions),
        "threshold": str(received.own_threshold),
        MAP_THRESHOLD: str(received.threshold),
        DIGEST: received.digest,
        CODE_TAG: OWN_CODE if received.own_code else FOREIGN_CODE,
        PULLED: source,
    }


def _open_run(client: MlflowClient, experiment_id: str, source: str, name: str) -> str:
    """Return the run of a pull; one that was interrupted is used again."""

    def find() -> Run | None:
        key = {PULLED: source, "pulled_as": name}
        return next(iter(find_runs(client, experiment_id, kind="pull", **key)), None)

    tags = {"kind": "pull", PULLED: source, "pulled_as": name, "mlflow.runName": f"pull {source}"}
    run = find() or create_run(client, experiment_id, tags, None, find)
    return str(run.info.run_id)


def _log_folder(
    client: MlflowClient, experiment_id: str, run_id: str, folder: Path, tags: Mapping[str, str]
) -> str:
    """Store a model's folder as a logged model; return its URI."""
    kept = {key: value for key, value in tags.items() if not key.startswith(CLAIMED)}
    params = {"threshold": tags[MAP_THRESHOLD]}
    digest = kept.pop(DIGEST)
    model = create_logged_model(client, experiment_id, tags["model"], run_id, kept, params)
    with finalized(client, model.model_id):
        client.log_model_artifacts(model.model_id, str(folder))
        client.set_logged_model_tags(model.model_id, {DIGEST: digest})
        log_output(client, run_id, LoggedModelOutput(model.model_id, 0))
    return f"models:/{model.model_id}"


def _title(received: Received) -> str:
    """Return the name of a pulled network in tables; its key, if its class is unknown here."""
    return paper_name(received.model) if is_network(received.model) else received.model


def _make_card(tags: Mapping[str, str], received: Received) -> str:
    """Return a pulled version's description; its gate's section is last."""
    claims = {
        key.removeprefix(CLAIMED): value for key, value in tags.items() if key.startswith(CLAIMED)
    }
    rows = "\n".join(f"| {key} | {value.replace('|', ' ')} |" for key, value in claims.items())
    code = f"Its code file is {tags[CODE_TAG]}."
    synthetic = "**Synthetic data: these scores say nothing about a real place.**\n\n"
    return (
        f"# {_title(received)}\n\nPulled from `{tags[PULLED]}`. {code} Digest `{received.digest}`.\n\n"
        f"## Claims of its publisher, not measured here\n| | |\n|---|---|\n{rows or '| none | |'}\n\n"
        f"{synthetic if tags['data'] == 'synthetic' else ''}"
        f"## Data\n{tags['data_source']}. Campaign {tags.get('campaign', 'not stated')} of its publisher.\n\n"
        f"## Licence\n{tags['licence']}\n\n## Gate\nNot run here."
    )
