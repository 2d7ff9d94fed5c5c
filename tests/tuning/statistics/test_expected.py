"""Precision and recall of a map at any threshold, from those of the test tiles at a grid of thresholds."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from tuning.metrics.histogram import edges, to_bins
from tuning.metrics.recalibration import Calibration
from tuning.statistics.blocks import make_units
from tuning.statistics.expected import check_expected, expect_at, measure_expected

STRICT = Calibration(0.8, 0.5, -1.0)


def draw(tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities and masks of tiles in a row, and their corners."""
    rng = np.random.default_rng(0)
    mask = (rng.random((tiles, 16, 16)) < 0.3).astype(np.uint8)
    probs = np.clip(0.35 * mask + rng.random(mask.shape) * 0.65, 0, 1).astype(np.float32)
    corners = np.column_stack([3840.0 * np.arange(tiles), np.zeros(tiles)])
    return probs, mask, corners


def measure(tiles: int = 12, calibration: Calibration = STRICT) -> dict[str, Any]:
    probs, mask, corners = draw(tiles)
    units = make_units(corners, [""] * tiles, ["here"] * tiles, mask.sum(axis=(1, 2)))
    bins = to_bins(torch.from_numpy(probs)).numpy().astype(np.uint16)
    return measure_expected(bins, mask, units, calibration, float(edges()[20_000]))


@pytest.mark.parametrize("threshold", [0.2, 0.25, 0.3])
def test_scores_are_those_of_the_calibrated_mask(threshold: float) -> None:
    probs, mask, _ = draw(12)
    found = STRICT.apply(probs) >= threshold
    content = json.loads(json.dumps(measure()))
    assert check_expected(content)
    precision, recall = (expect_at(content, name, threshold) for name in ("precision", "recall"))
    hits = (found & (mask > 0)).sum()
    assert precision.value == pytest.approx(hits / found.sum(), abs=2e-4)
    assert recall.value == pytest.approx(hits / mask.sum(), abs=2e-4)
    for one in (precision, recall):
        assert one.low is not None
        assert one.value is not None
        assert one.high is not None
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_the_own_threshold_is_exact_and_others_lie_between_their_neighbours() -> None:
    probs, mask, _ = draw(12)
    content = measure()
    own = content["threshold"]
    assert own in content["thresholds"]
    found = probs >= edges()[20_000]
    wanted = (found & (mask > 0)).sum() / mask.sum()
    assert expect_at(content, "recall", own).value == pytest.approx(wanted, abs=1e-4)
    middle = expect_at(content, "recall", 0.125).value
    ends = [expect_at(content, "recall", at).value for at in (0.15, 0.1)]
    assert None not in (middle, *ends)
    assert ends[0] <= middle <= ends[1]  # type: ignore[operator]


def test_nothing_is_known_outside_of_the_grid_or_without_a_found_pixel() -> None:
    content = measure()
    assert expect_at(content, "recall", 0.99).value is None
    assert expect_at(content, "recall", 0.001).value is None
    assert expect_at(measure(calibration=Calibration(1, 1, -40)), "precision", 0.95).value is None


def test_one_tile_gives_values_without_interval() -> None:
    found = expect_at(measure(1), "recall", 0.2)
    assert found.value is not None
    assert found.low is None
    assert found.high is None


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 2.0},
        {"thresholds": []},
        {"thresholds": [0.5, 0.1]},
        {"thresholds": "0.5"},
        {"precision": [[0.1, 0.1, 0.1]]},
        {"recall": [[0.1, 0.1]] * 20},
        {"recall": [[0.1, 0.1, "x"]] * 20},
        {"more": 1},
    ],
)
def test_another_content_is_refused(change: dict[str, Any]) -> None:
    content = measure()
    assert check_expected(content)
    assert not check_expected(content | change)
    assert not check_expected(None)
