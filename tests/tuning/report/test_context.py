"""A seed that finds nothing counts as 0 in every mean, and is named."""

import numpy as np
import pandas as pd
import pytest

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.metrics.scores import METRICS
from tuning.report.context import describe_blind_seeds
from tuning.report.tables import (
    OBJECT_SCORES,
    average_seeds,
    find_blind_runs,
    score_seeds,
)


def test_a_blind_seed_counts_as_0_in_the_mean(rng: np.random.Generator) -> None:
    mask = draw_landslides(rng)
    layers = make_layers(mask)
    maps = {42: mask > 0, 123: mask < 0, 777: mask > 0}  # all, nothing, all
    seeds = score_seeds(make_model([make_run(maps[seed], layers, seed) for seed in maps]))
    for name in ("precision", "recall", "f1_dice", "iou", "mcc", "object_f1", "object_precision"):
        assert seeds[name].tolist() == pytest.approx([1.0, 0.0, 1.0])
        assert average_seeds(seeds, name)[0] == pytest.approx(2 / 3)
    names = {*OBJECT_SCORES, *METRICS}
    assert not seeds[list(names)].isna().any(axis=None)


def test_a_mean_over_seeds_skips_none() -> None:
    seeds = pd.DataFrame({"known": [0.2, 0.4], "undefined": [0.2, np.nan]})
    assert average_seeds(seeds, "known") == pytest.approx((0.3, np.std([0.2, 0.4], ddof=1)))
    assert np.isnan(average_seeds(seeds, "undefined")).all()


def test_a_blind_seed_is_named(rng: np.random.Generator) -> None:
    mask = draw_landslides(rng)
    layers = make_layers(mask)
    sees, blind = make_run(mask > 0, layers, 42), make_run(mask < 0, layers, 123)
    model = make_model([sees, blind])
    assert find_blind_runs(model) == [blind]
    assert describe_blind_seeds([model]) == ["VanillaUNet seed 123 found no landslide."]
    assert describe_blind_seeds([make_model([sees])]) == []


def test_a_seed_that_is_blind_on_one_fold_is_named_with_it(rng: np.random.Generator) -> None:
    mask = draw_landslides(rng)
    layers = make_layers(mask)
    runs = [
        make_run(mask > 0, layers, 42, "blocks:2/1"),
        make_run(mask < 0, layers, 42, "blocks:2/2"),
    ]
    sentence = "VanillaUNet seed 42 found no landslide on fold blocks:2/2."
    assert describe_blind_seeds([make_model(runs)]) == [sentence]


def test_a_seed_is_not_blind_where_there_is_nothing_to_find() -> None:
    mask = np.zeros((2, 128, 128), np.uint8)
    assert find_blind_runs(make_model([make_run(mask > 0, make_layers(mask), 42)])) == []
