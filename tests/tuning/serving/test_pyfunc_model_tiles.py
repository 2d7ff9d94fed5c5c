"""Tiles as the input of a loaded model: their event, and what is said of synthetic data."""

import logging
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel

from data.tiles import tile_path
from tests.support.served_fixtures import write_checkpoint
from tests.support.tile_files import make_dataset
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that was trained on the twin."""
    folder = tmp_path_factory.mktemp("trial")
    checkpoint = load_checkpoint(write_checkpoint(folder, steps="event", timesteps=2).best)
    facts = {"data": "synthetic", "events": "noto=2018-06-01T23:59:59"}
    save_model(checkpoint, Model(metadata=facts), folder / "model")
    return str(folder / "model")


@pytest.fixture(scope="module")
def model(uri: str) -> PyFuncModel:
    return mlflow.pyfunc.load_model(uri)


def write_tile(root: Path, tile_id: str, **attributes: str) -> Path:
    for modality in ("s1asc", "s1dsc"):
        path = tile_path(root, tile_id, modality)
        path.parent.mkdir(exist_ok=True)
        make_dataset(modality).assign_attrs(attributes).to_netcdf(path)
    return path


def test_a_region_s_event_comes_with_the_model(model: PyFuncModel, tmp_path: Path) -> None:
    path = write_tile(tmp_path, "hokkaido_1")
    day = model.predict(path, params={"event": "2018-09-05T18:08"})
    assert np.array_equal(model.predict(path), day)
    assert not np.array_equal(model.predict(path, params={"event": "2018-06-01"}), day)


def test_another_region_s_event_comes_from_training_the_file_or_the_call(
    model: PyFuncModel, tmp_path: Path
) -> None:
    path = write_tile(tmp_path, "newland_1")
    message = r"got no event_date .* none of 'newland'. Pass it"
    with pytest.raises(ValueError, match=message) as error:
        model.predict(path)
    assert error.value.verdict == "no-event"
    given = model.predict(path, params={"event": "2018-06-01"})
    dated = write_tile(tmp_path, "newland_2", event_date="2018-06-01")
    assert np.array_equal(model.predict(dated), given)
    assert np.array_equal(model.predict(write_tile(tmp_path, "noto_1")), given)


def test_an_error_of_a_tile_carries_its_verdict(model: PyFuncModel, tmp_path: Path) -> None:
    path = write_tile(tmp_path, "hokkaido_1", crs="EPSG:4326")
    with pytest.raises(ValueError, match=r"must be UTM .* but got 'EPSG:4326' in") as error:
        model.predict(path)
    assert error.value.verdict == "wrong-crs"


def test_an_event_needs_a_path_and_must_be_a_time(model: PyFuncModel, tmp_path: Path) -> None:
    x = np.full((1, 2, 4, 32, 32), -12.0, np.float32)
    with pytest.raises(ValueError, match="An event belongs to a tile's path, but got one with"):
        model.predict(x, params={"event": "2018-09-05"})
    with pytest.raises(ValueError, match=r"An event must look like .*, but got 'soon'"):
        model.predict(write_tile(tmp_path, "hokkaido_1"), params={"event": "soon"})


def test_what_the_model_learnt_from_and_what_the_map_is_made_from_are_said_once(
    uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "landslide_model")
    model = mlflow.pyfunc.load_model(uri)
    assert caplog.messages == [
        "This model was trained on SYNTHETIC tiles: its maps say nothing about real places."
    ]
    model.predict(write_tile(tmp_path, "hokkaido_1"))
    assert len(caplog.messages) == 1  # real, as far as the file says
    path = write_tile(tmp_path, "hokkaido_2", synthetic="the twin of seed 1")
    for _ in range(2):
        model.predict(path)
    assert caplog.messages[1:] == [
        f"SYNTHETIC tiles, such as {path}: this is no map of a real place."
    ]
