"""The digest of a logged model's files, and loading its network only while they match.

MLflow loads a model by running its code file, so whoever can write to the artifact store can run code where
``mlflow.pyfunc.load_model`` is called. :func:`load_registered` does without it: it reads the network's file alone, and
only if the folder is still what the tracker's digest says. It does not protect from someone who can write to both the
tracker and the store, and log a model of their own; but even then nothing out of the network's file runs but harmless
operators, on other numbers.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow.artifacts
from mlflow.tracking import MlflowClient

from tuning.serving.program import Program, load_program

DIGEST = "model_sha256"  # tag of a logged model, and of the versions made from it
PROGRAM = "artifacts/program.pt2"
FACTS = "artifacts/facts.json"
ALIEN = "registered_model_meta"  # MLflow adds it to a downloaded copy


def digest_folder(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of a folder's files, sorted by their names."""
    digest = hashlib.sha256()
    files = {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }
    files.pop(ALIEN, None)
    for name in sorted(files):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        digest.update(f"{name}\n{content}\n".encode())
    return digest.hexdigest()


def read_digest(client: MlflowClient, uri: str) -> str:
    """Return the digest that was taken when a model was logged.

    Args:
        client: MLflow client.
        uri: ``models:/m-…``, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Raises:
        ValueError: If the model has none.
    """
    model_id = find_model_id(client, uri)
    digest = client.get_logged_model(model_id).tags.get(DIGEST)
    if digest is None:
        raise ValueError(
            f"A model must have the tag {DIGEST}, but {uri} has none. Log and register it again."
        )
    return str(digest)


def find_model_id(client: MlflowClient, uri: str) -> str:
    """Follow a URI to the logged model."""
    name = uri.removeprefix("models:/")
    if "@" in name:
        found = client.get_model_version_by_alias(*name.rsplit("@", 1))
    elif "/" in name:
        found = client.get_model_version(*name.rsplit("/", 1))
    else:
        return name
    return str(found.model_id or found.source).removeprefix("models:/")


@contextmanager
def fetch_registered(client: MlflowClient, uri: str) -> Iterator[Path]:
    """Fetch a model's folder for a while, if it is still what was logged.

    Args:
        client: MLflow client, whose tracker tells the digest.
        uri: ``models:/m-…``, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Yields:
        The folder, removed at the end.

    Raises:
        ValueError: If the files are not those that were logged.
    """
    model, wanted = client.get_logged_model(find_model_id(client, uri)), read_digest(client, uri)
    with tempfile.TemporaryDirectory() as to:
        folder = Path(
            mlflow.artifacts.download_artifacts(
                model.artifact_location, dst_path=to, tracking_uri=client.tracking_uri
            )
        )
        if (got := digest_folder(folder)) != wanted:
            raise ValueError(
                f"A model's files must be those that were logged ({DIGEST} {wanted[:12]}…), but got "
                f"{got[:12]}… for {uri} in {model.artifact_location}. Somebody changed them: do not use "
                "this model, and log it again."
            )
        yield folder


def load_registered(client: MlflowClient, uri: str) -> Program:
    """Load a model's network, without running the model's code file.

    Args:
        client: MLflow client, whose tracker tells the digest.
        uri: As for :func:`fetch_registered`.

    Returns:
        The network on the CPU, ``(B, T, C, H, W)`` to ``(B, H, W)``.

    Raises:
        ValueError: If the files are not those that were logged, or the network's file is not what this project
            writes.
    """
    with fetch_registered(client, uri) as folder:
        return load_program(folder / PROGRAM)
