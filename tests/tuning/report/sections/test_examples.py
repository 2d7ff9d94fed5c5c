"""Example tiles say which tile they are and how well it is mapped."""

import numpy as np
import pytest

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.report.sections.examples import list_examples


def test_examples_have_the_scores_of_their_tile_in_the_chosen_run() -> None:
    mask = draw_landslides(np.random.default_rng(3))
    layers = make_layers(mask)
    found = mask > 0
    found[0, :, 64:] = False  # misses
    found[2, 5, :7] = True  # false alarms on the tile without landslides
    examples = {
        one.tile_id: one for one in list_examples(make_model([make_run(found, layers, 42)]), layers)
    }
    assert set(examples) == set(layers.tile_ids)
    whole, part, empty = (examples[f"hokkaido_{number}"] for number in (2, 1, 3))
    assert whole.f1 == pytest.approx(1.0)
    assert whole.describe() == f"hokkaido_2: F1 1.000, AP 1.000, {int(mask[1].sum())} landslide px"
    hits = int((mask[0, :, :64] > 0).sum())
    assert part.f1 == pytest.approx(2 * hits / (hits + int(mask[0].sum())))
    assert empty.describe() == "hokkaido_3: no landslide, 7 px found"


def test_a_baseline_has_one_example() -> None:
    layers = make_layers(draw_landslides(np.random.default_rng(3)))
    run = make_run(layers.mask > 0, layers, 42)
    assert len(list_examples(make_model([run], "log_ratio_vv"), layers)) == 1
