"""Registered models: one per architecture, each version with scores, provenance and gate result as tags."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from data.pack.channels import select_even_steps
from tuning.registry import aliases
from tuning.registry.comparable import make_printable
from tuning.registry.gate import Program, run_gate_checks
from tuning.registry.gate_file import GATE_FILE, read_gate_tiles
from tuning.registry.gate_tiles import GateTiles
from tuning.registry.model_card import (
    CARD_TAGS,
    GATE_TAG,
    MAP_THRESHOLD,
    PULLED,
    describe_model,
    make_card,
    make_gate_tags,
    replace_gate,
)
from tuning.registry.names import MULTI, REGIONS_TAG, read_regions_tag, registered_name
from tuning.serving.program import Program as LoadedProgram
from tuning.serving.reference import check_program, read_reference
from tuning.store.creates import create_registered_model, create_version
from tuning.store.database import EXPERIMENT
from tuning.tracking.client import find_runs, quote
from tuning.tracking.model_digest import DIGEST, find_model_id, load_registered, read_digest

REGISTERED = (
    "registered_as"  # tag of a run: its version, which is not made again after somebody deleted it
)
logger = logging.getLogger(__name__)


class NotRegisteredError(ValueError):
    """A model that a report does not register, with the reason."""


def register_version(
    client: MlflowClient, model: str, uri: str, run_id: str, tags: Mapping[str, str]
) -> int:
    """Register a trial's logged model, once.

    Args:
        client: MLflow client.
        model: Architecture.
        uri: The logged model, ``models:/m-…``.
        run_id: Run that logged it; a second call for the same run returns the first call's version.
        tags: Scores and provenance from :func:`tuning.registry.model_card.make_tags`, with ``run_id``.

    Returns:
        The version's number.

    Raises:
        NotRegisteredError: If somebody deleted the version that was registered for this run.
        ValueError: If the loaded model's output differs from the network's.
    """
    regions = read_regions_tag(tags, f"the tags of run {run_id}")
    name = registered_name(model, regions)
    _create_registered_model(client, name, tags.get("model", model), regions)
    for version in aliases.list_model_versions(client, name, f" and tags.run_id = {quote(run_id)}"):
        for key in tags.keys() - version.tags.keys():  # registered by an earlier release
            client.set_model_version_tag(name, str(version.version), key, tags[key])
        client.set_tag(run_id, REGISTERED, f"{name} version {version.version}")
        return int(version.version)
    former = client.get_run(run_id).data.tags.get(REGISTERED, "")
    if former.startswith(f"{name} version "):
        raise NotRegisteredError(
            f"It was registered as {former}, which somebody deleted. To register it again, delete the tag {REGISTERED} "
            f"of run {run_id} in MLflow, then write the report again."
        )
    _check_output(client, uri, run_id)
    all_tags = {
        **tags,
        DIGEST: read_digest(client, uri),
        MAP_THRESHOLD: _read_threshold(client, uri),
    }
    version = create_version(client, name, uri, run_id, all_tags)
    number = int(version.version)
    client.set_tag(run_id, REGISTERED, f"{name} version {number}")
    client.update_model_version(name, str(number), make_card(name, number, all_tags))
    logger.info("Registered %s version %s.", name, number)
    return number


def _read_threshold(client: MlflowClient, uri: str) -> str:
    """Return the threshold of a logged model's calibrated probabilities."""
    params = client.get_logged_model(find_model_id(client, uri)).params
    return str(params.get("threshold", ""))


def _check_output(client: MlflowClient, uri: str, run_id: str) -> None:
    """Compare the loaded model's output with the reference that was stored after training."""
    with tempfile.TemporaryDirectory() as folder:
        file = client.download_artifacts(run_id, "trial/reference.npz", folder)
        reference = read_reference(Path(file))
        check_program(load_registered(client, uri), reference)


def _create_registered_model(
    client: MlflowClient, name: str, title: str, regions: Sequence[str]
) -> None:
    tags = {REGIONS_TAG: " ".join(regions) if len(regions) == 1 else MULTI}
    create_registered_model(client, name, tags, describe_model(title))


def apply_gate(
    client: MlflowClient, name: str, number: int, campaign_run: Run | None = None
) -> ModelVersion:
    """Run a version's gate unless it has a result; store the result as tags and in the model card.

    Args:
        client: MLflow client.
        name: Registered model.
        number: Version.
        campaign_run: Run with the artifact ``gate.npz`` (default: the run of the version's campaign).

    Returns:
        The version with the gate's tags.

    Raises:
        FileNotFoundError: If the version's tags, its campaign's run or ``gate.npz`` are missing.
        ValueError: If the program's output does not have the shape ``(B, H, W)``.
    """
    version = client.get_model_version(name, str(number))
    if GATE_TAG in version.tags:
        return version
    pulled = PULLED in version.tags
    if not pulled and (missing := [key for key in CARD_TAGS if key not in version.tags]):
        raise FileNotFoundError(
            f"A gate needs a version that a report registered, but {name} version {number} lacks the "
            f"tags {', '.join(missing)}. Promote one that `python -m tuning.report` registered."
        )
    tiles = _download_gate_tiles(client, campaign_run or _find_campaign(client, version))
    network = load_registered(client, f"models:/{name}/{number}", calibrated=False)
    program = _pick_acquisitions(network, tiles.x.shape[1])
    checks = run_gate_checks(program, tiles, float(version.tags["threshold"]))
    if pulled:
        card = replace_gate(version.description or "", checks)
    else:
        card = make_card(name, number, version.tags, checks)
    client.update_model_version(name, str(number), card)
    for key, value in make_gate_tags(checks).items():
        client.set_model_version_tag(name, str(number), key, value)
    for check in checks:
        logger.log(
            logging.WARNING if check.passed is False else logging.INFO,
            "%s: %s",
            name,
            check.sentence,
        )
    return client.get_model_version(name, str(number))


def _pick_acquisitions(network: LoadedProgram, series: int) -> Program:
    """Return a network that takes a tile's whole series, of which it uses evenly spaced acquisitions."""
    if series == network.timesteps:
        return network
    chosen = select_even_steps(network.timesteps)
    return lambda x, days: network(x[:, chosen], days[:, chosen])


def _find_campaign(client: MlflowClient, version: ModelVersion) -> Run:
    """Return the run of a version's campaign."""
    campaign = version.tags.get("campaign", "")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        for run in find_runs(client, experiment.experiment_id, kind="campaign", campaign=campaign):
            return run
    if source := version.tags.get(PULLED):
        raise FileNotFoundError(
            f"A gate needs {GATE_FILE} of the version's campaign, but {version.name} version {version.version} was pulled "
            f"from {source}, and the tiles of its campaign {make_printable(campaign)!r} are not in this MLflow. Run that "
            "campaign here, or map with `python -m tuning.predict … --untrusted`, which marks the map."
        )
    raise FileNotFoundError(
        f"A gate needs the run of the version's campaign, but MLflow has none of {campaign!r}. "
        "Promote a version of a campaign that MLflow has."
    )


def _download_gate_tiles(client: MlflowClient, campaign: Run) -> GateTiles:
    run_id, name = campaign.info.run_id, campaign.data.tags["campaign"]
    if GATE_FILE not in {file.path for file in client.list_artifacts(run_id)}:
        raise FileNotFoundError(
            f"A gate needs {GATE_FILE} in its campaign's run, but campaign {name!r} has none. "
            f"`python -m tuning.run --resume {name}` adds it."
        )
    with tempfile.TemporaryDirectory() as folder:
        return read_gate_tiles(Path(client.download_artifacts(run_id, GATE_FILE, folder)))
