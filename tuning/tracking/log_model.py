"""A trial's best checkpoint as a logged model.

A logged model is a folder: one readable code file (`tuning.serving.pyfunc_model` and the modules it imports), the network
twice (``artifacts/model.onnx`` for any tool; ``artifacts/weights.safetensors`` and ``config.json`` for torch),
``artifacts/facts.json``, a card for people, and MLflow's own YAML and JSON. No file is a pickle. `tuning.tracking.model_digest` checks that the
files are unchanged.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import numpy as np
from mlflow.entities import LoggedModelOutput, Metric
from mlflow.models import Model, ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

from data.io.errors import format_error
from data.io.safe_checkpoint import load_tensors
from data.pack.normalisation import Normalisation
from tuning.metrics.curve import average_precision
from tuning.metrics.recalibration import Calibration
from tuning.serving.network import (
    LandslideProgram,
    count_input_dates,
    make_program,
    takes_any_length,
)
from tuning.serving.onnx_export import ExportError, save_program
from tuning.serving.program import DAYS, INPUT
from tuning.serving.reference import make_example, make_example_days
from tuning.serving.served_code import join_code
from tuning.serving.stored_network import NETWORK, WEIGHTS, pack_weights, write_config
from tuning.store.creates import create_logged_model, log_output
from tuning.tracking.model_digest import DIGEST, digest_folder
from tuning.tracking.model_facts import (
    CARD,
    describe,
    describe_data,
    describe_early,
    describe_input,
    describe_network,
    make_file_card,
    read_calibration,
)
from tuning.train.checkpoints import Checkpoint, load_checkpoint
from tuning.train.early import read_early_scores
from tuning.trial.disk import measure_bytes
from tuning.trial.folder import VAL_AP, TrialFolder

EXAMPLE_PX = 16
REQUIRED = ("onnxruntime", "mlflow", "numpy", "netCDF4")


def log_model(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    trial: TrialFolder,
    facts: Mapping[str, Any],
    scores: Mapping[str, float],
) -> str:
    """Log a trial's best checkpoint as a model that can be loaded without this project.

    Args:
        client: MLflow client.
        experiment_id: Experiment of the run.
        run_id: The trial's run; gets the artifact ``trial/reference.npz``, the network's outputs for example inputs.
        trial: The trial's folder, with ``best.pt``.
        facts: Provenance, stored as tags and metadata.
        scores: Metrics of both the model and the run.

    Returns:
        The logged model's URI, ``models:/m-…``; its tag ``model_sha256`` is the digest of the files.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ExportError: If the network cannot be built or exported, or its file answers differently.
    """
    checkpoint, calibration = _load(trial), read_calibration(trial)
    facts = {**facts, **checkpoint.learnt_regions}  # a split may train on some regions alone
    name = checkpoint.config["model"]
    tags = {"model": name, **{key: str(value) for key, value in facts.items()}}
    threshold = float(calibration.apply(checkpoint.threshold))
    params = {"epoch": str(checkpoint.epoch), "threshold": str(threshold)}
    model = create_logged_model(client, experiment_id, name, run_id, tags, params)
    with finalized(client, model.model_id), tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        meta = Model(
            model_id=model.model_id,
            model_uuid=model.model_id,
            run_id=run_id,
            artifact_path=model.artifact_location,
            metadata=describe(checkpoint, calibration, facts),
        )
        expected, early = trial.read("expected"), read_early_scores(trial)
        reference = save_model(checkpoint, meta, folder, calibration, expected, early)
        client.log_model_artifacts(model.model_id, str(folder))
        client.set_logged_model_tags(model.model_id, {DIGEST: digest_folder(folder)})
        np.savez(Path(temporary) / "reference.npz", **reference)
        client.log_artifact(run_id, str(Path(temporary) / "reference.npz"), "trial")
        log_output(client, run_id, LoggedModelOutput(model.model_id, checkpoint.epoch))
        size = {"bytes/model": measure_bytes(folder)}
        point = _find_point(trial, checkpoint.epoch)
        _link_scores(client, run_id, model.model_id, {**scores, **size}, point)
    return f"models:/{model.model_id}"


def _load(trial: TrialFolder) -> Checkpoint:
    try:
        return load_checkpoint(trial.best)
    except Exception as error:  # whatever the network's code raises; it may have changed since
        if isinstance(error, OSError):  # of the disk
            raise
        load_tensors(trial.best, "cpu")  # a damaged file has its own error
        raise ExportError(f"The trained network cannot be built: {format_error(error)}") from error


@contextmanager
def finalized(client: MlflowClient, model_id: str) -> Iterator[None]:
    """Mark a logged model as ready, or as failed if the body raises."""
    try:
        yield
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    client.finalize_logged_model(model_id, "READY")


def save_model(
    checkpoint: Checkpoint,
    meta: Model,
    folder: Path,
    calibration: Calibration | None = None,
    expected: Mapping[str, Any] | None = None,
    early: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """Write a model's folder, which ``mlflow.pyfunc.load_model`` can also load from its path.

    Args:
        checkpoint: The trained network.
        meta: MLflow's metadata; signature, example and flavour are added.
        folder: Folder to create.
        calibration: Of its probabilities; they stay as they are without.
        expected: Its scores at several thresholds, of :func:`tuning.statistics.expected.measure_expected`.
        early: Its scores with few acquisitions after the event, of :func:`tuning.train.early.read_early_scores`.

    Returns:
        The program's outputs, from :func:`tuning.serving.reference.make_reference`.

    Raises:
        ExportError: If the network cannot be exported, or its file answers differently.
    """
    calibration, series = calibration or Calibration(), count_input_dates(checkpoint.config)
    program, norm = make_program(checkpoint, calibration), checkpoint.norm
    with tempfile.TemporaryDirectory() as temporary:
        code, network, facts = (
            Path(temporary) / file for file in ("served_model.py", "model.onnx", "facts.json")
        )
        code.write_text(join_code())
        served = describe_input(checkpoint, calibration, expected) | describe_data(meta)
        served["early"] = describe_early(early or {}, calibration)
        facts.write_text(json.dumps(served, indent=1))
        weights = pack_weights(program)
        (Path(temporary) / WEIGHTS).write_bytes(weights)
        texts = describe_network(checkpoint, served, meta)
        texts["weights_sha256"] = hashlib.sha256(weights).hexdigest()
        reference = save_program(program, norm, network, texts)
        multiple = int(reference["multiple"])
        write_config(program, checkpoint.config, norm, multiple, Path(temporary))
        (Path(temporary) / CARD).write_text(make_file_card(texts, multiple))
        files = {name: str(Path(temporary) / name) for name in (WEIGHTS, NETWORK, CARD)}
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(code),
            artifacts={"program": str(network), "facts": str(facts), **files},
            mlflow_model=meta,
            signature=_make_signature(
                program, -1 if takes_any_length(program, multiple) else series
            ),
            input_example=_make_example(program, norm, series, multiple),
            model_config={"device": "auto"},
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIRED],
        )
    _shorten(folder, meta)
    return reference


def _make_example(
    program: LandslideProgram, norm: Normalisation, series: int, multiple: int
) -> np.ndarray | dict[str, np.ndarray]:
    """Make the input example of whole dB and few pixels: it is stored as JSON, twice."""
    x = make_example(norm, series, 1, max(EXAMPLE_PX, multiple)).round()
    return {INPUT: x, DAYS: make_example_days(series, 1)} if program.reads_dates else x


def _make_signature(program: LandslideProgram, series: int) -> ModelSignature:
    real = np.dtype(np.float32)
    shape = (-1, series, program.channels, -1, -1)
    inputs: list[ColSpec | TensorSpec] = [TensorSpec(real, shape)]
    if program.reads_dates:
        inputs = [TensorSpec(real, shape, INPUT), TensorSpec(real, (-1, series), DAYS)]
    signature = ModelSignature(
        Schema(inputs),
        Schema([TensorSpec(np.dtype(np.float32), (-1, -1, -1))]),
        ParamSchema(
            [
                ParamSpec("mask", "boolean", False),
                ParamSpec("threshold", "double", None),
                ParamSpec("event", "string", None),
            ]
        ),
    )
    # Otherwise MLflow checks the input before the model does, and refuses paths, integers and float64.
    signature._is_signature_from_type_hint = True
    return signature


def _shorten(folder: Path, meta: Model) -> None:
    """Remove most blanks of the example files and this machine's paths; record the folder's size."""
    for name in ("input_example.json", "serving_input_example.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content, separators=(",", ":")))
    flavor = meta.flavors["python_function"]
    flavor["model_code_path"] = Path(flavor["model_code_path"]).name
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    files = (file for file in folder.rglob("*") if file.is_file())
    meta.model_size_bytes = sum(file.stat().st_size for file in files)
    meta.save(folder / "MLmodel")


def collect_scores(trial: TrialFolder) -> dict[str, float]:
    """Return the scores of a trial's best checkpoint, named as in its run."""
    counts = trial.counts("val")
    scores = {} if counts is None else {VAL_AP: average_precision(counts)}
    test = trial.read("test") or {}
    return scores | {f"test/{key}": float(value) for key, value in test.items()}


def _find_point(trial: TrialFolder, epoch: int) -> tuple[int, int]:
    """Return the time in ms and the step at which an epoch's scores are logged."""
    times = {row["epoch"]: row["time_ms"] for row in trial.history()}
    return times.get(epoch, 0), epoch


def _link_scores(
    client: MlflowClient,
    run_id: str,
    model_id: str,
    scores: Mapping[str, float],
    point: tuple[int, int],
) -> None:
    """Log scores for run and model in one batch, linked to the run's data set if it has one.

    The run has the score that ranks trials for each epoch already; the model's is that of its *point*, so that the run gets no more.
    """
    inputs, data = client.get_run(run_id).inputs, {}
    for used in inputs.dataset_inputs[:1] if inputs is not None else []:
        data = {"dataset_name": used.dataset.name, "dataset_digest": used.dataset.digest}
    points = {key: point if key == VAL_AP else (0, 0) for key in scores}
    metrics = [
        Metric(key, value, points[key][0], points[key][1], model_id=model_id, **data)
        for key, value in scores.items()
    ]
    client.log_batch(run_id, metrics=metrics)
