"""A model as MLflow loads it: inputs, probabilities, masks, errors and devices."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel
from mlflow.pyfunc.scoring_server import invocations

from tests.support.served_fixtures import write_checkpoint
from tuning.serving.network import make_program
from tuning.serving.pyfunc_model import InputError
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trial")


@pytest.fixture(scope="module")
def uri(folder: Path) -> str:
    checkpoint = load_checkpoint(write_checkpoint(folder).best)
    save_model(checkpoint, Model(metadata={}), folder / "model")
    return str(folder / "model")


@pytest.fixture(scope="module")
def model(uri: str) -> PyFuncModel:
    return mlflow.pyfunc.load_model(uri)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    noise = np.random.default_rng(0).normal(-12, 4, (3, 15, 4, 48, 32))
    noise = noise.clip(-50, -0.01).astype(np.float32)
    noise[0, 2, 1, :5] = np.nan
    return noise


@pytest.fixture(scope="module")
def probs(folder: Path, x: np.ndarray) -> np.ndarray:
    """The network's own probabilities."""
    with torch.no_grad():
        program = make_program(load_checkpoint(folder / "best.pt"))
        answer = program(torch.from_numpy(x[:, [0, 5, 9, 14]])).numpy()
    assert answer.std() > 0.02  # else any map would do
    return answer


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")


def test_probabilities_are_the_network_s(
    model: PyFuncModel, x: np.ndarray, probs: np.ndarray
) -> None:
    found = model.predict(x)
    assert (found.shape, found.dtype) == ((3, 48, 32), np.float32)
    assert np.abs(found - probs).max() <= 1e-5
    assert np.abs(model.predict(x[:1]) - probs[:1]).max() <= 1e-5
    many = np.concatenate([x] * 6)  # more than run at once
    assert np.abs(model.predict(many) - np.concatenate([probs] * 6)).max() <= 1e-5


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.int16])
def test_any_number_type_is_accepted(model: PyFuncModel, x: np.ndarray, dtype: Any) -> None:
    numbers = np.nan_to_num(x, nan=-12).astype(dtype)
    wanted = model.predict(numbers.astype(np.float32))
    assert np.array_equal(model.predict(numbers), wanted)


def test_lists_with_null_for_no_data_are_accepted(
    model: PyFuncModel, x: np.ndarray, probs: np.ndarray
) -> None:
    lists = json.loads(json.dumps(x.tolist()).replace("NaN", "null"))
    assert np.abs(model.predict(lists) - probs).max() <= 1e-5


def test_mask_is_at_the_stored_threshold_or_another(
    model: PyFuncModel, x: np.ndarray, probs: np.ndarray
) -> None:
    mask = model.predict(x, params={"mask": True})
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, probs >= 0.25)
    other = float(np.median(probs))
    assert 0 < np.mean(probs >= other) < 1
    for params in ({"threshold": other}, {"mask": True, "threshold": other}):
        assert np.array_equal(model.predict(x, params=params), probs >= np.float32(other))
    assert model.predict(x, params={"mask": False}).dtype == np.float32


def change(x: np.ndarray, index: Any, value: float) -> np.ndarray:
    copy = x.copy()
    copy[index] = value
    return copy


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda x: x[0],
            r"must be a batch \(B, T=15, C=4, H, W\), but got one tile \(15, 4, 48, 32\)\. Pass",
        ),
        (
            lambda x: x[:, :4],
            r"must have shape \(B, T=15, C=4, H, W\), but got \(3, 4, 4, 48, 32\)",
        ),
        (lambda x: x[:, :, :2], r"T=15, C=4, H, W\), but got \(3, 15, 2, 48, 32\)\. Pass"),
        (lambda x: x[:0], r"must have shape .*, but got \(0, 15, 4, 48, 32\)"),
        (lambda x: x[0, 0, 0], r"must have shape .*, but got \(48, 32\)"),
        (lambda x: x[..., :20], r"H and W must be multiples of 8, but got 48 x 20\. Pad"),
        (
            lambda x: change(x, (1, 0, 0, 0, 0), np.inf),
            "must be finite, or NaN for no data, but got 1",
        ),
        (lambda x: x.astype(np.float64) * 1e300, r"A tile must have data, but got only NaN in"),
        (lambda x: change(x, 1, np.nan), r"A tile must have data, but got only NaN in \[1\]"),
        (lambda x: x.astype(str), r"must be numbers, but got <U\d+"),
        (lambda x: x > 0, "must be numbers, but got bool"),
        (lambda x: [[1.0], [1.0, 2.0]], r"must be an array .* or the path of a tile, but got list"),
        (lambda x: {"y": x}, r"The input must have x, but got y\. Pass \{.x.: …\}\."),
        (lambda x: None, r"must have shape .*, but got \(\)"),
    ],
)
def test_input_that_does_not_fit_is_refused(
    model: PyFuncModel, x: np.ndarray, spoil: Any, message: str
) -> None:
    with pytest.raises(MlflowException, match=message):
        model.predict(spoil(x))


@pytest.mark.parametrize("limit", [-0.1, 1.5])
def test_threshold_outside_0_to_1_is_refused(
    model: PyFuncModel, x: np.ndarray, limit: float
) -> None:
    with pytest.raises(MlflowException, match=rf"A threshold must be in \[0, 1\], but got {limit}"):
        model.predict(x, params={"threshold": limit})
    inner = model.unwrap_python_model()
    with pytest.raises(ValueError, match=r"A threshold must be in \[0, 1\], but got 'low'"):
        inner.predict(None, x, {"threshold": "low"})
    with pytest.raises(
        ValueError, match=r"A param must be one of mask, threshold, event, but got 'maks'"
    ):
        inner.predict(None, x, {"maks": True})


def test_network_is_accessible(model: PyFuncModel, x: np.ndarray, probs: np.ndarray) -> None:
    program = model.unwrap_python_model().program
    chosen = x[:, [0, 5, 9, 14]]
    assert np.abs(program(chosen) - probs).max() <= 1e-5
    with pytest.raises(ValueError, match=r"Pass x\[None\]"):
        program(chosen[0])


def test_device_is_chosen_at_loading(uri: str, x: np.ndarray, probs: np.ndarray) -> None:
    model = mlflow.pyfunc.load_model(uri, model_config={"device": "cpu"})
    assert np.abs(model.predict(x) - probs).max() <= 1e-5
    for name in ("gpu", "cuda"):
        with pytest.raises(
            ValueError, match=rf"The device must be auto or cpu, .* but got '{name}'"
        ):
            mlflow.pyfunc.load_model(uri, model_config={"device": name})


def test_path_is_refused_in_a_server(model: PyFuncModel, serving: None, tmp_path: Path) -> None:
    for path in (str(tmp_path / "hokkaido_s1asc_579.nc"), tmp_path):
        with pytest.raises(MlflowException, match="A server accepts arrays, but got a path"):
            model.predict(path)


def ask(model: PyFuncModel, request: dict[str, Any]) -> Any:
    """Call the model as MLflow's server does."""
    schema = model.metadata.get_input_schema()
    return invocations(json.dumps(request), "application/json", model, schema)


def test_server_returns_the_same_probabilities(
    model: PyFuncModel, serving: None, x: np.ndarray, probs: np.ndarray
) -> None:
    answer = json.loads(ask(model, {"inputs": x.tolist()}).response)
    assert np.abs(np.array(answer["predictions"]) - probs).max() <= 1e-5


def test_server_s_error_is_short(model: PyFuncModel, serving: None, x: np.ndarray) -> None:
    with pytest.raises(MlflowException) as caught:
        ask(model, {"inputs": x[0].tolist()})
    assert caught.value.get_http_status_code() == 400
    text = json.loads(caught.value.serialize_as_json())["message"]
    assert text.startswith("The input must be a batch (B, T=15, C=4, H, W), but")
    assert len(text) < 200


def test_error_keeps_its_own_message() -> None:
    error = InputError("A rule, but got a value.")
    error.message = f"Failed to predict data '{'1, ' * 999}'. \nError: {error.message}"
    assert error.message == "A rule, but got a value."
