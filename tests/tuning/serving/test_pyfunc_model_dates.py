"""The served model of a network that reads dates takes them with an array, and reads them from a tile."""

import json
import math
import re
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pytest
import torch
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel
from mlflow.pyfunc.scoring_server import invocations

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.tiles import tile_path
from models import narrow_arch
from tests.support.served_fixtures import write_checkpoint
from tuning.serving.network import LandslideProgram, make_program
from tuning.serving.program import load_program
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import predict

ROUNDING = 1e-4  # of probabilities of a tile, read by the model and by the pack
DAYS = np.array([[-13, -1, 4, 16], [-20, -8, 5, math.nan]], np.float32)
CHANGES: dict[str, Any] = {"model": "unet_ltae", "arch": narrow_arch("unet_ltae"), "steps": "event"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dated")
    checkpoint = load_checkpoint(write_checkpoint(made, **CHANGES).best)
    save_model(checkpoint, Model(metadata={}), made / "model")
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> PyFuncModel:
    return mlflow.pyfunc.load_model(str(folder / "model"))


@pytest.fixture(scope="module")
def network(folder: Path) -> LandslideProgram:
    return make_program(load_checkpoint(folder / "best.pt"))


def make_input(length: int = 4) -> np.ndarray:
    noise = np.random.default_rng(0).normal(-12, 4, (2, length, 4, 32, 48))
    return noise.clip(-50, -0.01).astype(np.float32)


def answer(network: LandslideProgram, x: np.ndarray, days: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        probs: np.ndarray = network(torch.from_numpy(x), torch.from_numpy(days)).numpy()
    return probs


def test_array_and_days_give_the_network_s_probabilities(
    model: PyFuncModel, network: LandslideProgram
) -> None:
    x = make_input()
    wanted = answer(network, x, DAYS)
    assert np.abs(model.predict({"x": x, "days": DAYS}) - wanted).max() <= 1e-5
    assert np.abs(answer(network, x, DAYS - 40) - wanted).max() > 1e-3  # else days would not matter


@pytest.mark.parametrize("length", [2, 7])
def test_another_number_of_acquisitions_is_taken(
    model: PyFuncModel, network: LandslideProgram, length: int
) -> None:
    x, days = make_input(length), np.linspace(-30, 30, 2 * length, dtype=np.float32)
    days = days.reshape(2, length)
    found = model.predict({"x": x, "days": days})
    assert np.abs(found - answer(network, x, days)).max() <= 1e-5


def test_server_takes_days_and_null_for_a_missing_acquisition(
    model: PyFuncModel, network: LandslideProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
    x = make_input()
    days = [[None if math.isnan(day) else float(day) for day in row] for row in DAYS]
    request = json.dumps({"inputs": {"x": x.tolist(), "days": days}})
    schema = model.metadata.get_input_schema()
    response = invocations(request, "application/json", model, schema).response
    found = np.array(json.loads(response)["predictions"])
    assert np.abs(found - answer(network, x, DAYS)).max() <= 1e-5


def test_a_tile_is_mapped_with_its_own_dates(
    folder: Path, model: PyFuncModel, twin: Path, pack: Pack
) -> None:
    checkpoint, tile_id = load_checkpoint(folder / "best.pt"), pack.tile_ids[1]
    tiles = TileDataset(pack, [tile_id], checkpoint.norm, 4, torch.device("cpu"), "event")
    wanted = predict(checkpoint.model, tiles.batch([0])).numpy()
    found = model.predict(str(tile_path(twin, tile_id, "s1dsc")))
    assert np.abs(found - wanted).max() <= ROUNDING
    later = {"event": str(pack.events[0] - np.timedelta64(30, "D"))}
    assert np.abs(
        model.predict(str(tile_path(twin, tile_id, "s1dsc")), params=later) - wanted
    ).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            make_input(),
            "but got ndarray. Pass {'x': …, 'days': …}, days from the event to each acquisition, shape (B, T).",
        ),
        ({"x": make_input()}, "must have x and days, but got x. Pass {'x': …, 'days': …}, days"),
        ({"x": make_input(), "day": DAYS}, "must have x and days, but got x, day. Pass"),
        ({"x": make_input(), "days": DAYS[:, :2]}, "shape (B, T), days from the event to each acq"),
        ({"x": make_input(), "days": DAYS + 1e5}, "but got 99987 days. Count from the event, not"),
    ],
)
def test_input_without_days_is_refused(model: PyFuncModel, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        model.predict(given)


def test_days_for_a_network_that_reads_none_are_refused(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path).best)
    save_model(checkpoint, Model(metadata={}), tmp_path / "model")
    plain, x = mlflow.pyfunc.load_model(str(tmp_path / "model")), make_input(15)
    message = "The input must have x, but got x, days. Pass {'x': …}."
    with pytest.raises(ValueError, match=re.escape(message)):
        plain.predict({"x": x, "days": DAYS})
    np.testing.assert_array_equal(plain.predict({"x": x}), plain.predict(x))


def test_the_files_say_that_the_network_reads_dates(folder: Path) -> None:
    card = (folder / "model" / "artifacts" / "README.md").read_text()
    assert "`days` `(B, T)`, days from the event to each acquisition (NaN = none), any T" in card
    assert 'session.run(None, {"x": x, "days": days})' in card
    texts = load_program(folder / "model" / "artifacts" / "model.onnx").metadata
    assert texts["days"].startswith("from the event to each acquisition")
    assert texts["timesteps"] == "4"
