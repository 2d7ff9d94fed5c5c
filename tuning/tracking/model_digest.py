"""The digest of a logged model's files; its network is loaded only if they match.

``mlflow.pyfunc.load_model`` runs a model's code file, so anybody who can write to the artifact store can run code in
the caller's process. :func:`load_registered` and :func:`load_torch` read only the network's files, and only if the folder
still has the digest stored in the tracker. Somebody who can write to both the tracker and the store can log another model;
even then, only ONNX's own operators of the network's file run.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow.artifacts
from mlflow.tracking import MlflowClient

from tuning.serving.network import LandslideProgram
from tuning.serving.onnx_weights import load_uncalibrated
from tuning.serving.program import Program, load_program
from tuning.serving.stored_network import NETWORK, WEIGHTS, read_network

DIGEST = "model_sha256"  # tag of a logged model, and of the versions registered from it
ARTIFACTS = "artifacts"
FORMER = "artifacts/program.pt2"  # the network of models that earlier releases logged
PROGRAM = "artifacts/model.onnx"
FACTS = "artifacts/facts.json"
ADDED = "registered_model_meta"  # file that MLflow adds to a downloaded copy


def digest_folder(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of a folder's files, sorted by name.

    Compiled code (``__pycache__``) does not count: Python writes it beside a model's code file when
    ``mlflow.pyfunc.load_model`` runs that file in the artifact folder. :func:`load_registered` runs neither.
    """
    digest = hashlib.sha256()
    files = {
        file.relative_to(folder).as_posix(): file
        for file in folder.rglob("*")
        if file.is_file() and file.parent.name != "__pycache__"
    }
    files.pop(ADDED, None)
    for name in sorted(files):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        digest.update(f"{name}\n{content}\n".encode())
    return digest.hexdigest()


def read_digest(client: MlflowClient, uri: str) -> str:
    """Return the digest that was stored when the model was logged.

    Args:
        client: MLflow client.
        uri: ``models:/m-…``, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Raises:
        ValueError: If the model has no digest.
    """
    model_id = find_model_id(client, uri)
    digest = client.get_logged_model(model_id).tags.get(DIGEST)
    if digest is None:
        raise ValueError(
            f"A model must have the tag {DIGEST}, but {uri} has none. Log and register it again."
        )
    return str(digest)


def find_model_id(client: MlflowClient, uri: str) -> str:
    """Return the id of the logged model that a ``models:/`` URI refers to."""
    name = uri.removeprefix("models:/")
    if "@" in name:
        version = client.get_model_version_by_alias(*name.rsplit("@", 1))
    elif "/" in name:
        version = client.get_model_version(*name.rsplit("/", 1))
    else:
        return name
    return str(version.model_id or version.source).removeprefix("models:/")


@contextmanager
def fetch_registered(client: MlflowClient, uri: str) -> Iterator[Path]:
    """Download a model's folder and check its digest; delete the download at the end.

    Args:
        client: MLflow client; its tracker holds the digest.
        uri: ``models:/m-…``, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Yields:
        The folder.

    Raises:
        FileNotFoundError: If an earlier release logged the model.
        ValueError: If the files are not those that were logged.
    """
    model, logged = client.get_logged_model(find_model_id(client, uri)), read_digest(client, uri)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(
            mlflow.artifacts.download_artifacts(
                model.artifact_location, dst_path=temporary, tracking_uri=client.tracking_uri
            )
        )
        if (digest := digest_folder(folder)) != logged:
            raise ValueError(
                f"A model's files must be those that were logged ({DIGEST} {logged[:12]}…), but got "
                f"{digest[:12]}… for {uri} in {model.artifact_location}. Somebody changed them: do not use "
                "this model, and log it again."
            )
        check_files(folder, uri)
        yield folder


def check_files(folder: Path, place: object) -> None:
    """Refuse a model's folder that lacks a file which maps need.

    Args:
        folder: The folder.
        place: How the user named it, for the message.

    Raises:
        FileNotFoundError: If a file is missing, as in models that earlier releases logged.
    """
    for name in (
        PROGRAM,
        FACTS,
        *(f"{ARTIFACTS}/{name}" for name in (WEIGHTS, NETWORK)),
        "MLmodel",
    ):
        if (folder / name).is_file():
            continue
        if (folder / FORMER).is_file():
            raise FileNotFoundError(
                f"A model must hold {name}, but {place} was logged by an earlier release, with {FORMER}. Run its campaign "
                "again, or use that release."
            )
        raise FileNotFoundError(
            f"A model's folder must hold {name}, but {place} does not. Choose the folder that MLflow downloaded."
        )


def load_registered(client: MlflowClient, uri: str, *, calibrated: bool = True) -> Program:
    """Load a model's network, without running the model's code file.

    Args:
        client: MLflow client; its tracker holds the digest.
        uri: As for :func:`fetch_registered`.
        calibrated: Whether its probabilities are calibrated; otherwise they are the network's own.

    Returns:
        The network on the CPU, arrays ``(B, T, C, H, W)`` to ``(B, H, W)``.

    Raises:
        ValueError: If the files are not those that were logged, or the network's file is not in this project's
            format.
    """
    with fetch_registered(client, uri) as folder:
        path = folder / PROGRAM
        return load_program(path) if calibrated else load_uncalibrated(path)


def load_torch(uri: str, client: MlflowClient | None = None) -> LandslideProgram:
    """Load a model's network as a torch module, to train it on or to run it on a GPU.

    Args:
        uri: As for :func:`fetch_registered`.
        client: MLflow client (default: of ``mlflow.set_tracking_uri`` or ``MLFLOW_TRACKING_URI``).

    Returns:
        The network on the CPU in eval mode, dB ``(B, T, C, H, W)`` to probabilities ``(B, H, W)``; its ``model`` is the bare
        network, of normalised input to logits.

    Raises:
        ValueError: If the files are not those that were logged, or this project lacks the architecture.
    """
    with fetch_registered(client or MlflowClient(), uri) as folder:
        return read_network(folder / ARTIFACTS).build()
