"""A logged model in a clean environment, without this project: loaded, called, served."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient

from data.pack import Pack
from data.tiles import tile_path
from models import narrow_arch
from tests.support.clean_environment import make_environment
from tests.support.served_fixtures import write_checkpoint
from tuning.serving.network import LandslideProgram, make_program
from tuning.serving.reference import TOLERANCE
from tuning.settings.choose_models import OF_ALL
from tuning.tracking.client import EXPERIMENT, connect
from tuning.tracking.log_model import log_model
from tuning.train.checkpoints import load_checkpoint

pytestmark = pytest.mark.slow

SHAPES = ((1, 32, 32), (3, 32, 32), (1, 48, 48), (3, 128, 128))
LOAD = """
import importlib.util, json, sys
for name in ("tuning", "data", "models", "ray", "xarray", "torch", "onnx"):
    assert importlib.util.find_spec(name) is None, f"{name} can be imported"
import mlflow, numpy as np
tracker, uris, folder, tile = sys.argv[1], sys.argv[2].split(","), sys.argv[3], sys.argv[4]
mlflow.set_tracking_uri(tracker)
for uri in uris:
    model = mlflow.pyfunc.load_model(uri)
    inputs = np.load(f"{folder}/inputs.npz", allow_pickle=False)
    answers = {name: model.predict(inputs[name]) for name in inputs.files}
    answers["tile"] = model.predict(tile)
    np.savez(f"{folder}/{uri.removeprefix('models:/')}.npz", **answers)
"""


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with only ONNX Runtime, MLflow and netCDF4."""
    return make_environment(
        tmp_path_factory.mktemp("clean") / "venv", "onnxruntime", "mlflow", "netCDF4"
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    return connect(tmp_path_factory.mktemp("mlruns"))[0]


@pytest.fixture(scope="module")
def logged(
    client: MlflowClient, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, LandslideProgram]:
    """One model of each architecture: its URI and its network."""
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    found = {}
    for name in OF_ALL:
        trial_folder = write_checkpoint(
            tmp_path_factory.mktemp(name), model=name, arch=narrow_arch(name)
        )
        run_id = client.create_run(experiment_id).info.run_id
        uri = log_model(client, experiment_id, run_id, trial_folder, {}, {})
        found[uri] = make_program(load_checkpoint(trial_folder.best))
    return found


def environment(client: MlflowClient, clean: Path) -> dict[str, str]:
    keep = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return keep | {
        "PATH": f"{clean}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": client.tracking_uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }


def answer(program: LandslideProgram, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        probs: np.ndarray = program(torch.from_numpy(x[:, [0, 5, 9, 14]])).numpy()
    assert probs.std() > 0.01
    return probs


def make_input(batch: int, height: int, width: int) -> np.ndarray:
    shape = (batch, 15, 4, height, width)
    backscatter = np.random.default_rng(batch).normal(-12, 4, shape).clip(-30, -1)
    return backscatter.astype(np.float32)


def test_model_answers_alike_without_this_project(
    client: MlflowClient,
    clean: Path,
    logged: dict[str, LandslideProgram],
    twin: Path,
    pack: Pack,
    tmp_path: Path,
) -> None:
    inputs: dict[str, Any] = {"x".join(map(str, shape)): make_input(*shape) for shape in SHAPES}
    np.savez(tmp_path / "inputs.npz", **inputs)
    tile = tile_path(twin, pack.tile_ids[0], "s1asc")
    ask = [clean / "python", "-c", LOAD, client.tracking_uri, ",".join(logged), tmp_path, tile]
    done = subprocess.run(
        ask,
        cwd=tmp_path,
        env=environment(client, clean),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packed = [pack.bands[orbit][0].astype(np.float32) for orbit in ("s1asc", "s1dsc")]
    inputs["tile"] = np.concatenate(packed, axis=1)[None]
    for uri, program in logged.items():
        found = np.load(tmp_path / f"{uri.removeprefix('models:/')}.npz")
        assert sorted(found.files) == sorted(inputs)
        # U-TAE's norms over few channels amplify what is rounded.
        close = TOLERANCE if json.loads(program.structure)["model"] == "utae" else 1e-5
        for name, x in inputs.items():
            assert np.abs(found[name] - answer(program, x)).max() <= close


@pytest.fixture(scope="module")
def server(
    client: MlflowClient, clean: Path, logged: dict[str, LandslideProgram]
) -> Iterator[tuple[str, LandslideProgram]]:
    """A server of the first model, in the clean environment; its address and the network."""
    uri, program = next(iter(logged.items()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--host", "127.0.0.1", "--port", str(port)]
    command = [clean / "mlflow", "models", "serve", "-m", uri, "--env-manager", "local", *where]
    process = subprocess.Popen(
        command, env=environment(client, clean), cwd=clean, start_new_session=True
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process)
        yield f"http://127.0.0.1:{port}/invocations", program
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # its own session: the server and its worker
        process.wait(timeout=30)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(url)


def post(url: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    body, head = json.dumps(content).encode(), {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, head), timeout=60) as found:
            return found.status, json.load(found)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_server_answers_with_the_numbers_of_training(
    server: tuple[str, LandslideProgram],
) -> None:
    url, program = server
    for shape in ((1, 32, 32), (3, 48, 48)):
        x = make_input(*shape)
        wanted = answer(program, x)
        status, found = post(url, {"inputs": x.tolist()})
        assert status == 200
        assert np.abs(np.array(found["predictions"]) - wanted).max() <= 1e-5
        for params, limit in (({"mask": True}, 0.25), ({"threshold": 0.5}, 0.5)):
            status, found = post(url, {"inputs": x.tolist(), "params": params})
            sure = np.abs(wanted - limit) > 1e-5
            assert status == 200
            assert np.array_equal(np.array(found["predictions"])[sure], (wanted >= limit)[sure])


def test_server_refuses_what_does_not_fit(
    server: tuple[str, LandslideProgram], twin: Path, pack: Pack
) -> None:
    url, _ = server
    x = make_input(1, 32, 32)
    for bad, message in (
        (
            x[0],
            "The input must be a batch (B, T=15, C=4, H, W), but got one tile (15, 4, 32, 32). Pass",
        ),
        (
            x[:, :, :3],
            "The input must have shape (B, T=15, C=4, H, W), but got (1, 15, 3, 32, 32).",
        ),
        (x[..., :28], "H and W must be multiples of 8, but got 32 x 28."),
    ):
        status, found = post(url, {"inputs": bad.tolist()})
        assert (status, found["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert found["message"].startswith(message)
    path = str(tile_path(twin, pack.tile_ids[0], "s1asc"))
    status, found = post(url, {"inputs": path})
    assert (status, found["message"]) == (
        400,
        "A server accepts arrays, but got a path. Send the tile's values.",
    )
