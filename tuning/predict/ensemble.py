"""The networks of a map: a registered model, a study's seeds, or a model's folder, each with what it reads.

No code of a model is run: its graph and facts alone are read (`tuning.tracking.model_digest`).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.models
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.io.errors import unknown_name
from data.io.safe_json import is_number, read_json, refused_error, show_value
from data.pack.channels import check_steps
from data.scene.base import InputSpec
from tuning.registry.__main__ import find_model, find_version, open_registry
from tuning.registry.aliases import CHAMPION
from tuning.serving.program import Program, load_program
from tuning.tracking.client import find_runs
from tuning.tracking.model_digest import FACTS, PROGRAM, fetch_registered, find_model_id
from tuning.trial.config import check_config

logger = logging.getLogger(__name__)

URI = "models:/"


@dataclass(frozen=True)
class Member:
    """One trained network.

    Attributes:
        uri: Where it was loaded from.
        program: ``(B, T, C, H, W)`` to probabilities ``(B, H, W)``, on the CPU.
        spec: What it reads.
        threshold: Probability from which a pixel counts as landslide, chosen on val.
        synthetic: Whether it learnt from the twin.
    """

    uri: str
    program: Program
    spec: InputSpec
    threshold: float
    synthetic: bool


def load_members(model: str, root: Path, *, ensemble: bool = False) -> list[Member]:
    """Load a model, or all seeds of the study that it is of.

    Args:
        model: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, ``models:/m-…``, a registered model's name for its
            champion, or the folder of a model.
        root: Output folder, whose registry is asked unless ``MLFLOW_TRACKING_URI`` names a server.
        ensemble: Whether to load every seed.

    Returns:
        One, or the seeds' networks in the order of their seeds.

    Raises:
        FileNotFoundError: If there is no registry.
        ValueError: If the name, alias or version is unknown, or the files are not those that were logged.
    """
    if Path(model).is_dir():
        if ensemble:
            raise ValueError(
                f"An ensemble needs a study in MLflow, but got the folder {model}. Name a registered model."
            )
        return [_load_folder(Path(model), model, None)]
    client = open_registry(root)
    uri = resolve_model_uri(client, model)
    uris = _list_seeds(client, uri) if ensemble else [uri]
    return [_load(client, one) for one in uris]


def resolve_model_uri(client: MlflowClient, model: str) -> str:
    """Turn what a user typed into the URI of a version or of a logged model.

    Raises:
        ValueError: If there is none, with the nearest name and the list.
    """
    word = model.removeprefix(URI)
    if word.startswith("m-"):
        return f"{URI}{word}"
    name, _, alias = word.partition("@")
    name, _, version = name.partition("/")
    name = find_model(client, name)
    if version:
        return f"{URI}{name}/{find_version(client, name, version)}"
    held = client.get_registered_model(name).aliases
    if (alias or CHAMPION) not in held:
        there = (
            f"{unknown_name('alias', alias or CHAMPION, held)} " if held else "It holds no alias. "
        )
        raise ValueError(
            f"{name}: {there}Give a version, such as {URI}{name}/1; "
            "`python -m tuning.registry list` shows them, and why one was not promoted."
        )
    return f"{URI}{name}@{alias or CHAMPION}"


def _load(client: MlflowClient, uri: str) -> Member:
    try:
        tags = client.get_logged_model(find_model_id(client, uri)).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise ValueError(f"A logged model must exist, but {uri} does not. Check its id.") from error
    with fetch_registered(client, uri) as folder:
        return _load_folder(folder, uri, tags)


def _load_folder(folder: Path, uri: str, tags: Mapping[str, Any] | None) -> Member:
    """Read a model's folder; its tags stand in its metadata, too."""
    for name in (PROGRAM, FACTS, "MLmodel"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"A model's folder must hold {name}, but {folder} does not. Give the folder that "
                "MLflow downloaded."
            )
    facts = read_json(folder / FACTS)
    spec, threshold = _check_facts(facts, folder / FACTS)
    program = load_program(folder / PROGRAM)
    if tags is None:
        tags = mlflow.models.Model.load(str(folder / "MLmodel")).metadata or {}
    return Member(uri, program, spec, threshold, tags.get("data") != "real")


def _check_facts(facts: dict[str, Any], place: Path) -> tuple[InputSpec, float]:
    """Read what a network's input is, and its threshold."""
    check_config(facts, place, ("channels", "timesteps", "steps"))
    check_steps(facts["steps"], facts["timesteps"])
    threshold = facts.get("threshold")
    if threshold is None or not is_number(threshold, 0, 1):
        raise refused_error("A threshold must lie in [0, 1]", show_value(threshold), place)
    return InputSpec(tuple(facts["channels"]), facts["timesteps"], facts["steps"]), float(threshold)


def _list_seeds(client: MlflowClient, uri: str) -> list[str]:
    """List the logged models of all repeat trials that differ from this one by their seed alone."""
    model = client.get_logged_model(find_model_id(client, uri))
    run = client.get_run(str(model.source_run_id))
    same = {
        name: run.data.tags[name] for name in ("campaign", "study", "fold") if name in run.data.tags
    }
    runs = find_runs(client, run.info.experiment_id, kind="trial", stage="repeat", **same)
    found = {
        _seed_of(one): one.data.tags["model_uri"] for one in runs if "model_uri" in one.data.tags
    }
    if len(found) < 2:
        raise ValueError(
            f"An ensemble needs two seeds or more, but the study of {uri} has {len(found)}. Leave --ensemble "
            "out, or tune with more --seeds."
        )
    logger.info("Ensemble of seeds %s.", ", ".join(map(str, sorted(found))))
    return [found[seed] for seed in sorted(found)]


def _seed_of(run: Run) -> int:
    seed = run.data.tags.get("seed", "")
    if not seed.isdecimal():
        raise refused_error(
            "The tag seed must be a whole number", show_value(seed), f"run {run.info.run_id}"
        )
    return int(seed)
