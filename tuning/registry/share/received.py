"""Checks a model that was downloaded from a stranger, without running any code of it.

MLflow runs what a model's folder tells it to: the code file, but also a loader or a pickle that ``MLmodel`` names, and pip
on its requirements. So each of these files must be one that this project writes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.io.safe_json import is_number, read_json, read_text, refused_error, show_value
from data.pack.normalisation import Normalisation
from data.tiles import ACQUISITIONS
from tuning.registry.share.hub import (
    CARD,
    CODE_FILE,
    FACTS_KEY,
    MODEL_FILES,
    REMEDY,
    parse_card,
    parse_yaml,
)
from tuning.serving.program import Program, load_program
from tuning.serving.reference import TOLERANCE, list_check_shapes, make_example, make_example_days
from tuning.serving.served_code import join_code
from tuning.serving.stored_network import StoredNetwork, read_network
from tuning.tracking.log_model import REQUIRED
from tuning.tracking.model_digest import ARTIFACTS, DIGEST, FACTS, PROGRAM, digest_folder

_PIN = rf"(?:{'|'.join(REQUIRED)})==[\w.!+]+"
_VERSION = r"[\w.]+"
# What each line of the files for pip and conda may be, so that nothing but these packages is installed.
_LINES = {
    "requirements.txt": _PIN,
    "conda.yaml": rf"channels:|dependencies:|- conda-forge|- python={_VERSION}|- pip(?:<=|==){_VERSION}|- pip:|  - {_PIN}"
    "|name: mlflow-env",
    "python_env.yaml": rf"python: {_VERSION}|build_dependencies:|dependencies:|- (?:pip|setuptools|wheel)(?:==[\w.]+)?"
    r"|- -r requirements\.txt",
}
# The entries of MLmodel and of its only flavor; others could name code to run.
_ENTRIES = frozenset(
    [
        *("artifact_path", "flavors", "is_signature_from_type_hint", "metadata", "mlflow_version"),
        *("model_id", "model_size_bytes", "model_uuid", "prompts", "run_id"),
        *("saved_input_example_info", "signature", "type_hint_from_example", "utc_time_created"),
    ]
)
_FLAVOR = {
    "loader_module": "mlflow.pyfunc.loaders.code_model",
    "model_code_path": CODE_FILE,
    "code": None,
    "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    "streamable": False,
}
_FREE = ("cloudpickle_version", "python_version", "config", "artifacts")  # checked or plain below


@dataclass(frozen=True)
class Received:
    """A model that may be registered.

    Attributes:
        digest: Of its folder, as its card states.
        model: Its architecture.
        metadata: Plain values of its ``MLmodel``, by name.
        claims: Tags of the version that its publisher had, by name: not measured here.
        origin: ``registered_model``, ``version``, ``run_id`` and ``gate`` at its publisher.
        threshold: Of its calibrated probabilities.
        own_threshold: Of the network's own probabilities.
        own_code: Whether its code file is this project's.
    """

    digest: str
    model: str
    metadata: Mapping[str, str]
    claims: Mapping[str, str]
    origin: Mapping[str, str]
    threshold: float
    own_threshold: float
    own_code: bool


def examine_received(folder: Path, card: Path, place: str) -> Received:
    """Check a downloaded model's folder.

    Args:
        folder: The model's files, each of a bounded size.
        card: Its card, in another folder.
        place: Where it comes from, for messages.

    Raises:
        ValueError: If the files are not those that the card states, or one is not as this project writes it.
    """
    stated = parse_card(read_text(card), f"{place}, {CARD}")
    digest = digest_folder(folder)
    if digest != stated[DIGEST]:
        rule = (
            f"A model's files must be those that its card states ({DIGEST} {stated[DIGEST][:12]}…)"
        )
        raise refused_error(rule, f"{digest[:12]}…", place, REMEDY)
    metadata = _check_description(folder / "MLmodel", place)
    _check_lines(folder, place)
    model, threshold, own_threshold = _check_network(folder, place)
    known = stated.get(FACTS_KEY)
    known = known if isinstance(known, dict) else {}
    claims = known.get("tags")
    return Received(
        digest,
        model,
        metadata,
        _keep_plain(claims if isinstance(claims, dict) else {}),
        _keep_plain({key: value for key, value in known.items() if key != "tags"}),
        threshold,
        own_threshold,
        own_code=(folder / CODE_FILE).read_text(encoding="utf-8", errors="replace") == join_code(),
    )


def _check_description(file: Path, place: str) -> dict[str, str]:
    """Check that ``MLmodel`` names no code but the code file; return its metadata."""
    at = f"{place}, MLmodel"
    content = parse_yaml(read_text(file), at)
    flavors = content.get("flavors") if isinstance(content, dict) else None
    flavor = flavors.get("python_function") if isinstance(flavors, dict) else None
    only = isinstance(flavors, dict) and len(flavors) == 1
    if not isinstance(flavor, dict) or not only or content.keys() - _ENTRIES:
        rule = "MLmodel must hold the entries that this project writes and the flavor python_function alone"
        got = sorted(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise refused_error(rule, f"{got} with flavors {show_value(flavors)}", at, REMEDY)
    others = flavor.keys() - _FLAVOR.keys() - set(_FREE)
    wrong = {key: flavor.get(key) for key, value in _FLAVOR.items() if flavor.get(key) != value}
    if others or wrong:
        rule = f"MLmodel must load {CODE_FILE} and nothing else"
        raise refused_error(rule, show_value(wrong or sorted(map(str, others))), at, REMEDY)
    _check_artifacts(flavor.get("artifacts"), at)
    found = content.get("metadata")
    return _keep_plain(found if isinstance(found, dict) else {})


def _check_artifacts(artifacts: Any, at: str) -> None:
    """Refuse artifacts that are not files of the folder."""
    entries = list(artifacts.values()) if isinstance(artifacts, dict) else [None]
    for entry in entries:
        path = entry.get("path") if isinstance(entry, dict) else None
        if path not in MODEL_FILES or entry != {"path": path, "uri": path}:
            rule = "The artifacts of MLmodel must be files of the model"
            raise refused_error(rule, show_value(entry), at, REMEDY)


def _check_lines(folder: Path, place: str) -> None:
    """Refuse requirements that a server would install, except this project's."""
    for name, pattern in _LINES.items():
        if not (folder / name).exists():
            continue
        for line in read_text(folder / name).splitlines():
            if line and not re.fullmatch(pattern, line, re.ASCII):
                rule = f"The requirements of a model must be versions of {', '.join(REQUIRED)}"
                raise refused_error(rule, show_value(line), f"{place}, {name}", REMEDY)


def _check_network(folder: Path, place: str) -> tuple[str, float, float]:
    """Run both forms of the network once and compare them; return its architecture and thresholds."""
    program, network = load_program(folder / PROGRAM), read_network(folder / ARTIFACTS)
    facts, at = read_json(folder / FACTS), f"{place}, {FACTS}"
    thresholds = facts.get("threshold"), facts.get("uncalibrated_threshold")
    if not all(is_number(value, 0, 1) for value in thresholds):
        raise refused_error("Thresholds must be in [0, 1]", show_value(thresholds), at, REMEDY)
    wanted = (network.config["channels"], network.config["timesteps"])
    if (facts.get("channels"), facts.get("timesteps")) != wanted:
        got = show_value((facts.get("channels"), facts.get("timesteps")))
        raise refused_error(f"The input must be that of the network, {wanted}", got, at, REMEDY)
    gap = _compare(program, network, place)
    if not gap <= TOLERANCE:
        rule = f"model.onnx and weights.safetensors must be the same network to {TOLERANCE}"
        raise refused_error(rule, f"a difference of {gap:.2g}", place, REMEDY)
    calibrated, own = (float(value) for value in thresholds)  # type: ignore[arg-type]
    return str(network.config["model"]), calibrated, own


def _compare(program: Program, network: StoredNetwork, place: str) -> float:
    """Return the greatest difference of probabilities between the two forms of a network on an example."""
    shape = (program.timesteps, program.channels, program.multiple)
    wanted = (network.config["timesteps"], len(network.norm.channels), network.multiple)
    if shape != wanted or program.timesteps > ACQUISITIONS:
        rule = (
            f"model.onnx must take the input of config.json (acquisitions, channels, px) {wanted}"
        )
        raise refused_error(rule, shape, place, REMEDY)
    norm: Normalisation = network.norm
    example = make_example(norm, program.timesteps, *list_check_shapes(program.multiple)[0])
    days = make_example_days(program.timesteps, len(example))
    with torch.inference_mode():
        torch_probs = network.build()(torch.from_numpy(example), torch.from_numpy(days)).numpy()
    probs = program(example, days)
    return float(np.abs(probs - torch_probs).max()) if probs.shape == torch_probs.shape else np.inf


def _keep_plain(content: Mapping[Any, Any]) -> dict[str, str]:
    """Return the entries that are plain values, as short texts; a stranger's other entries are dropped."""
    return {
        key: str(value)
        for key, value in content.items()
        if isinstance(key, str)
        and re.fullmatch(r"[\w.-]{1,100}", key, re.ASCII)
        and isinstance(value, str | int | float)
        and len(str(value)) <= 500
        and str(value).isprintable()
    }
