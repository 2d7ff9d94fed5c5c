"""Counts of objects add up, and scores follow from their sums; what finds nothing scores 0."""

import numpy as np
import pytest

from tests.support.object_maps import draw_blobs, draw_map, draw_square
from tuning.objects.object_scores import (
    LENGTH,
    SIZE_PX,
    SIZES,
    ObjectCounts,
    class_by_size,
    rate_objects,
    score_objects,
)
from tuning.objects.objects import count_objects


@pytest.mark.parametrize(
    ("area_px", "size"),
    [(1, 0), (9, 0), (10, 1), (71, 1), (72, 2), (287, 2), (288, 3), (16384, 3)],
)
def test_size_class_follows_from_the_area(area_px: int, size: int) -> None:
    assert class_by_size(np.array([area_px])).tolist() == [size]


def test_size_classes_carry_their_area_in_their_names() -> None:
    # 1 px = 100 m2 = 0.01 ha
    assert [f"{px / 100:g}" for px in SIZE_PX] == ["0.1", "0.72", "2.88"]
    assert all(f"{px / 100:g} ha" in name for px, name in zip(SIZE_PX, SIZES, strict=False))


def test_counts_of_tiles_add_up_to_the_whole(rng: np.random.Generator) -> None:
    found, mask = draw_blobs(rng)
    whole = count_objects(found, mask)
    single = [count_objects(found[i : i + 1], mask[i : i + 1]).total() for i in range(len(mask))]
    assert np.array_equal(np.stack([one.to_array() for one in single]), whole.to_array())
    added = single[0]
    for one in single[1:]:
        added += one
    assert score_objects(added) == pytest.approx(score_objects(whole), nan_ok=True)


def test_counts_survive_the_way_to_an_array_and_back(rng: np.random.Generator) -> None:
    counts = count_objects(*draw_blobs(rng))
    again = ObjectCounts.from_array(counts.to_array())
    assert all(np.array_equal(vars(again)[name], value) for name, value in vars(counts).items())
    assert counts.to_array().shape == (6, LENGTH)
    assert counts.to_array().dtype == np.int64


def test_rates_of_many_totals_at_once_are_those_of_each(rng: np.random.Generator) -> None:
    tiles = count_objects(*draw_blobs(rng)).to_array()
    totals = tiles[rng.integers(0, len(tiles), (5, len(tiles)))].sum(axis=1)  # five resamples
    rates = rate_objects(ObjectCounts.from_array(totals))
    for place, total in enumerate(totals):
        expected = score_objects(ObjectCounts.from_array(total))
        found = {name: float(rate[place]) for name, rate in rates.items()}
        assert found == pytest.approx(expected, nan_ok=True)


def test_f1_is_the_harmonic_mean_of_precision_and_recall(rng: np.random.Generator) -> None:
    scores = score_objects(count_objects(*draw_blobs(rng)))
    recall, precision = scores["object_recall"], scores["object_precision"]
    assert 0 < recall != precision > 0
    assert scores["object_f1"] == pytest.approx(2 * recall * precision / (recall + precision))


def test_what_finds_nothing_scores_0() -> None:
    scores = score_objects(count_objects(np.zeros((1, 4, 4), bool), draw_map(*["x..."] * 4)))
    names = ("object_recall", "object_precision", "object_precision_any", "object_f1")
    assert [scores[name] for name in names] == [0.0] * 4
    assert scores["area_bias"] == -1.0
    assert np.isnan(scores["alarms_per_km2"])  # no tile without landslides


def test_a_reference_without_landslides_has_nothing_to_score() -> None:
    empty = np.zeros((1, 32, 32), np.uint8)
    scores = score_objects(count_objects(draw_square(3), empty))
    assert np.isnan([scores[name] for name in ("object_recall", "object_f1", "area_bias")]).all()
    assert scores["object_precision"] == 0.0  # what is found is wrong
    scores = score_objects(count_objects(draw_square(0), empty))
    assert np.isnan([scores[name] for name in ("object_precision", "object_precision_any")]).all()
    assert scores["alarms_per_km2"] == 0.0


def test_array_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=rf"end in {LENGTH} numbers, but got \(3,\)"):
        ObjectCounts.from_array(np.zeros(3, np.int64))
