"""A logged model's files, scores and digest."""

import ast
import contextlib
import hashlib
import io
import json
import pickle
import pickletools
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from mlflow.tracking import MlflowClient

from models.unet import UNet
from tests.support.served_fixtures import write_checkpoint
from tuning.metrics.histogram import BINS
from tuning.serving.network import make_program
from tuning.serving.onnx_export import ExportError
from tuning.serving.served_code import join_code
from tuning.tracking.client import EXPERIMENT, connect
from tuning.tracking.log_model import collect_scores, log_model
from tuning.tracking.model_digest import (
    DIGEST,
    check_files,
    digest_folder,
    load_registered,
    load_torch,
    read_digest,
)
from tuning.train.checkpoints import load_checkpoint
from tuning.trial.folder import TrialFolder

FACTS = {"campaign": "first", "channels": "s1", "data_hash": "d" * 12}
SCORES = {"best/val_pr_auc": 0.5, "test/iou": 0.25}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    return connect(tmp_path_factory.mktemp("mlruns"))[0]


@pytest.fixture(scope="module")
def experiment_id(client: MlflowClient) -> str:
    return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> TrialFolder:
    return write_checkpoint(tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def run_id(client: MlflowClient, experiment_id: str) -> str:
    return str(client.create_run(experiment_id, run_name="a trial").info.run_id)


@pytest.fixture(scope="module")
def uri(client: MlflowClient, experiment_id: str, run_id: str, trial: TrialFolder) -> str:
    return log_model(client, experiment_id, run_id, trial, FACTS, SCORES)


ARTIFACTS = [
    f"artifacts/{name}"
    for name in ("model.onnx", "weights.safetensors", "config.json", "facts.json", "README.md")
]


def folder_of(client: MlflowClient, uri: str) -> Path:
    model = client.get_logged_model(uri.removeprefix("models:/"))
    return Path(model.artifact_location.removeprefix("file://"))


@pytest.fixture
def stored(client: MlflowClient, uri: str, tmp_path: Path) -> Iterator[Path]:
    """The model's folder in the artifact store, for a test to change; restored at the end."""
    folder = folder_of(client, uri)
    shutil.copytree(folder, tmp_path / "kept")
    yield folder
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)


def list_contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file, and of every member of a zip archive."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.name, file.read_bytes()
        if file.is_file() and zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                yield from ((name, archive.read(name)) for name in archive.namelist())


class Guarded(pickle.Unpickler):
    """Unpickles numbers and texts; raises for classes and functions."""

    def find_class(self, module: str, name: str) -> Any:
        raise PermissionError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise PermissionError(pid)


def is_pickle(content: bytes) -> bool:
    """Return whether a pickle begins here: opcodes up to a STOP that load, or would call something."""
    with contextlib.suppress(Exception):  # not an opcode, or none that makes sense here
        list(pickletools.genops(content))
        with contextlib.suppress(PermissionError):
            Guarded(io.BytesIO(content)).load()
        return True
    return False


def test_no_file_of_a_model_is_a_pickle(client: MlflowClient, uri: str, trial: TrialFolder) -> None:
    contents = dict(list_contents(folder_of(client, uri)))
    assert len(contents) > 10
    assert not [name for name, content in contents.items() if is_pickle(content)]
    assert not [
        name
        for name in contents
        if name.endswith(("pkl", "pickle", "pt", "pth")) and contents[name]
    ]
    # The check can fail: a checkpoint is a zip archive with a pickle in it.
    assert [name for name, found in list_contents(trial.path) if is_pickle(found)]


def test_model_has_readable_code_and_its_network_twice(client: MlflowClient, uri: str) -> None:
    folder = folder_of(client, uri)
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {"MLmodel", "served_model.py", *ARTIFACTS} <= files
    meta = yaml.safe_load((folder / "MLmodel").read_text())
    assert list(meta["flavors"]) == ["python_function"]  # torch's own flavour would load unchecked
    assert "/tmp" not in json.dumps(meta["flavors"])
    assert (folder / "served_model.py").read_text() == join_code()
    assert {"tuning", "data"}.isdisjoint(
        line.split(".")[0].split()[-1]
        for line in join_code().splitlines()
        if line.startswith(("from ", "import "))
    )
    assert [line.split("==")[0] for line in (folder / "requirements.txt").read_text().split()] == [
        "onnxruntime",
        "mlflow",
        "numpy",
        "netCDF4",
    ]


def test_network_s_file_alone_gives_the_probabilities_and_names_its_origin(
    client: MlflowClient, uri: str, run_id: str, trial: TrialFolder
) -> None:
    folder = folder_of(client, uri) / "artifacts"
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    x = np.random.default_rng(0).normal(-12, 4, (2, 4, 4, 32, 40)).astype(np.float32)
    x[0, 0, 0, :3] = np.nan
    with torch.no_grad():
        wanted = make_program(load_checkpoint(trial.best))(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(None, {"x": x})[0], wanted, atol=1e-5)
    texts = session.get_modelmeta().custom_metadata_map
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    assert texts["weights_sha256"] == digest
    assert texts["channels"] == "s1asc:VV s1asc:VH s1dsc:VV s1dsc:VH"
    assert texts["acquisitions"] == "4 of 15, evenly spaced: numbers 1, 6, 10, 15"
    assert (texts["threshold"], texts["multiple_px"]) == ("0.25", "8")
    assert (texts["campaign"], texts["run"], texts["data_hash"]) == ("first", run_id, "d" * 12)
    card = (folder / "README.md").read_text()
    assert card.startswith("# unet: landslide probability of each 10 m pixel")
    assert "multiples of 8 px" in card
    assert f"| run | {run_id} |" in card


def test_the_joined_modules_share_no_name() -> None:
    names = Counter(
        name.id if isinstance(name, ast.Name) else name.name
        for node in ast.parse(join_code()).body
        for name in (
            [node]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [one for target in getattr(node, "targets", ()) for one in ast.walk(target)]
        )
        if isinstance(name, ast.Name | ast.FunctionDef | ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == ["logger"]


def test_model_has_a_signature_and_its_provenance(
    client: MlflowClient, uri: str, run_id: str
) -> None:
    info = mlflow.models.get_model_info(uri)
    assert info.signature.inputs.inputs[0].shape == (-1, 15, 4, -1, -1)
    assert info.signature.inputs.inputs[0].type == np.float32
    assert {spec.name: spec.default for spec in info.signature.params} == {
        "mask": False,
        "threshold": None,
        "event": None,
    }
    assert info.metadata["threshold"] == 0.25
    assert info.metadata["channels"] == ["s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"]
    assert {"campaign": "first", "data_hash": "d" * 12}.items() <= info.metadata.items()
    assert json.loads(info.metadata["config"])["model"] == "unet"
    example = mlflow.pyfunc.load_model(uri).input_example
    assert example.shape == (1, 15, 4, 16, 16)
    model = client.get_logged_model(uri.removeprefix("models:/"))
    assert (model.source_run_id, model.status, model.tags["campaign"]) == (run_id, "READY", "first")
    outputs = client.get_run(run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [model.model_id]


def test_scores_are_linked_to_the_model(
    client: MlflowClient, experiment_id: str, uri: str, run_id: str
) -> None:
    found = client.search_logged_models([experiment_id], "metrics.`test/iou` > 0.2")
    assert [f"models:/{model.model_id}" for model in found] == [uri]
    linked = {metric.key: metric.value for metric in found[0].metrics}
    assert linked.pop("bytes/model") > 100_000
    assert linked == SCORES
    assert client.get_run(run_id).data.metrics.items() >= SCORES.items()


def test_collected_scores_are_those_of_the_best_checkpoint(tmp_path: Path) -> None:
    trial, counts = TrialFolder(tmp_path), np.zeros((2, BINS), np.int64)
    assert collect_scores(trial) == {}
    counts[1, 900], counts[0, 100] = 3, 5  # a perfect ranking
    trial.write_counts("val", counts)
    trial.write("test", {"iou": 0.5})
    assert collect_scores(trial) == {"best/val_pr_auc": 1.0, "test/iou": 0.5}


def test_model_of_a_trial_without_a_checkpoint_is_refused(
    client: MlflowClient, experiment_id: str, run_id: str, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"A checkpoint must be a best\.pt"):
        log_model(client, experiment_id, run_id, TrialFolder(tmp_path), FACTS, {})


def test_model_that_cannot_be_logged_is_marked_as_failed(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = write_checkpoint(tmp_path)
    monkeypatch.setattr(
        UNet, "forward", lambda self, x: torch.zeros(len(x), 1, *x.shape[-2:]) + self.depth / 0
    )
    with pytest.raises(ExportError, match="at 128 px it said: division by zero"):
        log_model(client, experiment_id, run_id, trial, FACTS | {"campaign": "deep"}, {})
    (model,) = client.search_logged_models([experiment_id], "tags.campaign = 'deep'")
    assert model.status == "FAILED"


def test_network_loads_if_its_digest_matches(
    client: MlflowClient, uri: str, run_id: str, trial: TrialFolder
) -> None:
    assert read_digest(client, uri) == digest_folder(folder_of(client, uri))
    client.create_registered_model("hokkaido-unet")
    version = client.create_model_version("hokkaido-unet", uri, run_id)
    client.set_registered_model_alias("hokkaido-unet", "champion", version.version)
    x = np.random.default_rng(0).normal(-12, 4, (1, 4, 4, 48, 32)).astype(np.float32)
    with torch.no_grad():
        wanted = make_program(load_checkpoint(trial.best))(torch.from_numpy(x)).numpy()
        assert wanted.std() > 0.02
        for name in (
            uri,
            f"models:/hokkaido-unet/{version.version}",
            "models:/hokkaido-unet@champion",
        ):
            assert read_digest(client, name) == read_digest(client, uri)
            assert np.abs(load_registered(client, name)(x) - wanted).max() <= 1e-5
            again = load_torch(name, client)(torch.from_numpy(x)).numpy()
            np.testing.assert_array_equal(again, wanted)


def test_code_compiled_beside_a_model_does_not_change_its_digest(
    client: MlflowClient, uri: str, stored: Path
) -> None:
    (stored / "__pycache__").mkdir(exist_ok=True)
    (stored / "__pycache__" / "served_model.cpython-311.pyc").write_bytes(b"compiled")
    load_registered(client, uri)


@pytest.mark.parametrize("name", ["MLmodel", "served_model.py", *ARTIFACTS, "new.py"])
def test_changed_file_is_refused(client: MlflowClient, uri: str, stored: Path, name: str) -> None:
    with (stored / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(
        ValueError, match=rf"must be those that were logged \({DIGEST} .* Somebody changed"
    ):
        load_registered(client, uri)


def test_network_loads_without_the_model_s_code(
    client: MlflowClient, uri: str, stored: Path, tmp_path: Path
) -> None:
    canary, wanted = tmp_path / "canary", read_digest(client, uri)
    with (stored / "served_model.py").open("a") as file:
        file.write(f"\nopen({str(canary)!r}, 'w')\n")
    model_id = uri.removeprefix("models:/")
    client.set_logged_model_tags(
        model_id, {DIGEST: digest_folder(stored)}
    )  # as if the tracker were changed, too
    try:
        load_registered(client, uri)
        assert not canary.exists()
        mlflow.pyfunc.load_model(uri)
        assert canary.exists()
    finally:
        client.set_logged_model_tags(model_id, {DIGEST: wanted})


def test_model_without_a_digest_is_refused(client: MlflowClient, experiment_id: str) -> None:
    foreign = client.create_logged_model(experiment_id, "foreign")
    with pytest.raises(
        ValueError, match=rf"must have the tag {DIGEST}, but models:/{foreign.model_id} has none"
    ):
        load_registered(client, f"models:/{foreign.model_id}")


def test_model_of_an_earlier_release_is_named(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "program.pt2").touch()
    with pytest.raises(
        FileNotFoundError, match=r"m-1 was logged by an earlier release, with .*pt2"
    ):
        check_files(tmp_path, "m-1")
    (tmp_path / "artifacts" / "program.pt2").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"must hold artifacts/model\.onnx, but m-1 does not"
    ):
        check_files(tmp_path, "m-1")
