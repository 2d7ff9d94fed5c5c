"""Landslides as objects: hand-made maps with known answers, counts that add up, scores that follow."""

import numpy as np
import pytest
from scipy import ndimage

from tuning.metrics.objects import (
    LENGTH,
    SIZE_PX,
    SIZES,
    ObjectCounts,
    class_by_size,
    count_objects,
    rate_objects,
    score_objects,
)

SMALL, MEDIUM, LARGE, HUGE = SIZES


def draw_map(*rows: str) -> np.ndarray:
    """Turn lines of text into a map ``(1, H, W)``: a dot is background."""
    return np.array([[letter != "." for letter in row] for row in rows])[None]


def draw(rng: np.random.Generator, tiles: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Draw blobs, found ones beside reference ones; the last tile has no reference."""
    field = ndimage.gaussian_filter(rng.normal(size=(tiles, 48, 48)), (0, 2, 2))
    other = ndimage.gaussian_filter(rng.normal(size=(tiles, 48, 48)), (0, 2, 2))
    mask = (field > 0.15).astype(np.uint8)
    mask[-1] = 0
    return field + 0.7 * other > 0.15, mask


def square(size: int) -> np.ndarray:
    tile = np.zeros((1, 32, 32), bool)
    tile[0, :size, :size] = True
    return tile


# ----------------------------------------------------------------------------- what is an object


def test_diagonal_neighbours_are_one_object() -> None:
    mask = draw_map("x...", ".x..", "...x")
    assert count_objects(mask, mask.astype(np.uint8)).references.sum() == 2


def test_objects_end_at_the_tile_s_border() -> None:
    tiles = np.ones((2, 3, 3), bool)  # one above the other, both full
    assert count_objects(tiles, tiles).references.sum(axis=1).tolist() == [1, 1]


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


# -------------------------------------------------------------------------------- what is found


def test_overlap_of_exactly_the_bound_does_not_find() -> None:
    # reference 10 px, found 3 of them and nothing else: IoU 3/10; with 4 of them 4/10
    mask = draw_map("xxxxxxxxxx")
    three, four = draw_map("xxx......."), draw_map("xxxx......")
    assert score_objects(count_objects(three, mask))["object_recall"] == 0.0
    assert score_objects(count_objects(three, mask))["object_recall_any"] == 1.0
    assert score_objects(count_objects(four, mask))["object_recall"] == 1.0


def test_scores_follow_from_a_hand_made_map() -> None:
    mask = draw_map(
        "xx....xx..",
        "xx....xx..",
        "..........",
        "xxxx......",
        "..........",
        ".........x",
    )
    found = draw_map(
        "xx........",
        "xx........",
        "..........",
        "...xxxx...",
        "..........",
        "xx........",
    )
    # References: a square found whole, a square missed, a bar touched (IoU 1/7), a pixel missed.
    # Found: the square, the bar beside the bar (IoU 1/7), two pixels on nothing.
    scores = score_objects(count_objects(found, mask))
    assert scores["object_recall"] == 1 / 4
    assert scores["object_recall_any"] == 2 / 4
    assert scores["object_precision"] == 1 / 3
    assert scores["object_precision_any"] == 2 / 3
    assert scores["object_f1"] == pytest.approx(2 * (1 / 4) * (1 / 3) / (1 / 4 + 1 / 3))
    assert scores["area_bias"] == pytest.approx(10 / 13 - 1)  # 4 + 4 + 2 over 4 + 4 + 4 + 1


def test_recall_goes_by_the_reference_s_size_and_precision_by_the_found_one_s() -> None:
    # reference 9 x 9 = 81 px, found 6 x 6 = 36 px inside: IoU 36/81 > 0.3
    scores = score_objects(count_objects(square(6), square(9).astype(np.uint8)))
    assert scores[f"object_recall/{LARGE}"] == 1.0
    assert scores[f"object_precision/{MEDIUM}"] == 1.0
    assert np.isnan(scores[f"object_recall/{MEDIUM}"])
    assert np.isnan(scores[f"object_precision/{LARGE}"])


def test_one_large_patch_can_find_two_neighbours() -> None:
    # two references of 4 px, one found object of 9 px over both: IoU 4/9 each
    mask, found = draw_map("xxxx.xxxx"), draw_map("xxxxxxxxx")
    counts = count_objects(found, mask)
    assert (counts.hit.sum(), counts.references.sum(), counts.found.sum()) == (2, 2, 1)


def test_scattered_pixels_on_a_landslide_touch_but_do_not_find_it() -> None:
    mask, found = draw_map("xxxxxxxxxx"), draw_map("x.x.x.x.x.")
    scores = score_objects(count_objects(found, mask))
    assert (scores["object_recall"], scores["object_precision"]) == (0.0, 0.0)
    assert (scores["object_recall_any"], scores["object_precision_any"]) == (1.0, 1.0)
    assert scores["object_f1"] == 0.0


def test_whole_map_found_is_all_right() -> None:
    mask = draw(np.random.default_rng(1))[1]
    scores = score_objects(count_objects(mask > 0, mask))
    assert {scores[name] for name in scores if name.startswith("object_f1")} == {1.0}
    assert (scores["object_recall"], scores["object_precision"]) == (1.0, 1.0)
    assert (scores["area_bias"], scores["alarms_per_km2"]) == (0.0, 0.0)


def test_false_alarms_are_counted_on_tiles_without_landslides_alone() -> None:
    mask, found = np.zeros((3, 100, 100), np.uint8), np.zeros((3, 100, 100), bool)
    mask[0, :5, :5] = 1
    found[0, 50:60, 50:60] = True  # beside the landslide: another tile's matter
    found[1, 0, :3] = found[1, 9, :7] = True
    # two tiles of 1 km2 without landslides, two objects of 3 and 7 px on 20,000 px
    scores = score_objects(count_objects(found, mask))
    assert scores["alarms_per_km2"] == pytest.approx(1.0)
    assert scores["alarm_share"] == pytest.approx(10 / 20_000)


def test_nothing_found_has_a_recall_and_no_precision() -> None:
    scores = score_objects(count_objects(np.zeros((1, 4, 4), bool), draw_map(*["x..."] * 4)))
    assert (scores["object_recall"], scores["area_bias"]) == (0.0, -1.0)
    assert np.isnan([scores["object_precision"], scores["object_f1"]]).all()
    assert np.isnan(scores["alarms_per_km2"])  # no tile without landslides


def test_nothing_to_find_has_neither_recall_nor_bias() -> None:
    scores = score_objects(count_objects(square(3), np.zeros((1, 32, 32), np.uint8)))
    assert np.isnan([scores["object_recall"], scores["area_bias"]]).all()
    assert scores["object_precision"] == 0.0


# ------------------------------------------------------------------------------------ adding up


def test_counts_of_tiles_add_up_to_the_whole(rng: np.random.Generator) -> None:
    found, mask = draw(rng)
    whole = count_objects(found, mask)
    single = [count_objects(found[i : i + 1], mask[i : i + 1]).total() for i in range(len(mask))]
    assert np.array_equal(np.stack([one.to_array() for one in single]), whole.to_array())
    added = single[0]
    for one in single[1:]:
        added += one
    assert score_objects(added) == pytest.approx(score_objects(whole), nan_ok=True)


def test_counts_survive_the_way_to_an_array_and_back(rng: np.random.Generator) -> None:
    counts = count_objects(*draw(rng))
    again = ObjectCounts.from_array(counts.to_array())
    assert all(np.array_equal(vars(again)[name], value) for name, value in vars(counts).items())
    assert counts.to_array().shape == (6, LENGTH)
    assert counts.to_array().dtype == np.int64


def test_rates_of_many_totals_at_once_are_those_of_each(rng: np.random.Generator) -> None:
    tiles = count_objects(*draw(rng)).to_array()
    totals = tiles[rng.integers(0, len(tiles), (5, len(tiles)))].sum(axis=1)  # five resamples
    rates = rate_objects(ObjectCounts.from_array(totals))
    for place, total in enumerate(totals):
        expected = score_objects(ObjectCounts.from_array(total))
        found = {name: float(rate[place]) for name, rate in rates.items()}
        assert found == pytest.approx(expected, nan_ok=True)


def test_objects_agree_with_a_plain_count(rng: np.random.Generator) -> None:
    found, mask = draw(rng)
    counts = count_objects(found, mask).total()
    hits = total = 0
    for one, other in zip(mask, found, strict=True):
        references, number = ndimage.label(one, np.ones((3, 3)))
        patches, others = ndimage.label(other, np.ones((3, 3)))
        for i in range(1, number + 1):
            pairs = [(references == i, patches == j) for j in range(1, others + 1)]
            hits += any((a & b).sum() / (a | b).sum() > 0.3 for a, b in pairs)
        total += number
    assert 0 < hits < total
    assert (counts.hit.sum(), counts.references.sum()) == (hits, total)
    assert counts.area_px.tolist() == [mask.sum(), found.sum()]


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 5), (0, 4, 4)])
def test_maps_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"one shape \(B, H, W\), but got"):
        count_objects(np.zeros(shape, bool), np.zeros((shape[0], 4, 4)[-len(shape) :], np.uint8))


def test_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be boolean, but got float32\. Compare"):
        count_objects(np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4), np.uint8))


def test_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alone, but got 0 to 255"):
        count_objects(np.zeros((1, 1, 2), bool), np.array([[[0, 255]]], np.uint8))


def test_array_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=rf"end in {LENGTH} numbers, but got \(3,\)"):
        ObjectCounts.from_array(np.zeros(3, np.int64))
