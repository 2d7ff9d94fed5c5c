"""Intervals of scores at a threshold: they hold the mean, widen with seeds that differ, and are left out where undefined."""

import numpy as np
import pytest

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.objects.intervals import SumsByModel, estimate_threshold_scores
from tuning.objects.threshold_scores import THRESHOLD_SCORES
from tuning.report.tables import score_seeds
from tuning.statistics.blocks import SamplingUnits, make_units

LAYOUTS = ("at_val", "objects", "boundary")
SIDE = 4  # tiles along each edge


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, SumsByModel], SamplingUnits, dict[str, float]]:
    """Return the counts of a model with two seeds, the units of its 16 tiles, and its scores."""
    rng = np.random.default_rng(0)
    mask = draw_landslides(rng, SIDE**2)
    corners = np.array([(1280.0 * (k % SIDE), -1280.0 * (k // SIDE)) for k in range(SIDE**2)])
    layers = make_layers(mask, corners=corners)
    noisy = [(mask > 0) & (rng.random(mask.shape) < share) for share in (0.9, 0.5)]
    model = make_model([make_run(found, layers, seed) for seed, found in enumerate(noisy)])
    units = make_units(corners, ["blocks"] * len(mask), ["a"] * len(mask))
    sums: dict[str, SumsByModel] = {name: {"m": model.stack(name)} for name in LAYOUTS}
    return sums, units, score_seeds(model).mean().to_dict()


def test_every_score_has_its_table_s_mean_within_its_interval(
    measured: tuple[dict[str, SumsByModel], SamplingUnits, dict[str, float]],
) -> None:
    sums, units, means = measured
    found = estimate_threshold_scores(sums, units)
    assert list(found) == list(THRESHOLD_SCORES)
    for name, by_model in found.items():
        one, (least, most) = by_model["m"], THRESHOLD_SCORES[name].limits
        assert one.mean == pytest.approx(means[name])
        if np.isnan(one.low):  # all blocks have the same score, which shows no interval
            assert one.std == 0.0
            assert one.mean in (least, most)
            continue
        assert least <= one.low <= one.mean <= one.high <= most
    assert found["iou"]["m"].low < found["iou"]["m"].high


def test_an_interval_is_wider_where_seeds_differ(
    measured: tuple[dict[str, SumsByModel], SamplingUnits, dict[str, float]],
) -> None:
    sums, units, _ = measured
    alike = {name: {"m": models["m"][[0, 0]]} for name, models in sums.items()}
    widths = [
        one.high - one.low
        for given in (sums, alike)
        for one in [estimate_threshold_scores(given, units)["f1_dice"]["m"]]
    ]
    assert widths[0] > 2 * widths[1] > 0


def test_a_score_that_is_not_defined_is_left_out(
    measured: tuple[dict[str, SumsByModel], SamplingUnits, dict[str, float]],
) -> None:
    sums, units, _ = measured
    full = np.flatnonzero(sums["at_val"]["m"][0, :, [0, 2]].sum(axis=0))  # tiles with landslides
    kept = {name: {"m": models["m"][:, full]} for name, models in sums.items()}
    few = SamplingUnits(
        np.arange(len(full)),
        units.folds[full],
        units.regions[full],
        units.corners[full],
        units.weights[full] / units.weights[full].sum(),
    )
    found = estimate_threshold_scores(kept, few)
    assert set(THRESHOLD_SCORES) - set(found) == {"alarms_per_km2"}
