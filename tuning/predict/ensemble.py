"""Loads the networks of a map: a registered model, all seeds of its study, or a downloaded model's folder.

No code of a logged model runs: only its network and ``facts.json`` are read (`tuning.tracking.model_digest`).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow.models
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.io.safe_json import is_number, read_json, refused_error, show_value
from data.pack.channels import check_steps
from data.pack.profile import TrainingProfile, read_profile
from data.scene.base import InputSpec
from data.tiles.regions import DEFAULT_REGION, parse_time, read_regions
from tuning.registry.resolve import open_registry, resolve_model_uri
from tuning.registry.trust import Trust, examine_folder, examine_registered
from tuning.serving.program import Program, load_program
from tuning.serving.stored_network import StoredNetwork, read_network
from tuning.statistics.expected import check_expected
from tuning.tracking.client import find_runs
from tuning.tracking.model_digest import (
    ARTIFACTS,
    FACTS,
    PROGRAM,
    check_files,
    fetch_registered,
    find_model_id,
)
from tuning.trial.config import check_config

logger = logging.getLogger(__name__)

# A model without a training profile learnt from Hokkaido: profiles came before other regions.
LEGACY_EVENTS = tuple(
    (name, region.event)
    for name, region in read_regions().items()
    if name == DEFAULT_REGION and region.event is not None
)


@dataclass(frozen=True)
class Member:
    """One trained network.

    Attributes:
        uri: Its model URI or folder.
        program: Maps ``(B, T, C, H, W)`` to probabilities ``(B, H, W)`` on one core; *network* is the same for a GPU.
        spec: Its input.
        threshold: Minimum probability of a landslide pixel, chosen on val.
        synthetic: Whether it was trained on the synthetic twin.
        profile: What its train tiles are like; None if it was logged without.
        early: Its threshold and test scores by the number of acquisitions after the event, if there are fewer than it reads.
        expected: Its scores on test over thresholds (:mod:`tuning.statistics.expected`); None if it was logged without.
    """

    uri: str
    program: Program
    network: StoredNetwork
    spec: InputSpec
    threshold: float
    synthetic: bool
    profile: TrainingProfile | None = None
    early: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    expected: Mapping[str, Any] | None = None

    def choose_threshold(self, after: int | None) -> float:
        """Return the threshold for so many acquisitions after the event; None for as many as it reads."""
        return self.find_early(after).get("threshold", self.threshold)

    def find_early(self, after: int | None) -> Mapping[str, float]:
        """Return the scores with so many acquisitions after the event, or with the next smaller number; nothing without."""
        known = [count for count in self.early if after is not None and count <= after]
        return self.early[max(known)] if known else {}


def examine_model(model: str, root: Path) -> Trust:
    """Return what is known of the model that a user named, as :func:`load_members` takes it, without loading it.

    Raises:
        FileNotFoundError: If there is no registry, or a folder is no model's.
        ValueError: If the name, alias or version is unknown.
    """
    if Path(model).is_dir():
        check_files(Path(model), model)
        return examine_folder(Path(model), _read_metadata(Path(model)))
    client = open_registry(root)
    return examine_registered(client, resolve_model_uri(client, model))


def load_members(model: str, root: Path, *, ensemble: bool = False) -> list[Member]:
    """Load a model, or all seeds of its study.

    Args:
        model: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, ``models:/m-…``, a registered model's name (its
            champion), or a downloaded model's folder.
        root: The campaign's output folder with its registry, unless ``MLFLOW_TRACKING_URI`` names a server.
        ensemble: Whether to load all seeds.

    Returns:
        One network, or the networks of all seeds, ordered by seed.

    Raises:
        FileNotFoundError: If there is no registry.
        ValueError: If the name, alias or version is unknown, or a file differs from what was logged.
    """
    if Path(model).is_dir():
        if ensemble:
            raise ValueError(
                f"An ensemble needs a study in MLflow, but got the folder {model}. Choose a registered model."
            )
        check_files(Path(model), model)
        return [_load_folder(Path(model), model, None)]
    client = open_registry(root)
    uri = resolve_model_uri(client, model)
    uris = _list_seeds(client, uri) if ensemble else [uri]
    return [_load(client, uri) for uri in uris]


def _load(client: MlflowClient, uri: str) -> Member:
    try:
        tags = client.get_logged_model(find_model_id(client, uri)).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise ValueError(f"A logged model must exist, but {uri} does not. Check its id.") from error
    with fetch_registered(client, uri) as folder:
        return _load_folder(folder, uri, tags)


def _read_metadata(folder: Path) -> Mapping[str, Any]:
    return mlflow.models.Model.load(str(folder / "MLmodel")).metadata or {}


def _load_folder(folder: Path, uri: str, tags: Mapping[str, Any] | None) -> Member:
    """Load a model's folder; without *tags* they are read from its metadata."""
    facts = read_json(folder / FACTS)
    spec, threshold, profile = _read_facts(facts, folder / FACTS)
    program, network = load_program(folder / PROGRAM, threads=1), read_network(folder / ARTIFACTS)
    tags = _read_metadata(folder) if tags is None else tags
    synthetic, path = tags.get("data") != "real", folder / FACTS
    known = _read_early(facts, path), _read_expected(facts, path)
    return Member(uri, program, network, spec, threshold, synthetic, profile, *known)


def _read_early(facts: dict[str, Any], path: Path) -> dict[int, dict[str, float]]:
    """Return the scores with few acquisitions after the event; models of earlier versions have none."""
    stored = facts.get("early", {})
    if not isinstance(stored, dict) or not all(
        after.isdecimal() and isinstance(scores, dict) and is_number(scores.get("threshold"), 0, 1)
        for after, scores in stored.items()
    ):
        rule = (
            "Scores with few acquisitions must have a threshold in [0, 1] by number of acquisitions"
        )
        raise refused_error(rule, show_value(stored), path)
    return {int(after): scores for after, scores in stored.items()}


def _read_expected(facts: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    """Return a network's scores over thresholds; None for models of earlier versions."""
    content = facts.get("expected")
    if content is not None and not check_expected(content):
        rule = "A model's expected scores must be those that were measured on test"
        raise refused_error(rule, show_value(content), path)
    return content


def _read_facts(
    facts: dict[str, Any], path: Path
) -> tuple[InputSpec, float, TrainingProfile | None]:
    """Return a network's input, threshold and training profile."""
    names = ("channels", "timesteps", "steps")
    check_config({name: facts[name] for name in names if name in facts}, path, names)
    check_steps(facts["steps"], facts["timesteps"])
    threshold = facts.get("threshold")
    if threshold is None or not is_number(threshold, 0, 1):
        raise refused_error("A threshold must be in [0, 1]", show_value(threshold), path)
    spec = InputSpec(tuple(facts["channels"]), facts["timesteps"], facts["steps"])
    stored = facts.get("profile")
    try:
        profile = read_profile(stored)
    except TypeError as error:
        raise refused_error(f"In a model's facts {error}", show_value(stored), path) from error
    learnt = LEGACY_EVENTS
    if profile is not None:
        learnt = tuple((name, parse_time(time)) for name, time in profile.events.items())
        spec = replace(spec, learnt=tuple(profile.list_learnt().items()))
    return replace(spec, learnt_events=learnt), float(threshold), profile


def _list_seeds(client: MlflowClient, uri: str) -> list[str]:
    """List the logged models of all repeat trials that differ from this one only in their seed."""
    model = client.get_logged_model(find_model_id(client, uri))
    run = client.get_run(str(model.source_run_id))
    study = {
        name: run.data.tags[name] for name in ("campaign", "study", "fold") if name in run.data.tags
    }
    if "campaign" not in study:
        raise ValueError(
            f"An ensemble needs the seeds of a campaign, but {uri} is not of a campaign in this MLflow. Drop --ensemble."
        )
    runs = find_runs(client, run.info.experiment_id, kind="trial", stage="repeat", **study)
    uris = {
        _read_seed(run): run.data.tags["model_uri"] for run in runs if "model_uri" in run.data.tags
    }
    if len(uris) < 2:
        raise ValueError(
            f"An ensemble needs two seeds or more, but the study of {uri} has {len(uris)}. Drop --ensemble, "
            "or run the benchmark with more --seeds."
        )
    logger.info("Ensemble of seeds %s.", ", ".join(map(str, sorted(uris))))
    return [uris[seed] for seed in sorted(uris)]


def _read_seed(run: Run) -> int:
    seed, place = run.data.tags.get("seed", ""), f"run {run.info.run_id}"
    if not seed.isdecimal():
        raise refused_error("The tag seed must be a whole number", show_value(seed), place)
    return int(seed)
