"""Arrays, masked arrays and requests obey what files obey: fills and masks are no data, other units are refused."""

import json
import logging
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel
from mlflow.pyfunc.scoring_server import invocations

from tests.support.served_fixtures import write_checkpoint
from tuning.serving.array_input import clean_array, to_numbers
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint

CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "DEM")
GAP = (slice(None), slice(None), slice(None), slice(0, 18))


def make_x() -> np.ndarray:
    means = np.array([-8, -14, -9, 400])[:, None, None]
    noise = np.random.default_rng(0).normal(0, 3, (2, 3, 4, 32, 48))
    x = (noise + means).astype(np.float32)
    x[:, :, :3] = x[:, :, :3].clip(-49, -0.5)
    return x


@pytest.mark.parametrize(
    "value", [-9999, -32768, 3.4028235e38, 9.969209968386869e36, -np.inf, np.inf]
)
def test_fills_become_nan_and_the_callers_array_stays(
    value: float, caplog: pytest.LogCaptureFixture
) -> None:
    x, wanted = make_x(), make_x()
    x[GAP], wanted[GAP] = value, np.nan
    given = x.copy()
    with caplog.at_level(logging.WARNING, "landslide_model"):
        np.testing.assert_array_equal(clean_array(x, CHANNELS), wanted)
    np.testing.assert_array_equal(x, given)
    assert "s1asc:VV holds" in caplog.text
    assert "% on date 1 of tile 1" in caplog.text


def test_zeros_along_the_border_are_no_data_but_not_in_heights() -> None:
    x, wanted = make_x(), make_x()
    x[GAP], wanted[:, :, :3, :18], wanted[:, :, 3, :18] = 0, np.nan, 0
    np.testing.assert_array_equal(clean_array(x, CHANNELS), wanted)


def test_clean_values_are_given_back_and_bright_ones_are_taken_as_0_db() -> None:
    x = make_x()
    assert clean_array(x, CHANNELS) is x
    x[0, 0, 0, 5, 5] = 6
    assert clean_array(x, CHANNELS)[0, 0, 0, 5, 5] == 0


@pytest.mark.parametrize("fill_value", [1e20, -9999, 5])
def test_a_mask_is_no_data_whatever_lies_below_it(fill_value: float) -> None:
    values, wanted = make_x(), make_x()
    values[GAP], wanted[GAP] = fill_value, np.nan
    mask = np.zeros(values.shape, bool)
    mask[GAP] = True
    masked = np.ma.masked_array(values, mask)
    for given in (masked, masked.astype(np.float64), list(masked)):
        np.testing.assert_array_equal(to_numbers(given), wanted)
    assert (values[GAP] == np.float32(fill_value)).all()
    np.testing.assert_array_equal(to_numbers(np.ma.masked_array(make_x())), make_x())


def power(x: np.ndarray) -> np.ndarray:
    x[:, :, :3] = 10 ** (x[:, :, :3] / 10)
    return x


def one_tile_in_power(x: np.ndarray) -> np.ndarray:
    x[1] = power(x[1:])[0]
    return x


def one_band_in_power(x: np.ndarray) -> np.ndarray:
    x[:, :, 1] = 10 ** (x[:, :, 1] / 10)
    return x


def put(index: Any, value: float) -> Any:
    def change(x: np.ndarray) -> np.ndarray:
        x[index] = value
        return x

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (power, r"Backscatter must be dB, but got a median 0.\d+, .* Convert it .* 10 \* log10"),
        (one_tile_in_power, "Backscatter must be dB, but got a median 0"),
        (one_band_in_power, "in one unit, but got s1asc:VV like dB, s1asc:VH like linear power"),
        (put((0, 1, 0), 0.05), "s1asc:VV must be dB on every date, .* of date 2"),
        (put((0, 0, 0, slice(9), slice(9)), -99.0), r"s1asc:VV must be in \[-50, 10\] dB, but got -99"),
        (put((0, 0, 0, 5, 5), np.inf), "must be finite, or NaN for no data, but got 1 infinite ones"),
        (put((1, slice(None), 1), -9999), r"must have data, but got only NaN in \[1\] \(s1asc:VH\)"),
    ],
)  # fmt: skip
def test_what_files_may_not_hold_is_refused(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clean_array(change(make_x()), CHANNELS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PyFuncModel:
    folder = tmp_path_factory.mktemp("trial")
    checkpoint = load_checkpoint(write_checkpoint(folder).best)
    save_model(checkpoint, Model(metadata={}), folder / "model")
    return mlflow.pyfunc.load_model(str(folder / "model"))


def make_tiles() -> np.ndarray:
    noise = np.random.default_rng(0).normal(-12, 4, (1, 15, 4, 32, 32))
    return noise.clip(-49, -0.5).astype(np.float32)


def ask(model: PyFuncModel, x: np.ndarray) -> np.ndarray:
    """Call the model as MLflow's server does."""
    request = json.dumps({"inputs": x.tolist()})
    answer = invocations(request, "application/json", model, model.metadata.get_input_schema())
    return np.array(json.loads(answer.response)["predictions"])


def test_the_logged_model_and_its_server_obey_files(
    model: PyFuncModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gaps, filled = make_tiles(), make_tiles()
    gaps[GAP], filled[GAP] = np.nan, -9999
    wanted = model.predict(gaps)
    assert not np.array_equal(wanted, model.predict(make_tiles()))
    mask = np.isnan(gaps)
    for given in (filled, np.ma.masked_array(make_tiles(), mask)):
        np.testing.assert_array_equal(model.predict(given), wanted)
    monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
    np.testing.assert_allclose(ask(model, filled), wanted, atol=1e-6)
    with pytest.raises(MlflowException, match="Backscatter must be dB") as caught:
        ask(model, 10 ** (make_tiles() / 10))
    assert caught.value.get_http_status_code() == 400
