"""A logged model is calibrated on val, its threshold with it, and says so."""

import json
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import torch
from mlflow.models import Model

from tests.support.served_fixtures import write_checkpoint
from tuning.metrics.histogram import BINS
from tuning.metrics.recalibration import Calibration, fit_calibration
from tuning.serving.network import make_program
from tuning.tracking.log_model import save_model
from tuning.tracking.model_facts import describe_input, read_calibration
from tuning.train.checkpoints import load_checkpoint


def make_counts() -> np.ndarray:
    """A histogram of val whose network is too sure."""
    counts = np.zeros((2, BINS), np.int64)
    counts[0, 5_000:60_000:50], counts[1, 20_000:60_000:100] = 9, 1
    return counts


def test_a_trial_is_calibrated_on_its_histogram_of_val(tmp_path: Path) -> None:
    trial = write_checkpoint(tmp_path)
    assert read_calibration(trial) == Calibration()
    trial.write_counts("val", make_counts())
    assert read_calibration(trial) == fit_calibration(make_counts()) != Calibration()


def test_the_served_model_and_its_threshold_are_calibrated(tmp_path: Path) -> None:
    checkpoint, calibration = (
        load_checkpoint(write_checkpoint(tmp_path).best),
        Calibration(0.8, 0.3, -0.5),
    )
    save_model(checkpoint, Model(metadata={}), tmp_path / "model", calibration)
    facts = json.loads((tmp_path / "model" / "artifacts" / "facts.json").read_text())
    assert facts["uncalibrated_threshold"] == 0.25
    assert facts["threshold"] == float(calibration.apply(0.25))
    assert Calibration(*facts["calibration"]) == calibration
    x = np.random.default_rng(0).normal(-12, 4, (2, 15, 4, 32, 32)).clip(-30, -1).astype(np.float32)
    with torch.no_grad():
        own = make_program(checkpoint)(torch.from_numpy(x[:, [0, 5, 9, 14]])).numpy()
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(served.predict(x), calibration.apply(own), atol=1e-5)
    mask = served.predict(x, params={"mask": True})
    assert (mask != (own >= 0.25)).mean() < 1e-4  # rounding


def test_facts_hold_the_expected_scores(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path).best)
    expected = {"threshold": 0.25, "thresholds": [0.25]}
    assert describe_input(checkpoint, Calibration(), expected)["expected"] == expected
    assert describe_input(checkpoint, Calibration(), None)["expected"] is None
